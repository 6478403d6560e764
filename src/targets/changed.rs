//! Maps changed files to changed targets. The list of changed files comes from git, and the dependents of the targets
//! from `inference`.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::base::text::Place;
use crate::build_file::Value;
use crate::targets::kind::{self, GenerateFrom, Kind, Sources};
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

/// The graph as it was before the `deleted` files were deleted, as far as the present BUILD files describe it, and the
/// targets that it has in addition: inference on it finds the importers of modules that no longer exist. `None` if the
/// deleted files had no targets. The result is for inference only: the files do not exist.
pub fn with_deleted(graph: &TargetGraph, deleted: &[RelPath]) -> Option<(TargetGraph, BTreeSet<Address>)> {
    let mut former: Vec<Target> = Vec::new();
    for file in deleted {
        let known = former.len();
        former.extend(
            graph
                .targets()
                .filter(|target| owned(target, file))
                .filter_map(|target| former_target(graph, target, file)),
        );
        if former.len() == known && matches!(file.as_str().rsplit_once('.'), Some((_, "py" | "pyi"))) {
            former.extend(undeclared(file));
        }
    }
    former.retain(|target| graph.get(&target.address).is_none());
    let addresses: BTreeSet<Address> = former.iter().map(|target| target.address.clone()).collect();
    if former.is_empty() {
        return None;
    }
    let mut before = graph.clone();
    before.insert_all(former);
    Some((before, addresses))
}

/// The target that a generator generated for a deleted file, with the fields of its other targets.
fn former_target(graph: &TargetGraph, generator: &Target, file: &RelPath) -> Option<Target> {
    let kind = Kind::find(&generator.kind).filter(|kind| kind.generates_from == GenerateFrom::File)?;
    let sibling = graph.generated_by(&generator.address).first().and_then(|sibling| graph.get(sibling));
    let inside = file.strip_prefix(&generator.address.dir)?;
    let mut fields = sibling.unwrap_or(generator).fields.clone();
    fields.insert("source".to_owned(), Value::Str(inside.to_string()));
    let address = generator.address.with_file(inside);
    let (kind, sources) = (kind.generates.to_owned(), vec![file.clone()]);
    Some(Target { address, kind, fields, sources, generator: None, ..generator.clone() })
}

/// A target for a deleted Python file whose BUILD file is deleted too.
fn undeclared(file: &RelPath) -> Option<Target> {
    let dir = file.parent()?;
    let name = RelPath::parse(file.file_name()?).ok()?;
    let fields = BTreeMap::from([("source".to_owned(), Value::Str(name.to_string()))]);
    Some(Target {
        address: Address::new(&dir, "deleted").with_file(name),
        kind: kind::PYTHON_SOURCE.to_owned(),
        fields,
        sources: vec![file.clone()],
        generator: None,
        build_file: dir.push("BUILD").ok()?,
        place: Place { line: 1, column: 1 },
    })
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
