//! The libFuzzer binary of [`fuzz::sidecar`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::sidecar(input));
