//! The property of `tests/it/mutations/debian_head.rs`, under libFuzzer.
#![no_main]

#[path = "../../tests/it/mutations/debian_head.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::check(input));
