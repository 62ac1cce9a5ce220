//! The libFuzzer binary of [`fuzz::authorization_response`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::authorization_response(input));
