//! What differs between two images: the packages or the interpreter, found through the steps that made the images, or else through
//! their trees.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{StepKind, StepRecord};
use crate::base::{Digest, RelPath};
use crate::goals::why::history::Occurrence;
use crate::store::{Node, Store};

/// The number of differing files that are named.
const NAMED_FILES: usize = 5;

/// What differs between two images, one sentence each; empty if nothing is known about them.
pub(super) fn causes(
    store: &Store,
    (before, old): (&Occurrence, Option<&str>),
    (after, new): (&Occurrence, Option<&str>),
) -> Vec<String> {
    let parse = |digest: Option<&str>| digest.and_then(|digest| digest.parse::<Digest>().ok());
    let (old, new) = match (parse(old), parse(new)) {
        (Some(old), Some(new)) => (old, new),
        (Some(old), None) => return maker(before, old),
        (None, Some(new)) => return maker(after, new),
        (None, None) => return Vec::new(),
    };
    let made = (makers(before, old), makers(after, new));
    let mut found = match made {
        (Some(before), Some(after)) => match (before.last(), after.last()) {
            // The label of an interpreter's image contains its version.
            (Some(old), Some(new)) if old.label != new.label => vec![format!("`{}` -> `{}`", old.label, new.label)],
            _ => differing_steps(&before, &after),
        },
        _ => Vec::new(),
    };
    if found.is_empty() {
        found = differing_files(store, old, new);
    }
    found
}

/// The step that made a tree that has no counterpart.
fn maker(step: &Occurrence, tree: Digest) -> Vec<String> {
    let made = makers(step, tree).and_then(|steps| steps.last().map(|step| format!("`{}`", step.label)));
    made.into_iter().collect()
}

/// All steps that the step which made a tree needs, and that step itself as the last.
fn makers(step: &Occurrence, tree: Digest) -> Option<Vec<&StepRecord>> {
    let list = &step.list;
    let mut left = vec![list.iter().position(|other| other.output == Some(tree))?];
    let mut found = BTreeSet::new();
    while let Some(at) = left.pop() {
        if found.insert(at) {
            left.extend(list[at].needs.iter().copied().filter(|need| *need < list.len()));
        }
    }
    Some(found.into_iter().map(|at| &list[at]).collect())
}

/// The steps without which the images would be equal: downloads that differ, and other steps that differ although no step that they
/// need does.
fn differing_steps(before: &[&StepRecord], after: &[&StepRecord]) -> Vec<String> {
    let by_label = |steps: &[&StepRecord]| -> BTreeMap<String, Option<Digest>> {
        steps.iter().map(|step| (step.label.clone(), step.output)).collect()
    };
    let fetched = |steps: &[&StepRecord]| -> BTreeSet<String> {
        let fetched = steps.iter().filter(|step| step.kind == StepKind::Fetch);
        fetched.map(|step| step.label.clone()).collect()
    };
    let (old, new) = (fetched(before), fetched(after));
    let mut added: BTreeMap<&str, &String> = new.difference(&old).map(|name| (distribution(name), name)).collect();
    let mut found = Vec::new();
    for name in old.difference(&new) {
        match added.remove(distribution(name)) {
            Some(other) => found.push(format!("package `{name}` -> `{other}`")),
            None => found.push(format!("package `{name}` removed")),
        }
    }
    found.extend(added.values().map(|name| format!("package `{name}` added")));
    let (old, new) = (by_label(before), by_label(after));
    if found.is_empty() {
        let differs = |label: &String| old.get(label).is_some_and(|output| new.get(label) != Some(output));
        let roots = old.keys().filter(|label| differs(label) || !new.contains_key(*label));
        let words = roots.filter(|label| !label.contains("image") && !label.contains("environment"));
        found.extend(words.map(|label| format!("the result of `{label}` differs")));
    }
    found
}

/// The name of the distribution in the name of a file: `requests-2.32.0-py3-none-any.whl` is `requests`.
fn distribution(file_name: &str) -> &str {
    file_name.split_once('-').map_or(file_name, |(name, _)| name)
}

/// Compares the trees: packages by their metadata directories, otherwise files.
fn differing_files(store: &Store, old: Digest, new: Digest) -> Vec<String> {
    let (Ok(old), Ok(new)) = (store.tree(old), store.tree(new)) else { return Vec::new() };
    let packages = |nodes: &BTreeMap<RelPath, Node>| -> BTreeSet<String> {
        let named = nodes.keys().flat_map(|path| path.components().map(str::to_owned).collect::<Vec<_>>());
        named.filter_map(|name| name.strip_suffix(".dist-info").map(str::to_owned)).collect()
    };
    let (before, after) = (packages(&old.nodes), packages(&new.nodes));
    let mut found: Vec<String> = before.difference(&after).map(|name| format!("package `{name}` removed")).collect();
    found.extend(after.difference(&before).map(|name| format!("package `{name}` added")));
    let paths: BTreeSet<&RelPath> = old.nodes.keys().chain(new.nodes.keys()).collect();
    let differing: Vec<_> = paths.into_iter().filter(|path| old.nodes.get(*path) != new.nodes.get(*path)).collect();
    if found.is_empty() && !differing.is_empty() {
        let named = differing.iter().take(NAMED_FILES).map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
        found.push(format!("{} files differ, such as {named}", differing.len()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(label: &str) -> StepRecord {
        let mut step = StepRecord::new(label.to_owned(), StepKind::Fetch, false);
        step.output = Some(Digest::of(label.as_bytes()));
        step
    }

    fn check(before: &[&str], after: &[&str], expected: &[&str]) {
        let [before, after] =
            [before, after].map(|labels| labels.iter().map(|label| fetched(label)).collect::<Vec<_>>());
        let found = differing_steps(&before.iter().collect::<Vec<_>>(), &after.iter().collect::<Vec<_>>());
        assert_eq!(found, expected);
    }

    #[test]
    fn packages_are_paired_by_the_name_of_the_distribution() {
        let (old, new, other) = ("six-1.16.0-py2.py3-none-any.whl", "six-1.17.0-py2.py3-none-any.whl", "attrs-1-x.whl");
        check(&[old], &[new], &["package `six-1.16.0-py2.py3-none-any.whl` -> `six-1.17.0-py2.py3-none-any.whl`"]);
        check(&[old], &[old, other], &["package `attrs-1-x.whl` added"]);
        check(&[old, other], &[old], &["package `attrs-1-x.whl` removed"]);
    }

    #[test]
    fn a_rebuilt_package_is_named_by_its_step() {
        let build = |output: &[u8]| StepRecord {
            output: Some(Digest::of(output)),
            ..StepRecord::new("build a-1.tar.gz".to_owned(), StepKind::Run, false)
        };
        let (old, new) = (build(b"1"), build(b"2"));
        assert_eq!(differing_steps(&[&old], &[&new]), ["the result of `build a-1.tar.gz` differs"]);
    }
}
