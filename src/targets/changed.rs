//! Maps changed files to changed targets. The list of changed files comes from git, and the dependents of the targets
//! from `inference`.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::targets::kind::{Kind, Sources};
use crate::targets::{Address, Target, TargetGraph};

/// The targets that changes to `files` affect, in list order. A BUILD file affects all its targets, or the targets that
/// its generators generate. A deleted file affects the targets whose `sources` match it.
pub fn changed(graph: &TargetGraph, files: &[RelPath]) -> Vec<Address> {
    let mut changed = BTreeSet::new();
    for file in files {
        changed.extend(crate::targets::select::owners(graph, file));
    }
    let build_files: BTreeSet<&RelPath> = files.iter().filter(|file| graph.is_build_file(file)).collect();
    let deleted: Vec<&RelPath> = files.iter().filter(|file| !graph.files().contains(file)).collect();
    if !build_files.is_empty() || !deleted.is_empty() {
        let is_expanded = |target: &Target| !graph.generated_by(&target.address).is_empty();
        let declared = |target: &&Target| build_files.contains(&target.build_file) && !is_expanded(target);
        let is_affected = |target: &&Target| declared(target) || deleted.iter().any(|file| owned(target, file));
        changed.extend(graph.targets().filter(is_affected).map(|target| target.address.clone()));
    }
    let mut changed: Vec<Address> = changed.into_iter().collect();
    changed.sort_by(Address::list_order);
    changed
}

/// Whether a deleted file was a source of the target.
fn owned(target: &Target, file: &RelPath) -> bool {
    let Some(inside) = file.strip_prefix(&target.address.dir) else { return false };
    let Some(kind) = Kind::find(&target.kind) else { return false };
    match kind.sources {
        Sources::None => target.entry_file().as_ref() == Some(file),
        Sources::One => target.globs().contains(&inside.as_str()),
        Sources::Many => Globs::compile(target.globs()).is_ok_and(|globs| globs.matches(inside.as_str())),
    }
}
