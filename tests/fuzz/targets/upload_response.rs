//! The libFuzzer binary of [`fuzz::upload_response`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::upload_response(input));
