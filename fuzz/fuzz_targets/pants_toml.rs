//! The property of `tests/it/mutations/pants_toml.rs`, under libFuzzer.
#![no_main]

#[path = "../../tests/it/mutations/pants_toml.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::check(input));
