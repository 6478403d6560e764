//! The property of `tests/it/mutations/archive.rs`, under libFuzzer.
#![no_main]

#[path = "../../tests/it/mutations/archive.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::check(input));
