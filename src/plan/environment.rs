//! The environment that every step gets: constants, so that nothing of the caller's is seen and runs are alike.

use std::collections::BTreeMap;

use crate::base::{RelPath, sandbox_paths};
use crate::tracked::Variables;

/// 1980-01-01T00:00:00Z: the first time that zip files can hold, and the modification time of every input.
const SOURCE_DATE_EPOCH: &str = "315532800";

/// Every step starts from these; what the user asked for by name is added, and wins.
pub fn base() -> BTreeMap<String, String> {
    let constants = [
        ("HOME", sandbox_paths::HOME),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("LOGNAME", "waders"),
        ("PATH", "/deps/bin:/usr/bin:/bin"),
        ("PYTHONHASHSEED", "0"),
        ("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH),
        ("TMPDIR", sandbox_paths::TMP),
        ("TZ", "UTC"),
        ("USER", "waders"),
    ];
    constants.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The value of `WADERS_SOURCE_ROOTS`, which a venv image puts on the import path.
pub fn source_roots(roots: &[RelPath]) -> String {
    roots.iter().map(|root| sandbox_paths::in_src(root.as_str())).collect::<Vec<_>>().join(":")
}

/// `NAME=value` as it stands, `NAME` from the caller's environment if it is set there, `PREFIX_*` as a pattern.
pub fn requested(entries: &[impl AsRef<str>], caller: &Variables) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for entry in entries {
        match entry.as_ref().split_once('=') {
            Some((name, value)) => drop(variables.insert(name.to_owned(), value.to_owned())),
            None => {
                let named = caller.matching(entry.as_ref()).into_iter();
                variables.extend(named.map(|(name, value)| (name.clone(), value.clone())));
            }
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: &[&str], expected: &[(&str, &str)]) {
        let caller = [("HOME", "/home/me"), ("APP_A", "1"), ("APP_B", "2")];
        let caller = caller.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let expected = expected.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        assert_eq!(requested(entries, &caller), expected, "{entries:?}");
    }

    #[test]
    fn only_what_is_named_is_taken_from_the_caller() {
        check(&[], &[]);
        check(&["HOME"], &[("HOME", "/home/me")]);
        check(&["UNSET"], &[]);
        check(&["HOME=/elsewhere"], &[("HOME", "/elsewhere")]);
        check(&["APP_*"], &[("APP_A", "1"), ("APP_B", "2")]);
    }

    #[test]
    fn commas_do_not_separate() {
        check(&["A=1,B=2"], &[("A", "1,B=2")]);
    }
}
