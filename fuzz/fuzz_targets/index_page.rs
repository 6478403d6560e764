//! The property of `tests/it/mutations/index_page.rs`, under libFuzzer.
#![no_main]

#[path = "../../tests/it/mutations/index_page.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::check(input));
