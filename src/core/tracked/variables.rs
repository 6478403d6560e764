//! The environment variables of the caller, every lookup recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Environment variables by name. Clones share one record of lookups.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    values: Arc<BTreeMap<String, String>>,
    lookups: Arc<Mutex<BTreeSet<String>>>,
}

impl Variables {
    /// The value of one variable.
    pub fn get(&self, name: &str) -> Option<&String> {
        self.record(name);
        self.values.get(name)
    }

    /// Every variable whose name matches a name or a pattern with `*` for any characters, sorted by name.
    pub fn matching(&self, pattern: &str) -> Vec<(&String, &String)> {
        self.record(pattern);
        self.find(pattern)
    }

    /// All variables, unrecorded: for callers whose result is part of the key of the run, as settings are.
    pub fn unrecorded(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// Each name or pattern that was looked up so far, with a fingerprint of the variables that it matches. Fingerprints
    /// are BLAKE3 hashes, so that no value is stored.
    pub fn lookups(&self) -> BTreeMap<String, String> {
        let lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        lookups.iter().map(|pattern| (pattern.clone(), self.fingerprint(pattern))).collect()
    }

    /// A fingerprint of the variables that a name or pattern matches, unrecorded.
    pub fn fingerprint(&self, pattern: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        for text in self.find(pattern).into_iter().flat_map(|(name, value)| [name, value]) {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    fn find(&self, pattern: &str) -> Vec<(&String, &String)> {
        if !pattern.contains('*') {
            return self.values.get_key_value(pattern).into_iter().collect();
        }
        self.values.iter().filter(|(name, _)| matches(pattern, name)).collect()
    }

    fn record(&self, pattern: &str) {
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        if !lookups.contains(pattern) {
            lookups.insert(pattern.to_owned());
        }
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Variables {
        Variables { values: Arc::new(variables.into_iter().collect()), lookups: Arc::default() }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(head) else { return false };
    (0..=rest.len()).any(|skipped| rest.is_char_boundary(skipped) && matches(tail, &rest[skipped..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(all: &[(&str, &str)]) -> Variables {
        all.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_lookup_notices_its_own_variables_only() {
        let before = variables(&[("APP_A", "1"), ("TERM", "xterm")]);
        assert_eq!(before.get("HOME"), None);
        assert_eq!(before.matching("APP_*").len(), 1);
        let check = |all: &[(&str, &str)], expected: bool| {
            let now = variables(all);
            let same = before.lookups().iter().all(|(pattern, then)| now.fingerprint(pattern) == *then);
            assert_eq!(same, expected, "{all:?}");
        };
        check(&[("APP_A", "1"), ("TERM", "dumb")], true);
        check(&[("APP_A", "2"), ("TERM", "xterm")], false);
        check(&[("APP_A", "1"), ("APP_B", "2")], false);
        check(&[("APP_A", "1"), ("HOME", "/root")], false);
        check(&[], false);
    }

    #[test]
    fn a_pattern_may_hold_several_stars() {
        let check = |pattern, name, expected| assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        check("A*C*", "ABC", true);
        check("*", "\u{e4}", true);
        check("A*B", "AC", false);
        check("A", "AB", false);
    }
}
