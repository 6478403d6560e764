//! The selected files that a call works on, and their partitions: files in different partitions never share a process.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::config::Config;
use crate::inference::{self, resolve_of};
use crate::prepare::Error;
use crate::prepare::calls::{EnabledCall, quality};
use crate::session::{Session, selection, toolchains};
use crate::targets::{Address, Target, TargetGraph};
use crate::tools::{Call, Partition};

/// What files of one partition have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionKey {
    /// Interpreter constraints; empty where the tool's own interpreter is used.
    pub constraints: Vec<String>,
    /// The resolve; `None` where the call does not depend on it.
    pub resolve: Option<String>,
}

/// Files and the targets that own them.
pub type FileTargets = BTreeMap<RelPath, Vec<Address>>;

/// The files of one call by partition, each with the targets that own it, if any.
#[derive(Clone, Debug, Default)]
pub struct Partitions {
    /// The files of each partition.
    pub by_key: BTreeMap<PartitionKey, FileTargets>,
    /// The interpreter constraints of all targets.
    pub constraints: BTreeSet<Vec<String>>,
}

/// A call and its files.
#[derive(Clone, Debug)]
pub struct PartitionedCall {
    /// The call.
    pub enabled: EnabledCall,
    /// Its files.
    pub partitions: Partitions,
}

/// The targets and files that the command line selects.
pub struct Selection {
    targets: Vec<Address>,
    /// Empty where every call works on targets.
    files: Vec<RelPath>,
}

impl PartitionKey {
    /// Describes the partition in the words of Pants.
    pub fn describe(&self) -> String {
        let constraints = self.constraints.iter().map(|text| format!("'{text}'")).collect::<Vec<_>>().join(", ");
        match &self.resolve {
            Some(resolve) => format!("{resolve}, [{constraints}]"),
            None => format!("[{constraints}]"),
        }
    }
}

impl Selection {
    /// Everything selected that the calls can work on.
    pub fn load(session: &mut Session, calls: &[EnabledCall]) -> Result<Selection, Error> {
        let wants_files = calls.iter().any(|enabled| enabled.call.targets.is_empty());
        let files = if wants_files { selection::selected_files(session)? } else { Vec::new() };
        Ok(Selection { targets: selection::with_generated(session)?, files })
    }

    /// The sources that these calls work on, and perhaps some that they skip.
    pub fn sources<'s>(&'s self, graph: &'s TargetGraph, calls: &[EnabledCall]) -> Vec<&'s RelPath> {
        let targets = self.targets.iter().filter_map(|address| graph.get(address));
        let is_source = |target: &&Target| calls.iter().any(|enabled| enabled.call.targets.contains(&target.kind));
        targets.filter(is_source).flat_map(|target| &target.sources).collect()
    }
}

impl Partitions {
    /// The selected files that the call works on.
    pub fn select(
        config: &Config,
        graph: &TargetGraph,
        selection: &Selection,
        enabled: &EnabledCall,
    ) -> Result<Partitions, Error> {
        if enabled.call.build_files {
            return Ok(Partitions::from_files(selection.files.iter().filter(|file| graph.is_build_file(file))));
        }
        if let Some(target) = enabled.target.as_ref().and_then(|target| graph.get(target)) {
            let (included, excluded) = quality::globs(target)?;
            let is_included = |file: &&RelPath| included.matches(file.as_str()) && !excluded.matches(file.as_str());
            return Ok(Partitions::from_files(selection.files.iter().filter(is_included)));
        }
        let Some(option) = &enabled.call.globs else {
            return Partitions::from_targets(config, graph, selection, &enabled.call);
        };
        let globs = |option: &str| Globs::compile(config.list(&enabled.tool.scope, option)).map_err(Error::ToolGlobs);
        let included = globs(option)?;
        let excluded = enabled.call.except_globs.as_deref().map(globs).transpose()?;
        let is_included = |file: &&RelPath| {
            let file = file.as_str();
            included.matches(file) && !excluded.as_ref().is_some_and(|excluded| excluded.matches(file))
        };
        Ok(Partitions::from_files(selection.files.iter().filter(is_included)))
    }

    /// One partition of files without targets.
    pub fn from_files<'f>(files: impl Iterator<Item = &'f RelPath>) -> Partitions {
        let files: FileTargets = files.map(|file| (file.clone(), Vec::new())).collect();
        let by_key =
            if files.is_empty() { BTreeMap::new() } else { BTreeMap::from([(PartitionKey::default(), files)]) };
        Partitions { by_key, constraints: BTreeSet::new() }
    }

    fn from_targets(
        config: &Config,
        graph: &TargetGraph,
        selection: &Selection,
        call: &Call,
    ) -> Result<Partitions, Error> {
        let settings = inference::InferenceSettings::from_config(config)?;
        let default = toolchains::default_constraints(config);
        let mut all_constraints: BTreeSet<Vec<String>> = BTreeSet::new();
        let mut by_key: BTreeMap<PartitionKey, Vec<(&RelPath, &Address)>> = BTreeMap::new();
        for target in selection.targets.iter().filter_map(|address| graph.get(address)) {
            if !works_on(call, target) {
                continue;
            }
            let own = own_constraints(target);
            let constraints = own.as_ref().unwrap_or(&default);
            let key = match call.partition {
                Partition::Files => PartitionKey::default(),
                Partition::Constraints => PartitionKey { constraints: constraints.clone(), resolve: None },
                Partition::Closure => {
                    let resolve = Some(resolve_of(target, &settings).to_owned());
                    PartitionKey { constraints: constraints.clone(), resolve }
                }
            };
            if !all_constraints.contains(constraints) {
                all_constraints.insert(constraints.clone());
            }
            by_key.entry(key).or_default().extend(target.sources.iter().map(|file| (file, &target.address)));
        }
        let by_key = by_key.into_iter().map(|(key, files)| (key, by_file(files))).collect();
        Ok(Partitions { by_key, constraints: all_constraints })
    }

    /// The files of all partitions; a file may be in several.
    pub fn files(&self) -> impl Iterator<Item = &RelPath> {
        self.by_key.values().flat_map(BTreeMap::keys)
    }

    /// Describes one of several partitions, and the directory of the project that limits what its process sees; `None` if there is only
    /// one, and no project.
    pub fn describe(&self, key: &PartitionKey, project: Option<&RelPath>) -> Option<String> {
        let partition = (self.by_key.len() > 1).then(|| key.describe());
        let parts: Vec<String> = partition.into_iter().chain(project.map(RelPath::to_string)).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

fn works_on(call: &Call, target: &Target) -> bool {
    let is_set = |field: &String| target.flag(field).unwrap_or(false);
    call.targets.contains(&target.kind) && !call.skip_fields.iter().any(is_set)
}

fn own_constraints(target: &Target) -> Option<Vec<String>> {
    let own = target.strings("interpreter_constraints");
    (!own.is_empty()).then(|| own.into_iter().map(str::to_owned).collect())
}

/// Groups targets by file. The targets of a file stay in the order in which they came.
fn by_file(mut files: Vec<(&RelPath, &Address)>) -> FileTargets {
    files.sort_by_key(|(file, _)| *file);
    let group =
        |all: &[(&RelPath, &Address)]| (all[0].0.clone(), all.iter().map(|(_, address)| (*address).clone()).collect());
    files.chunk_by(|(left, _), (right, _)| left == right).map(group).collect()
}
