//! How two keys differ, with the files behind their trees as far as they are known here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use similar::{ChangeTag, TextDiff};

use crate::action::{DecodedAction, KeyDifference, differences};
use crate::base::{Digest, RelPath};
use crate::engine::ActionCache;
use crate::engine::local::LocalActionCache;
use crate::goals::Error;
use crate::goals::log::portable::PortableRun;
use crate::goals::why::history::Occurrence;
use crate::goals::why::images;
use crate::report::why::{Difference, FileDifference};
use crate::session;
use crate::store::Store;

/// Larger files are compared by bytes, not by lines.
const LINES_UP_TO_BYTES: u64 = 1 << 20;

/// Larger files are not read at all.
const READ_UP_TO_BYTES: u64 = 64 << 20;

/// Where keys, trees and files are looked up. Digests name them, so it does not matter whose they are.
pub(in crate::goals) struct Keys<'f> {
    /// The store.
    pub store: Arc<Store>,
    /// The encoded actions in the store.
    pub cache: LocalActionCache,
    /// A record of another machine.
    pub foreign: Option<&'f PortableRun>,
}

/// What is at each path of a tree, as [`crate::store::Node::to_text`] renders it.
pub(in crate::goals) type Paths = BTreeMap<RelPath, String>;

impl Keys<'_> {
    /// The fields of a key. `None` if they are known neither to the store nor to the record of another machine.
    pub(in crate::goals) fn action(&self, key: Digest) -> Result<Option<DecodedAction>, Error> {
        let action = self.cache.action(&key).map_err(session::Error::from)?;
        let own = action.and_then(|action| action.decode().ok());
        let foreign = || self.foreign?.actions.get(&key.to_string()).map(|action| action.decoded());
        Ok(own.or_else(foreign))
    }

    /// The fields that differ between two steps with these keys.
    pub(in crate::goals) fn differences(
        &self,
        (before, old): (&Occurrence, &DecodedAction),
        (after, new): (&Occurrence, &DecodedAction),
    ) -> Vec<Difference> {
        let mut found = Vec::new();
        for difference in differences(old, new) {
            match difference {
                KeyDifference::Arguments { position, before, after } => {
                    found.push(Difference::Arguments { position, before, after });
                }
                KeyDifference::Variable { name, before, after } => {
                    found.push(Difference::Variable { name, before, after });
                }
                KeyDifference::Setting { name, before, after } => {
                    found.push(Difference::Setting { name, before, after });
                }
                KeyDifference::Inputs { before, after } => found.extend(self.inputs(before, after)),
                KeyDifference::Image { at, before: old, after: new } => {
                    let causes = images::causes(&self.store, (before, old.as_deref()), (after, new.as_deref()));
                    found.push(Difference::Image { at, before: old, after: new, causes });
                }
            }
        }
        found
    }

    /// What is at each path of a tree, if all levels are known.
    pub(in crate::goals) fn tree(&self, root: Digest) -> Option<Paths> {
        match self.store.tree(root) {
            Ok(tree) => Some(tree.nodes.into_iter().map(|(path, node)| (path, node.to_text())).collect()),
            Err(_) => self.foreign?.tree(root),
        }
    }

    fn inputs(&self, before: Digest, after: Digest) -> Vec<Difference> {
        let (Some(old), Some(new)) = (self.tree(before), self.tree(after)) else {
            return vec![Difference::UnknownInputs { before, after }];
        };
        let paths: BTreeSet<&RelPath> = old.keys().chain(new.keys()).collect();
        let changed = paths.into_iter().filter(|path| old.get(*path) != new.get(*path));
        changed.map(|path| Difference::File(self.file(path, old.get(path), new.get(path)))).collect()
    }

    fn file(&self, path: &RelPath, before: Option<&String>, after: Option<&String>) -> FileDifference {
        let mut file = FileDifference {
            path: path.to_string(),
            before: before.cloned(),
            after: after.cloned(),
            first_differing_byte: None,
            lines: Vec::new(),
            owner: None,
            chain: Vec::new(),
        };
        if let (Some(old), Some(new)) = (self.content(before), self.content(after)) {
            file.first_differing_byte = first_difference(&old, &new);
            if old.len().max(new.len()) as u64 <= LINES_UP_TO_BYTES
                && let (Ok(old), Ok(new)) = (String::from_utf8(old), String::from_utf8(new))
            {
                file.lines = changed_lines(&old, &new);
            }
        }
        file
    }

    /// The bytes of a file; `None` for anything else, and if the store does not have them.
    fn content(&self, node: Option<&String>) -> Option<Vec<u8>> {
        let (kind, digest) = node?.split_once(' ')?;
        let digest: Digest = digest.parse().ok().filter(|_| ["file", "executable"].contains(&kind))?;
        if digest.size_bytes() > READ_UP_TO_BYTES { None } else { self.store.get(digest).ok() }
    }
}

/// The offset of the first byte that differs; `None` if there is none.
pub(in crate::goals) fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    if one == other {
        return None;
    }
    Some(one.iter().zip(other).take_while(|(one, other)| one == other).count())
}

/// The changed lines, with `-` or `+` before each.
pub(in crate::goals) fn changed_lines(before: &str, after: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(before, after);
    let changed = diff.iter_all_changes().filter_map(|change| {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => return None,
        };
        Some(format!("{sign} {}", change.value().trim_end_matches(['\n', '\r'])).trim_end().to_owned())
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changed_lines_are_listed() {
        assert_eq!(changed_lines("a\nb\nc\n", "a\nB\nc\nd\n"), ["- b", "+ B", "+ d"]);
        assert_eq!(changed_lines("a\n", "a"), ["- a", "+ a"]);
    }

    #[test]
    fn the_first_differing_byte_is_counted_from_zero() {
        assert_eq!(first_difference(b"abc", b"abx"), Some(2));
        assert_eq!(first_difference(b"ab", b"abc"), Some(2));
        assert_eq!(first_difference(b"", b""), None);
    }
}
