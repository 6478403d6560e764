//! Private vocabulary: words that a reader outside the project stumbles over. They are not allowed in code, messages,
//! comments and documentation. The rules about code are in `tidy`.

use std::path::Path;

use super::{COMMITTED, files};

const EXTENSIONS: [&str; 4] = ["rs", "md", "toml", "trycmd"];

/// The only file that contains all the words.
const THIS_FILE: &str = "tests/it/tidy/vocabulary.rs";

/// A word or phrase, and what to write instead.
const WORDS: [(&str, &str); 8] = [
    ("told", "reported, shown, passed"),
    ("tells", "reports, shows, indicates"),
    ("whoever", "the user, the caller"),
    ("vouches", "guarantees, lists the hash of"),
    ("anew", "again"),
    ("lacks", "has no, misses"),
    ("nowhere to be had", "unavailable, not provided by any index"),
    ("known to be well", "known to be clean"),
];

/// Words of other programs and of stored formats: a file, the word, and why it stays.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    ("docs/formats.md", "told", "a field of stored traces"),
    ("src/prepare/locks.rs", "anew", "the first line of committed locks, by which they are recognised"),
];

#[test]
fn no_private_vocabulary_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let in_root = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let in_root =
        in_root.filter(|path| path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|e| *e == extension)));
    let in_root = in_root.map(|path| (file_name(&path), std::fs::read_to_string(&path).unwrap()));
    let all = in_root.chain(files(root, &COMMITTED, &EXTENSIONS)).filter(|(path, _)| path != THIS_FILE);
    let violations: Vec<String> = all.flat_map(|(path, text)| private_words(&path, &text)).collect();
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// The violations in a file, by line.
fn private_words(path: &str, text: &str) -> Vec<String> {
    let is_exempt = |word: &str| EXCEPTIONS.iter().any(|(file, exempt, _)| *file == path && *exempt == word);
    let words: Vec<_> = WORDS.into_iter().filter(|(word, _)| !is_exempt(word)).collect();
    let mut violations = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        let found = words.iter().filter(|(word, _)| contains_word(&line, word));
        violations.extend(found.map(|(word, better)| format!("{path}:{}: `{word}`; better: {better}", index + 1)));
    }
    violations
}

/// True if the word occurs in the line and is not a part of a longer word or name.
fn contains_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

#[test]
fn private_words_are_found() {
    for (word, _) in WORDS {
        let sentence = format!("/// It is {}, said he.", word.to_uppercase());
        assert_eq!(private_words("src/a.rs", &sentence).len(), 1, "{sentence}");
    }
    for line in ["a toldo", "retold", "is_told", "told_by", "lacks_any", "newly"] {
        assert_eq!(private_words("src/a.rs", line), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn exceptions_apply_to_one_file() {
    for (path, word, _) in EXCEPTIONS {
        assert_eq!(private_words(path, word), Vec::<String>::new());
        assert_eq!(private_words("src/a.rs", word).len(), 1);
    }
}
