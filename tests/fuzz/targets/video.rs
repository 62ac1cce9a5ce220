//! The libFuzzer binary of [`fuzz::video`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::video(input));
