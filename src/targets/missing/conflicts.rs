//! Resolves conflicts between missing and existing targets: names in use, files with an owner, and targets that
//! settings exclude. Finding missing targets is in the parent module.

use std::collections::BTreeSet;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::base::RelPath;
use crate::base::glob::{self, Globs};
use crate::config::Config;
use crate::targets::missing::{FieldValue, MissingTarget};
use crate::targets::{Address, TargetGraph};

/// The targets to write, sorted. Replaces target types by macros of `[tailor] alias_mapping`, makes names unique,
/// restricts sources to files without an owner, and drops targets that settings exclude. An error is an invalid glob in
/// an option.
pub fn resolve_conflicts(
    missing: Vec<MissingTarget>,
    graph: &TargetGraph,
    config: &Config,
) -> Result<Vec<MissingTarget>, glob::Error> {
    let mut missing: Vec<MissingTarget> = missing.into_iter().map(|missing| apply_alias(missing, config)).collect();
    sort(&mut missing);
    rename(&mut missing, graph);
    sort(&mut missing);
    for missing in &mut missing {
        restrict(missing, graph)?;
    }
    let exclusions = Exclusions::from_config(config)?;
    missing.retain(|missing| !exclusions.excludes(missing));
    Ok(missing)
}

fn sort(missing: &mut [MissingTarget]) {
    missing.sort_by(|left, right| left.sort_key().cmp(&right.sort_key()));
}

fn apply_alias(missing: MissingTarget, config: &Config) -> MissingTarget {
    let alias = config.dict("tailor", "alias_mapping").get(&missing.kind).and_then(|alias| alias.as_str());
    MissingTarget { kind: alias.unwrap_or(&missing.kind).to_owned(), ..missing }
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
struct Exclusions<'a> {
    build_file_name: &'a str,
    paths: Globs,
    unread: Gitignore,
    addresses: Vec<&'a str>,
}

impl Exclusions<'_> {
    fn from_config(config: &Config) -> Result<Exclusions<'_>, glob::Error> {
        let unread = config.list("GLOBAL", "build_ignore");
        let mut builder = GitignoreBuilder::new("");
        for pattern in &unread {
            // As in loading, an invalid pattern ignores nothing.
            drop(builder.add_line(None, pattern));
        }
        Ok(Exclusions {
            build_file_name: config.text("tailor", "build_file_name").unwrap_or("BUILD"),
            paths: Globs::compile(config.list("tailor", "ignore_paths"))?,
            unread: builder.build().unwrap_or_else(|_| Gitignore::empty()),
            addresses: config.list("tailor", "ignore_adding_targets"),
        })
    }

    fn excludes(&self, missing: &MissingTarget) -> bool {
        let Ok(file) = missing.dir.push(self.build_file_name) else { return true };
        self.paths.matches(file.as_str())
            || self.unread.matched_path_or_any_parents(file.as_str(), false).is_ignore()
            || self.addresses.contains(&missing.address().as_str())
    }
}
