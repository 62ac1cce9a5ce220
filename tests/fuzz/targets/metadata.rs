//! The libFuzzer binary of [`fuzz::metadata`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::metadata(input));
