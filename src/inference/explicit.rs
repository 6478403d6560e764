//! What a target's own fields name: addresses to numbers.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::inference::entry_point;
use crate::inference::numbered::{Number, Numbered};
use crate::inference::settings::Settings;
use crate::targets::dependencies::{self, Error};
use crate::targets::kind;
use crate::targets::{Kind, Target, Value};

/// What the target depends on.
const DEPENDENCY_FIELDS: [&str; 2] = ["dependencies", "output_dependencies"];

/// What only the target itself uses; a closure does not follow them.
const SPECIAL_FIELDS: [&str; 10] = [
    "complete_platforms",
    "execution_dependencies",
    "files",
    "files_targets",
    "fingerprint_dependencies",
    "inputs",
    "packages",
    "runnable_dependencies",
    "runtime_package_dependencies",
    "uv_platforms",
];

#[derive(Debug, Default)]
pub struct Explicit {
    pub includes: Vec<Number>,
    /// The includes before generators were replaced.
    pub named: Vec<Number>,
    /// `!`, and `!!` too.
    pub excludes: Vec<Number>,
    /// `!!`
    pub transitive_excludes: Vec<Number>,
    pub special: Vec<Number>,
    pub errors: Vec<Error>,
}

pub fn explicit(targets: &Numbered<'_>, target: &Target, settings: &Settings) -> Explicit {
    let mut explicit = Explicit::default();
    let texts = |field: &&str| target.fields.get(*field).map(Value::strings).unwrap_or_default();
    for written in DEPENDENCY_FIELDS.iter().flat_map(texts) {
        let bare = written.trim_start_matches('!');
        match named(targets, target, bare) {
            Ok(named) => match written.len() - bare.len() {
                0 => {
                    explicit.includes.extend(replaced(targets, &named));
                    explicit.named.extend(named);
                }
                1 => explicit.excludes.extend(replaced(targets, &named)),
                _ => {
                    explicit.excludes.extend(replaced(targets, &named));
                    explicit.transitive_excludes.extend(replaced(targets, &named));
                }
            },
            // Whoever needs a lockfile that is not there will say so; its target is only an aid to find what changed.
            Err(_) if target.kind == kind::PYTHON_REQUIREMENT && written.ends_with("_lockfile") => {}
            Err(error) => explicit.errors.push(error),
        }
    }
    if Kind::find(&target.kind).is_some_and(|kind| kind.includes_subdirectories) {
        for dir in dirs_within(targets, target) {
            match named(targets, target, &format!("//{dir}")) {
                Ok(named) if replaced(targets, &named).all(|number| explicit.excludes.contains(&number)) => {}
                Ok(named) => {
                    explicit.includes.extend(replaced(targets, &named));
                    explicit.named.extend(named);
                }
                Err(error) => explicit.errors.push(error),
            }
        }
    }
    // Other languages have fields of these names that hold no addresses: a `jvm_artifact` has `packages`.
    let special = if Kind::find(&target.kind).is_some_and(|kind| !kind.open_ended) { &SPECIAL_FIELDS[..] } else { &[] };
    for written in special.iter().flat_map(texts) {
        match named(targets, target, written) {
            Ok(named) => explicit.special.extend(replaced(targets, &named)),
            Err(error) => explicit.errors.push(error),
        }
    }
    if settings.entry_points && target.kind == kind::PYTHON_DISTRIBUTION {
        for written in entry_point::of_distribution(target).iter().filter(|written| entry_point::is_address(written)) {
            match named(targets, target, written) {
                Ok(named) => {
                    explicit.includes.extend(&named);
                    explicit.named.extend(named);
                }
                Err(error) => explicit.errors.push(error),
            }
        }
    }
    explicit
}

/// The directories in that of a target that have a BUILD file.
fn dirs_within(targets: &Numbered<'_>, target: &Target) -> BTreeSet<RelPath> {
    let dirs = targets.graph.build_files().filter_map(|(file, _)| file.parent());
    dirs.filter(|dir| dir.parent().as_ref() == Some(&target.address.dir)).collect()
}

fn named(targets: &Numbered<'_>, from: &Target, written: &str) -> Result<Vec<Number>, Error> {
    let named = dependencies::resolve(targets.graph, from, written)?;
    Ok(named.iter().filter_map(|address| targets.number(address)).collect())
}

/// Each generator by what it generates, if that is anything.
fn replaced<'a>(targets: &'a Numbered<'_>, named: &'a [Number]) -> impl Iterator<Item = Number> + 'a {
    named
        .iter()
        .flat_map(|number| match targets.generated_by(*number) {
            [] => std::slice::from_ref(number),
            generated => generated,
        })
        .copied()
}
