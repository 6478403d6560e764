//! Resolves the addresses in the fields of a target: explicit dependencies and special-cased ones. Dependencies that
//! follow from sources are found in `infer`.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::inference::entry_point;
use crate::inference::settings::InferenceSettings;
use crate::inference::target_index::{TargetId, TargetIndex};
use crate::targets::dependencies::{self, Error};
use crate::targets::kind;
use crate::targets::{Kind, Target};

/// Fields that hold dependencies.
const DEPENDENCY_FIELDS: [&str; 2] = ["dependencies", "output_dependencies"];

/// Fields that hold addresses for the target's own use (Pants calls them special-cased dependencies). Closures do not
/// follow them.
const SPECIAL_FIELDS: [&str; 11] = [
    "complete_platforms",
    "execution_dependencies",
    "files",
    "files_targets",
    "fingerprint_dependencies",
    "inputs",
    "packages",
    "program",
    "runnable_dependencies",
    "runtime_package_dependencies",
    "uv_platforms",
];

/// The addresses in a target's fields, resolved to ids.
#[derive(Debug, Default)]
pub(super) struct Explicit {
    /// Dependencies, with target generators replaced by the targets that they generate.
    pub includes: Vec<TargetId>,
    /// Dependencies as written, target generators included.
    pub unexpanded: Vec<TargetId>,
    /// Targets excluded with `!` or `!!`.
    pub excludes: Vec<TargetId>,
    /// Targets excluded with `!!`.
    pub transitive_excludes: Vec<TargetId>,
    /// Special-cased dependencies.
    pub special: Vec<TargetId>,
    /// Addresses that could not be resolved.
    pub errors: Vec<Error>,
}

/// Resolves the addresses in the fields of `target`.
pub(super) fn resolve_explicit(targets: &TargetIndex<'_>, target: &Target, settings: &InferenceSettings) -> Explicit {
    let mut explicit = Explicit::default();
    let texts = |field: &&str| target.strings(field);
    for written in DEPENDENCY_FIELDS.iter().flat_map(texts) {
        let bare = written.trim_start_matches('!');
        match resolve_address(targets, target, bare) {
            Ok(ids) => match written.len() - bare.len() {
                0 => {
                    explicit.includes.extend(expand_generators(targets, &ids));
                    explicit.unexpanded.extend(ids);
                }
                1 => explicit.excludes.extend(expand_generators(targets, &ids)),
                _ => {
                    explicit.excludes.extend(expand_generators(targets, &ids));
                    explicit.transitive_excludes.extend(expand_generators(targets, &ids));
                }
            },
            // The target of a lockfile only serves `--changed-since`. Steps that need a missing lockfile report it.
            Err(_) if target.kind == kind::PYTHON_REQUIREMENT && written.ends_with("_lockfile") => {}
            Err(error) => explicit.errors.push(error),
        }
    }
    if Kind::find(&target.kind).is_some_and(|kind| kind.includes_subdirectories) {
        for dir in subdirs_with_build_file(targets, target) {
            match resolve_address(targets, target, &format!("//{dir}")) {
                Ok(ids) if expand_generators(targets, &ids).all(|id| explicit.excludes.contains(&id)) => {}
                Ok(ids) => {
                    explicit.includes.extend(expand_generators(targets, &ids));
                    explicit.unexpanded.extend(ids);
                }
                Err(error) => explicit.errors.push(error),
            }
        }
    }
    // In target types of other languages, fields of these names may not hold addresses: `packages` of `jvm_artifact`.
    let special = if Kind::find(&target.kind).is_some_and(|kind| !kind.open_ended) { &SPECIAL_FIELDS[..] } else { &[] };
    let single = |field: &&str| target.text(field);
    for written in special.iter().flat_map(texts).chain(special.iter().filter_map(single)) {
        match resolve_address(targets, target, written) {
            Ok(ids) => explicit.special.extend(expand_generators(targets, &ids)),
            Err(error) => explicit.errors.push(error),
        }
    }
    if settings.entry_points && target.kind == kind::PYTHON_DISTRIBUTION {
        let written = entry_point::distribution_entry_points(target);
        for written in written.filter(|written| entry_point::is_address(written)) {
            match resolve_address(targets, target, written) {
                Ok(ids) => {
                    explicit.includes.extend(&ids);
                    explicit.unexpanded.extend(ids);
                }
                Err(error) => explicit.errors.push(error),
            }
        }
    }
    explicit
}

/// The subdirectories of the target's directory that contain a BUILD file.
fn subdirs_with_build_file(targets: &TargetIndex<'_>, target: &Target) -> BTreeSet<RelPath> {
    let dirs = targets.graph.build_files().filter_map(|(file, _)| file.parent());
    dirs.filter(|dir| dir.parent().as_ref() == Some(&target.address.dir)).collect()
}

fn resolve_address(targets: &TargetIndex<'_>, from: &Target, written: &str) -> Result<Vec<TargetId>, Error> {
    let addresses = dependencies::resolve(targets.graph, from, written)?;
    Ok(addresses.iter().filter_map(|address| targets.id(address)).collect())
}

/// Replaces each target generator by the targets that it generates, unless it generates none.
fn expand_generators<'a>(targets: &'a TargetIndex<'_>, ids: &'a [TargetId]) -> impl Iterator<Item = TargetId> + 'a {
    ids.iter()
        .flat_map(|id| match targets.generated_by(*id) {
            [] => std::slice::from_ref(id),
            generated => generated,
        })
        .copied()
}
