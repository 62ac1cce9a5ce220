//! libFuzzer's way to [`fuzz::consent`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::consent(input));
