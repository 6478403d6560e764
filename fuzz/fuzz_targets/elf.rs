//! The property of `tests/it/mutations/elf.rs`, under libFuzzer.
#![no_main]

#[path = "../../tests/it/mutations/elf.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::check(input));
