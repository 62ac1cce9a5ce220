//! libFuzzer's way to [`fuzz::video`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::video(input));
