//! `verify --against`: compares the results of this run with those of another machine, in its store or in a directory with packages.

use std::fs;
use std::path::Path;

use crate::difference;
use crate::engine::local::stored_result;
use crate::engine::{Record, RecordedResult, RecordedStep};
use crate::goals::Error;
use crate::goals::verify::compare::{Comparison, in_order};
use crate::goals::verify::outputs::Side;
use crate::report::verification::FileDifference;
use crate::session::Session;
use crate::store::{Node, Store};

/// The file that every store has.
const INDEX: &str = "index.db";

/// Compares with a directory.
pub(super) fn compare(session: &Session, store: &Store, first: &Record, dir: &str) -> Result<Comparison, Error> {
    let dir = session.environment().cwd.join(session.environment().expand_home(dir));
    let wrong = |why: &str| Error::Against { path: dir.clone(), why: why.to_owned() };
    if !dir.is_dir() {
        return Err(wrong("it is not a directory"));
    }
    match [dir.clone(), dir.join("waders")].into_iter().find(|dir| dir.join(INDEX).is_file()) {
        Some(other) if same_directory(&other, store.root()) => Err(wrong("it is the store of this run")),
        Some(other) => compare_with_store(store, first, &other),
        None => compare_with_files(store, first, &dir)
            .and_then(|found| found.ok_or_else(|| wrong("it contains neither a store nor any of the packages"))),
    }
}

fn same_directory(one: &Path, other: &Path) -> bool {
    fs::canonicalize(one).ok().zip(fs::canonicalize(other).ok()).is_some_and(|(one, other)| one == other)
}

/// Looks every step up under its key.
fn compare_with_store(store: &Store, first: &Record, other: &Path) -> Result<Comparison, Error> {
    let other = Store::open(other)?;
    let mut comparison = Comparison::default();
    for (key, step) in in_order(first) {
        if matches!(step.result, RecordedResult::Fetched(_)) {
            comparison.count(step).downloads += 1;
            continue;
        }
        match stored_result(&other, key, &step.result)? {
            Some(result) => {
                comparison.add(step, Side { store, result: &step.result }, Side { store: &other, result: &result })?
            }
            None => comparison.count(step).absent += 1,
        }
    }
    Ok(comparison)
}

/// Compares the files of packages with those at the same paths. `None` if there is none.
fn compare_with_files(store: &Store, first: &Record, dir: &Path) -> Result<Option<Comparison>, Error> {
    let mut comparison = Comparison::default();
    let is_package = |step: &RecordedStep| step.goal == "package" && step.needed_by.0 == step.label;
    for (_, step) in in_order(first).into_iter().filter(|(_, step)| is_package(step)) {
        let RecordedResult::Process(outcome) = &step.result else { continue };
        let mut differences = Vec::new();
        let mut has_other = false;
        for (path, node) in store.tree(outcome.output)?.nodes {
            let (Node::File { digest, .. }, at) = (node, path.to_path(dir)) else { continue };
            let Ok(other) = fs::read(&at) else { continue };
            has_other = true;
            let own = store.get(digest)?;
            if own != other {
                differences.push(file_difference(path.as_str(), &own, &other));
            }
        }
        match (has_other, differences.len()) {
            (false, _) => comparison.count(step).absent += 1,
            (true, 0) => comparison.count(step).identical += 1,
            (true, count) => comparison.add_difference(step, differences, count),
        }
    }
    let counts = comparison.total();
    Ok((counts.identical + counts.different > 0).then_some(comparison))
}

fn file_difference(name: &str, own: &[u8], other: &[u8]) -> FileDifference {
    let found = difference::between(name, own, other);
    let place = [&[name.to_owned()], &found.members[..]].concat().join("!");
    FileDifference { place, kind: found.kind.to_string(), diff: found.diff }
}
