//! libFuzzer's way to [`fuzz::answer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::answer(input));
