//! Which of the selected files a call works on, and which of them must not share a process.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::config::Config;
use crate::inference::{self, resolve_of};
use crate::prepare::calls::Enabled;
use crate::session::{Error, Session, selection, toolchains};
use crate::targets::{Address, Target, TargetGraph};
use crate::tools::{Call, Partition};

/// What files must agree in to share a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Like {
    /// Interpreter constraints; empty where the tool chooses its interpreter itself.
    pub constraints: Vec<String>,
    pub resolve: Option<String>,
}

/// The files of one call, each with the targets that it is of, if any.
#[derive(Clone, Debug, Default)]
pub struct Work {
    pub parts: BTreeMap<Like, BTreeMap<RelPath, Vec<Address>>>,
    /// The interpreter constraints of all targets.
    pub constraints: BTreeSet<Vec<String>>,
}

/// What the command line selects.
pub struct Selected {
    targets: Vec<Address>,
    /// Empty where no call works on files as such.
    files: Vec<RelPath>,
}

impl Like {
    /// As Pants shows partitions.
    pub fn in_words(&self) -> String {
        let constraints = self.constraints.iter().map(|text| format!("'{text}'")).collect::<Vec<_>>().join(", ");
        match &self.resolve {
            Some(resolve) => format!("{resolve}, [{constraints}]"),
            None => format!("[{constraints}]"),
        }
    }
}

impl Selected {
    pub fn of(session: &mut Session, calls: &[Enabled]) -> Result<Selected, Error> {
        let wants_files = calls.iter().any(|enabled| enabled.call.targets.is_empty());
        let files = if wants_files { selection::selected_files(session)? } else { Vec::new() };
        Ok(Selected { targets: selection::with_generated(session)?, files })
    }

    /// The sources that these calls work on, and perhaps some that they skip.
    pub fn sources<'s>(&'s self, graph: &'s TargetGraph, calls: &[Enabled]) -> Vec<&'s RelPath> {
        let targets = self.targets.iter().filter_map(|address| graph.get(address));
        let is_meant = |target: &&Target| calls.iter().any(|enabled| enabled.call.targets.contains(&target.kind));
        targets.filter(is_meant).flat_map(|target| &target.sources).collect()
    }
}

impl Work {
    pub fn of(config: &Config, graph: &TargetGraph, selected: &Selected, enabled: &Enabled) -> Result<Work, Error> {
        if enabled.call.build_files {
            return Ok(Work::on_files(selected.files.iter().filter(|file| graph.is_build_file(file))));
        }
        if let Some(option) = &enabled.call.globs {
            let globs =
                |option: &str| Globs::compile(config.list(&enabled.tool.scope, option)).map_err(Error::ToolGlobs);
            let included = globs(option)?;
            let excluded = enabled.call.except_globs.as_deref().map(globs).transpose()?;
            let is_meant = |file: &&RelPath| {
                let file = file.as_str();
                included.matches(file) && !excluded.as_ref().is_some_and(|excluded| excluded.matches(file))
            };
            return Ok(Work::on_files(selected.files.iter().filter(is_meant)));
        }
        Work::on_targets(config, graph, selected, &enabled.call)
    }

    pub fn on_files<'f>(files: impl Iterator<Item = &'f RelPath>) -> Work {
        let files: BTreeMap<RelPath, Vec<Address>> = files.map(|file| (file.clone(), Vec::new())).collect();
        let parts = if files.is_empty() { BTreeMap::new() } else { BTreeMap::from([(Like::default(), files)]) };
        Work { parts, constraints: BTreeSet::new() }
    }

    fn on_targets(config: &Config, graph: &TargetGraph, selected: &Selected, call: &Call) -> Result<Work, Error> {
        let settings = inference::InferenceSettings::from_config(config)?;
        let default = toolchains::default_constraints(config);
        let mut constraints_seen: BTreeSet<Vec<String>> = BTreeSet::new();
        let mut parts: BTreeMap<Like, Vec<(&RelPath, &Address)>> = BTreeMap::new();
        for target in selected.targets.iter().filter_map(|address| graph.get(address)) {
            if !is_worked_on(call, target) {
                continue;
            }
            let own = own_constraints(target);
            let constraints = own.as_ref().unwrap_or(&default);
            let like = match call.partition {
                Partition::Files => Like::default(),
                Partition::Constraints => Like { constraints: constraints.clone(), resolve: None },
                Partition::Closure => {
                    let resolve = Some(resolve_of(target, &settings).to_owned());
                    Like { constraints: constraints.clone(), resolve }
                }
            };
            if !constraints_seen.contains(constraints) {
                constraints_seen.insert(constraints.clone());
            }
            parts.entry(like).or_default().extend(target.sources.iter().map(|file| (file, &target.address)));
        }
        let parts = parts.into_iter().map(|(like, files)| (like, by_file(files))).collect();
        Ok(Work { parts, constraints: constraints_seen })
    }

    /// Of all parts; a file may be in several.
    pub fn files(&self) -> impl Iterator<Item = &RelPath> {
        self.parts.values().flat_map(BTreeMap::keys)
    }
}

fn is_worked_on(call: &Call, target: &Target) -> bool {
    let is_set = |field: &String| target.fields.get(field).and_then(|value| value.as_bool()).unwrap_or(false);
    call.targets.contains(&target.kind) && !call.skip_fields.iter().any(is_set)
}

fn own_constraints(target: &Target) -> Option<Vec<String>> {
    let own = target.fields.get("interpreter_constraints")?.strings();
    (!own.is_empty()).then(|| own.into_iter().map(str::to_owned).collect())
}

/// In the order of the files, and of the targets of each as they came.
fn by_file(mut files: Vec<(&RelPath, &Address)>) -> BTreeMap<RelPath, Vec<Address>> {
    files.sort_by_key(|(file, _)| *file);
    let of_one = |all: &[(&RelPath, &Address)]| (all[0].0.clone(), all.iter().map(|(_, of)| (*of).clone()).collect());
    files.chunk_by(|(left, _), (right, _)| left == right).map(of_one).collect()
}
