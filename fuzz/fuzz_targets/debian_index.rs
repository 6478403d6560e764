//! The property of `tests/it/mutations/debian_index.rs`, under libFuzzer.
#![no_main]

#[path = "../../tests/it/mutations/debian_index.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::check(input));
