//! Resolves conflicts between missing and existing targets: names in use, files with an owner, and targets that
//! settings exclude. Finding missing targets is in the parent module.

use std::collections::BTreeSet;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::base::RelPath;
use crate::base::glob::{self, Globs};
use crate::config::Config;
use crate::config::typed::{GlobalSettings, TailorSettings};
use crate::targets::missing::{FieldValue, MissingTarget};
use crate::targets::{Address, TargetGraph};

/// What is to be written, sorted: with the names that macros give, no name twice, no file owned twice, and without what
/// settings leave out.
pub fn resolve_conflicts(
    missing: Vec<MissingTarget>,
    graph: &TargetGraph,
    config: &Config,
) -> Result<Vec<MissingTarget>, glob::Error> {
    let settings = TailorSettings::parse(config);
    let mut missing: Vec<MissingTarget> = missing.into_iter().map(|missing| apply_alias(missing, &settings)).collect();
    sort(&mut missing);
    rename(&mut missing, graph);
    sort(&mut missing);
    for missing in &mut missing {
        restrict(missing, graph)?;
    }
    let exclusions = Exclusions::from_config(config, settings)?;
    missing.retain(|missing| !exclusions.excludes(missing));
    Ok(missing)
}

fn sort(missing: &mut [MissingTarget]) {
    missing.sort_by(|left, right| left.sort_key().cmp(&right.sort_key()));
}

fn apply_alias(missing: MissingTarget, settings: &TailorSettings) -> MissingTarget {
    let kind = settings.alias_mapping.get(&missing.kind).cloned();
    MissingTarget { kind: kind.unwrap_or(missing.kind), ..missing }
}

/// Appends a number to names that are in use. In the build root, which has no default name, the first name is `root`.
/// Same algorithm as in Pants.
fn rename(missing: &mut [MissingTarget], graph: &TargetGraph) {
    let mut taken: BTreeSet<(RelPath, String)> = BTreeSet::new();
    let written = graph.targets().filter(|target| target.generator.is_none());
    taken.extend(written.map(|target| (target.address.dir.clone(), target.address.name.clone())));
    for missing in missing {
        let wanted = missing.name.clone();
        if missing.dir.is_root() {
            missing.name = "root".to_owned();
        }
        let mut number = 0;
        while !taken.insert((missing.dir.clone(), missing.name.clone())) {
            missing.name = format!("{wanted}{number}");
            number += 1;
        }
    }
}

/// Lists the files explicitly if the default globs would match files of other targets.
fn restrict(missing: &mut MissingTarget, graph: &TargetGraph) -> Result<(), glob::Error> {
    let globs = Globs::compile(missing.globs.iter().map(String::as_str))?;
    let files = graph.files().matching(&missing.dir, &globs);
    let is_written = |address: &&Address| graph.get(address).is_some_and(|target| target.generator.is_none());
    let owners: BTreeSet<String> =
        files.iter().flat_map(|file| graph.owners(file)).filter(is_written).map(Address::to_string).collect();
    if owners.is_empty() {
        return Ok(());
    }
    let kind = &missing.kind;
    missing.comments = vec![format!("NOTE: Sources restricted from the default for {kind} due to conflict with")];
    missing.comments.extend(owners.iter().map(|owner| format!("  - {owner}")));
    missing.fields.push(("sources", FieldValue::Texts(missing.files.clone())));
    Ok(())
}

/// Targets that are not added: `[tailor] ignore_paths` and `ignore_adding_targets`, and BUILD files that `[GLOBAL]
/// build_ignore` excludes from loading.
struct Exclusions {
    build_file_name: String,
    paths: Globs,
    unread: Gitignore,
    addresses: Vec<String>,
}

impl Exclusions {
    fn from_config(config: &Config, settings: TailorSettings) -> Result<Exclusions, glob::Error> {
        let unread = GlobalSettings::parse(config).build_ignore;
        let mut builder = GitignoreBuilder::new("");
        for pattern in &unread {
            // As in loading, an invalid pattern ignores nothing.
            drop(builder.add_line(None, pattern));
        }
        Ok(Exclusions {
            build_file_name: settings.build_file_name,
            paths: Globs::compile(settings.ignore_paths.iter().map(String::as_str))?,
            unread: builder.build().unwrap_or_else(|_| Gitignore::empty()),
            addresses: settings.ignore_adding_targets,
        })
    }

    fn excludes(&self, missing: &MissingTarget) -> bool {
        let Ok(file) = missing.dir.push(&self.build_file_name) else { return true };
        self.paths.matches(file.as_str())
            || self.unread.matched_path_or_any_parents(file.as_str(), false).is_ignore()
            || self.addresses.contains(&missing.address())
    }
}
