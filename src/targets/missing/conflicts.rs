//! Missing targets among those that are there: names that are taken, files that have an owner, and what settings leave
//! out.

use std::collections::BTreeSet;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::base::RelPath;
use crate::base::glob::{self, Globs};
use crate::config::Config;
use crate::config::typed::{GlobalSettings, TailorSettings};
use crate::targets::missing::{Missing, Written};
use crate::targets::{Address, TargetGraph};

/// What is to be written, sorted: with the names that macros give, no name twice, no file owned twice, and without what
/// settings leave out.
pub fn settled(missing: Vec<Missing>, graph: &TargetGraph, config: &Config) -> Result<Vec<Missing>, glob::Error> {
    let settings = TailorSettings::parse(config);
    let mut missing: Vec<Missing> = missing.into_iter().map(|missing| aliased(missing, &settings)).collect();
    sort(&mut missing);
    rename(&mut missing, graph);
    sort(&mut missing);
    for missing in &mut missing {
        restrict(missing, graph)?;
    }
    let left_out = LeftOut::of(config, settings)?;
    missing.retain(|missing| !left_out.holds(missing));
    Ok(missing)
}

fn sort(missing: &mut [Missing]) {
    missing.sort_by(|left, right| left.sort_key().cmp(&right.sort_key()));
}

fn aliased(missing: Missing, settings: &TailorSettings) -> Missing {
    let kind = settings.alias_mapping.get(&missing.kind).cloned();
    Missing { kind: kind.unwrap_or(missing.kind), ..missing }
}

/// A taken name gets a number. In the root, where there is no default name, the first is `root`; as Pants does it.
fn rename(missing: &mut [Missing], graph: &TargetGraph) {
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

/// Where the default globs would also have files of other targets, the files are listed instead.
fn restrict(missing: &mut Missing, graph: &TargetGraph) -> Result<(), glob::Error> {
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
    missing.fields.push(("sources", Written::Texts(missing.files.clone())));
    Ok(())
}

/// `[tailor] ignore_paths` and `ignore_adding_targets`, and BUILD files that nobody would read.
struct LeftOut {
    build_file_name: String,
    paths: Globs,
    unread: Gitignore,
    addresses: Vec<String>,
}

impl LeftOut {
    fn of(config: &Config, settings: TailorSettings) -> Result<LeftOut, glob::Error> {
        let unread = GlobalSettings::parse(config).build_ignore;
        let mut builder = GitignoreBuilder::new("");
        for pattern in &unread {
            // As when loading: a pattern that git cannot read ignores nothing.
            drop(builder.add_line(None, pattern));
        }
        Ok(LeftOut {
            build_file_name: settings.build_file_name,
            paths: Globs::compile(settings.ignore_paths.iter().map(String::as_str))?,
            unread: builder.build().unwrap_or_else(|_| Gitignore::empty()),
            addresses: settings.ignore_adding_targets,
        })
    }

    fn holds(&self, missing: &Missing) -> bool {
        let Ok(file) = missing.dir.push(&self.build_file_name) else { return true };
        self.paths.matches(file.as_str())
            || self.unread.matched_path_or_any_parents(file.as_str(), false).is_ignore()
            || self.addresses.contains(&missing.address())
    }
}
