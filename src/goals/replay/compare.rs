//! Compares the result of a repeated step with the recorded one.

use std::collections::{BTreeMap, BTreeSet};

use regex::bytes::Regex;

use crate::action::{Measurement, Outcome};
use crate::base::{Digest, RelPath};
use crate::goals::Error;
use crate::goals::replay::bundle::Bundle;
use crate::goals::why::compare::{changed_lines, first_difference};
use crate::plan::test_run;
use crate::report::replay::{ComparedFile, Comparison};
use crate::store::{Node, Store};

/// Larger files are compared by their digests alone.
const READ_UP_TO_BYTES: u64 = 16 << 20;

/// Compares an outcome with the recorded one of a bundle.
pub(super) fn compare(store: &Store, bundle: &Bundle, outcome: &Outcome) -> Result<Comparison, Error> {
    let recorded = &bundle.about.step;
    let measured: Vec<Regex> = match bundle.about.goal.as_str() {
        "test" => measured_by_pytest(),
        _ => Vec::new(),
    };
    let before = recorded.output.map_or(Ok(BTreeMap::new()), |tree| contents(store, tree))?;
    let after = contents(store, outcome.output)?;
    let mut found = Comparison {
        schema_version: crate::report::replay::SCHEMA_VERSION,
        step: recorded.label.clone(),
        key: bundle.about.key,
        recorded_exit: recorded.exit.map(|exit| exit.to_string()).unwrap_or_default(),
        exit: outcome.exit.to_string(),
        files: after.values().filter(|node| node.content().is_some()).count(),
        equal_but_for_times: 0,
        differences: Vec::new(),
        reproduced: recorded.exit == Some(outcome.exit),
    };
    let paths: BTreeSet<&RelPath> = before.keys().chain(after.keys()).collect();
    let mut pairs: Vec<(String, Option<Node>, Option<Node>)> = paths
        .into_iter()
        .map(|path| (format!("output file `{path}`"), before.get(path).cloned(), after.get(path).cloned()))
        .collect();
    let file = |digest: Digest| Some(Node::File { digest, executable: false });
    let [stdout, stderr] = recorded.streams.map_or([None, None], |streams| streams.map(file));
    pairs.push(("standard output".to_owned(), stdout, file(outcome.stdout)));
    pairs.push(("standard error".to_owned(), stderr, file(outcome.stderr)));
    for (name, before, after) in pairs.into_iter().filter(|(_, before, after)| before != after) {
        match difference(store, &measured, name, before, after) {
            None => found.equal_but_for_times += 1,
            Some(difference) => found.differences.push(difference),
        }
    }
    found.reproduced &= found.differences.is_empty();
    Ok(found)
}

fn contents(store: &Store, tree: Digest) -> Result<BTreeMap<RelPath, Node>, Error> {
    Ok(store.tree(tree)?.nodes)
}

/// How two files differ; `None` if only measured times do.
fn difference(
    store: &Store,
    measured: &[Regex],
    name: String,
    before: Option<Node>,
    after: Option<Node>,
) -> Option<ComparedFile> {
    let read = |node: &Option<Node>| {
        let digest = node.as_ref()?.content().filter(|digest| digest.size_bytes() <= READ_UP_TO_BYTES)?;
        store.get(digest).ok()
    };
    let mut found = ComparedFile { name, before: None, after: None, first_differing_byte: None, lines: Vec::new() };
    if let (Some(old), Some(new)) = (read(&before), read(&after)) {
        let (old, new) = (without_times(measured, old), without_times(measured, new));
        let same_kind = |node: &Option<Node>| matches!(node, Some(Node::File { executable: true, .. }));
        if old == new && same_kind(&before) == same_kind(&after) {
            return None;
        }
        found.first_differing_byte = first_difference(&old, &new);
        if let (Ok(old), Ok(new)) = (String::from_utf8(old), String::from_utf8(new)) {
            found.lines = changed_lines(&old, &new);
        }
    }
    let text = |node: Option<Node>| node.map(|node| node.to_text());
    (found.before, found.after) = (text(before), text(after));
    Some(found)
}

/// What pytest measures, in all that it prints and writes.
fn measured_by_pytest() -> Vec<Regex> {
    let pattern = |measurement: &Measurement| Regex::new(&measurement.pattern).expect("a constant pattern");
    test_run::measurements().iter().map(pattern).collect()
}

fn without_times(measured: &[Regex], bytes: Vec<u8>) -> Vec<u8> {
    measured.iter().fold(bytes, |bytes, pattern| pattern.replace_all(&bytes, &b"*"[..]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_measured_times_are_ignored() {
        let measured = measured_by_pytest();
        let is_same = |one: &str, other: &str| {
            without_times(&measured, one.as_bytes().to_vec()) == without_times(&measured, other.as_bytes().to_vec())
        };
        assert!(is_same("===== 1 passed in 0.01s =====", "=== 1 passed in 61.20s (0:01:01) ==="));
        assert!(is_same("<testcase name=\"a\" time=\"0.1\"/>", "<testcase name=\"a\" time=\"0.2\"/>"));
        assert!(!is_same("1 passed in 0.01s", "2 passed in 0.01s"));
        assert!(!is_same("<testcase name=\"a\" time=\"0.1\"/>", "<testcase name=\"b\" time=\"0.1\"/>"));
    }
}
