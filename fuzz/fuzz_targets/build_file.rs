//! The property of `tests/it/mutations/build_file.rs`, under libFuzzer.
#![no_main]

#[path = "../../tests/it/mutations/build_file.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::check(input));
