//! The libFuzzer binary of [`fuzz::webhook`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::webhook(input));
