//! `[cli.alias]`: names and flags that expand to other words of the command line.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::cli::flag;
use crate::config::table::renamed;
use crate::config::{Table, shell};

/// Why an alias is invalid; each variant holds the alias's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The name has invalid characters.
    #[error("invalid alias `{0}` in `[cli.alias]`: a name has letters, digits, `_` and `-`, after `--` for a flag")]
    Name(String),
    /// The name already means something.
    #[error("alias `{0}` in `[cli.alias]` is the name of a goal or flag")]
    Shadows(String),
    /// The value cannot be split into words.
    #[error("the value of alias `{0}` in `[cli.alias]` is not a string, or has an unclosed quote")]
    Value(String),
    /// The alias expands to itself, or to too many words.
    #[error("alias `{0}` in `[cli.alias]` expands to itself")]
    Cycle(String),
}

/// Each alias with its complete expansion: other aliases in it are expanded, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases(BTreeMap<String, Vec<String>>);

impl Aliases {
    /// Checks and expands the section's aliases.
    pub fn new(written: &Map<String, Value>, table: &Table) -> Result<Aliases, Error> {
        let mut words = BTreeMap::new();
        for (name, value) in written {
            check_name(name, table)?;
            let split = value.as_str().and_then(shell::words);
            words.insert(name.clone(), split.ok_or_else(|| Error::Value(name.clone()))?);
        }
        let mut aliases = BTreeMap::new();
        for name in words.keys() {
            aliases.insert(name.clone(), expand(name, &words, &mut vec![])?);
        }
        Ok(Aliases(aliases))
    }

    /// The expansion of a word: the word itself if it is not an alias.
    pub fn expand(&self, word: &str) -> Vec<String> {
        self.0.get(word).cloned().unwrap_or_else(|| vec![word.to_owned()])
    }

    /// The names of all aliases, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn check_name(name: &str, table: &Table) -> Result<(), Error> {
    let bare = name.strip_prefix("--").unwrap_or(name);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let ends_in_words = bare.starts_with(is_word) && bare.ends_with(is_word);
    if bare.chars().count() < 2 || !ends_in_words || !bare.chars().all(|c| is_word(c) || c == '-') {
        return Err(Error::Name(name.to_owned()));
    }
    let is_flag = name.starts_with("--") && flag::read(table, name, flag::GLOBAL) != Err(flag::Refused::Unknown);
    if is_flag || renamed::goal(name).is_some() {
        return Err(Error::Shadows(name.to_owned()));
    }
    Ok(())
}

fn expand(name: &str, words: &BTreeMap<String, Vec<String>>, outer: &mut Vec<String>) -> Result<Vec<String>, Error> {
    let Some(expansion) = words.get(name) else { return Ok(vec![name.to_owned()]) };
    if outer.iter().any(|alias| alias == name) {
        return Err(Error::Cycle(name.to_owned()));
    }
    outer.push(name.to_owned());
    let mut out = Vec::new();
    for word in expansion {
        out.extend(expand(word, words, outer)?);
        if out.len() > MAX_WORDS {
            return Err(Error::Cycle(name.to_owned()));
        }
    }
    outer.pop();
    Ok(out)
}

/// Limit on the words of an expansion: aliases that contain each other twice grow exponentially.
const MAX_WORDS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn aliases(written: Value) -> Result<Aliases, Error> {
        Aliases::new(written.as_object().unwrap(), Table::get())
    }

    #[test]
    fn aliases_expand_to_words_and_to_other_aliases() {
        let aliases = aliases(json!({
            "green": "fmt lint check",
            "all": "green test",
            "--all-changed": "--changed-since=HEAD --changed-dependents=transitive",
        }))
        .unwrap();
        assert_eq!(aliases.expand("all"), ["fmt", "lint", "check", "test"]);
        assert_eq!(aliases.expand("--all-changed").len(), 2);
        assert_eq!(aliases.expand("other"), ["other"]);
    }

    #[test]
    fn invalid_aliases_are_refused() {
        assert_eq!(aliases(json!({"aa": "bb", "bb": "aa"})), Err(Error::Cycle("aa".into())));
        assert_eq!(aliases(json!({"test": "lint"})), Err(Error::Shadows("test".into())));
        assert_eq!(aliases(json!({"--tag": "x"})), Err(Error::Shadows("--tag".into())));
        assert_eq!(aliases(json!({"-x": "lint"})), Err(Error::Name("-x".into())));
        assert_eq!(aliases(json!({"xx": "'a"})), Err(Error::Value("xx".into())));
    }

    #[test]
    fn exponential_expansion_is_refused() {
        let written: Map<String, Value> =
            (0..60).map(|n| (format!("a{n:02}"), json!(format!("a{:02} a{:02}", n + 1, n + 1)))).collect();
        assert!(matches!(Aliases::new(&written, Table::get()), Err(Error::Cycle(_))));
    }
}
