//! The libFuzzer binary of [`fuzz::tiktok_response`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::tiktok_response(input));
