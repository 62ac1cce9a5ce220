//! The libFuzzer binary of [`fuzz::api_request`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::api_request(input));
