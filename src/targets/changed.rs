//! Changed files to the targets that they change. Which files changed is git's to say; what depends on these targets is
//! the graph's of dependencies.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::targets::kind::{Kind, Sources};
use crate::targets::{Address, Target, TargetGraph};

/// A BUILD file changes all that it declares, with what generators generate in their place; a deleted file, the
/// generators whose globs had it. In the order of lists.
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
        let touched = |target: &&Target| declared(target) || deleted.iter().any(|file| had(target, file));
        changed.extend(graph.targets().filter(touched).map(|target| target.address.clone()));
    }
    let mut changed: Vec<Address> = changed.into_iter().collect();
    changed.sort_by(Address::list_order);
    changed
}

/// Whether a file that is gone was a source of the target.
fn had(target: &Target, file: &RelPath) -> bool {
    let Some(inside) = file.strip_prefix(&target.address.dir) else { return false };
    let Some(kind) = Kind::of(&target.kind) else { return false };
    match kind.sources {
        Sources::None => target.entry_file().as_ref() == Some(file),
        Sources::One => target.globs().contains(&inside.as_str()),
        Sources::Many => Globs::compile(target.globs()).is_ok_and(|globs| globs.matches(inside.as_str())),
    }
}
