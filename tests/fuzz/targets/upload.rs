//! libFuzzer's way to [`fuzz::upload`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::upload(input));
