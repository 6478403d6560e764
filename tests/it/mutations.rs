//! Mutation tests of parsers. Every input is accepted or rejected without a panic and in limited time; errors in BUILD files,
//! settings and lockfiles have a location, and what archives and index pages may name is limited. The seeds are those of the fuzzer (`fuzz/seeds`, one directory for each
//! kind of file). Inputs that once caused a failure are kept as seeds; they are tried unchanged as well. The mutations are
//! deterministic; `WADERS_MUTATIONS` sets their number.

mod archive;
mod attestation;
mod build_file;
mod debian_head;
mod debian_index;
mod elf;
mod index_page;
mod lockfile;
mod pants_toml;
mod tree;

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use rayon::prelude::*;

#[test]
fn mutated_build_files_are_accepted_or_rejected_with_a_location() {
    check("build_file", build_file::check);
}

#[test]
fn mutated_settings_are_accepted_or_rejected_with_a_location() {
    check("pants_toml", pants_toml::check);
}

#[test]
fn mutated_lockfiles_are_accepted_or_rejected_with_a_location() {
    check("lockfile", lockfile::check);
}

#[test]
fn mutated_archives_are_unpacked_inside_their_tree_or_rejected() {
    check("archive", archive::check);
}

#[test]
fn mutated_index_pages_list_file_names_or_are_rejected() {
    check("index_page", index_page::check);
}

#[test]
fn mutated_trees_are_canonical_or_rejected() {
    check("tree", tree::check);
}

#[test]
fn mutated_attestations_are_rejected_or_say_what_was_signed() {
    check("attestation", attestation::check);
}

#[test]
fn mutated_lists_of_packages_name_files_of_the_archive_or_are_rejected() {
    check("debian_index", debian_index::check);
}

#[test]
fn mutated_heads_and_keyrings_of_archives_are_rejected_or_say_what_was_signed() {
    check("debian_head", debian_head::check);
}

#[test]
fn mutated_programs_and_libraries_are_parsed_or_rejected() {
    check("elf", elf::check);
}

/// The default number of mutations.
const MUTATIONS: u64 = 1_000;
/// The time limit for one input.
const TIME_LIMIT: Duration = Duration::from_secs(20);

fn check(kind: &str, property: fn(&[u8])) {
    let seeds = seeds(kind);
    seeds.iter().for_each(|seed| attempt(property, seed));
    let count = std::env::var("WADERS_MUTATIONS").map_or(MUTATIONS, |count| count.parse().unwrap());
    (0..count).into_par_iter().for_each(|number| {
        let mut random = Random::new(number);
        let seed = &seeds[random.below(seeds.len())];
        attempt(property, &mutated(seed, &mut random));
    });
}

/// Checks one input. A failure prints the input, so that it can be added to the seeds.
fn attempt(property: fn(&[u8]), input: &[u8]) {
    let started = Instant::now();
    let holds = catch_unwind(|| property(input)).is_ok();
    assert!(holds && started.elapsed() < TIME_LIMIT, "failed for this input:\n{}", input.escape_ascii());
}

/// The seeds of a kind of file, in the order of their names.
fn seeds(kind: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(kind);
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Texts that mutations insert.
const SNIPPETS: [&str; 28] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "f'{",
    "**",
    "*",
    ",",
    "\n    ",
    "lambda: ",
    "for x in y",
    "=",
    "#",
    "%(",
    ".",
    "\\",
    "[[",
    "//",
    "<<<<<<< a\n",
    "\u{e9}",
    "\0",
    "9999999999999999999",
    "-1",
    ":",
];

fn mutated(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let len = random.below(12).min(bytes.len() - at);
        match random.below(5) {
            0 => drop(bytes.drain(at..at + len)),
            1 => drop(bytes.splice(at..at, SNIPPETS[random.below(SNIPPETS.len())].bytes()).collect::<Vec<_>>()),
            2 => {
                let copied = bytes[at..at + len].repeat(1 + random.below(40));
                bytes.splice(at..at, copied);
            }
            3 => bytes.truncate(if random.below(10) == 0 { at } else { bytes.len() }),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = u8::try_from(random.below(256)).unwrap()),
        }
    }
    bytes
}

/// A pseudorandom generator with a fixed sequence, so that every run is the same.
pub struct Random(u64);

impl Random {
    pub fn new(number: u64) -> Random {
        let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.below(1);
        random
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}
