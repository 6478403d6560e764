//! BUILD files, settings and lockfiles, mutated: whatever they become, they are read or refused with a place, and soon.
//! The seeds are the fuzzer's (`fuzz/seeds`, a folder a kind); what it found once stays there, and is tried here as it is.
//! The mutations are the same every time. `WADERS_MUTATIONS` sets their number.

mod build_file;
mod lockfile;
mod pants_toml;

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use rayon::prelude::*;

#[test]
fn mutated_build_files_are_read_or_refused_with_a_place() {
    check("build_file", build_file::check);
}

#[test]
fn mutated_settings_are_read_or_refused_with_a_place() {
    check("pants_toml", pants_toml::check);
}

#[test]
fn mutated_lockfiles_are_read_or_refused_with_a_place() {
    check("lockfile", lockfile::check);
}

const MUTATIONS: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(20);

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

/// On failure the input is shown, so that it can be made a seed.
fn attempt(property: fn(&[u8]), input: &[u8]) {
    let started = Instant::now();
    let is_kept = catch_unwind(|| property(input)).is_ok();
    assert!(is_kept && started.elapsed() < PATIENCE, "this input:\n{}", input.escape_ascii());
}

/// In the order of their names.
fn seeds(kind: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(kind);
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

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

/// A small generator of its own: the run is the same every time.
struct Random(u64);

impl Random {
    fn new(number: u64) -> Random {
        let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.below(1);
        random
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}
