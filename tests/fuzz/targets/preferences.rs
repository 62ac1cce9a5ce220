//! The libFuzzer binary of [`fuzz::preferences`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::preferences(input));
