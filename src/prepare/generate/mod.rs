//! Plans the files that targets generate: one step or several for each target, whose output tree has the paths of the repository.
//! `command` runs the commands of targets. Which targets generate files, and what these are for others, is known by
//! `inference::generated`.

mod command;
mod error;
mod files;
mod inputs;
mod programs;
mod protobuf;
mod thrift;
mod version;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::action::{ActionGraph, Derive, Source, Step, StepId};
use crate::base::{Digest, RelPath};
use crate::engine::executor::Results;
use crate::inference::generated::Generated;
use crate::inference::{InferenceSettings, generated};
use crate::prepare::planner::Shared;
use crate::prepare::{Error as PrepareError, Planner};
use crate::session::Session;
use crate::session::failure::Failure;
use crate::targets::{Address, Target, TargetGraph, kind};

pub use error::Error;

/// The generated files of some targets, planned.
pub struct PlannedGeneration {
    /// The steps.
    pub graph: ActionGraph,
    /// Those to carry out.
    pub steps: Vec<StepId>,
    /// The targets among the given ones that generate files, in order.
    pub targets: Vec<GeneratedTarget>,
}

/// A target that generates files.
pub struct GeneratedTarget {
    /// The target.
    pub address: Address,
    /// Its files, or why they cannot be generated.
    pub tree: Result<Source, Failure>,
}

/// Plans the files that these targets generate. Files that are downloaded or moved are not exported, as in Pants.
pub fn plan(session: &mut Session, targets: &[Address]) -> Result<PlannedGeneration, PrepareError> {
    let dependencies = session.infer_for(&targets.iter().cloned().collect())?;
    session.report_inference(&dependencies, &targets.iter().cloned().collect())?;
    let graph = session.load_graph()?;
    let mut planner = Planner::new(session)?;
    let (mut steps, mut planned) = (Vec::new(), Vec::new());
    for address in targets {
        if graph.get(address).is_none_or(|target| target.object("source").is_some()) {
            continue;
        }
        let tree = planner.generated_files(address).map(|files| files.map(|files| files.tree));
        let tree = match tree {
            Ok(None) => continue,
            // A step that needs the generator fails if that fails.
            Ok(Some(tree)) => {
                let step = planner.actions.add(Step::Derive(Derive {
                    label: format!("files of {address}"),
                    recipe: "overlay-1",
                    parameters: vec![String::new()],
                    parts: vec![tree],
                }));
                steps.push(step);
                Ok(Source::Output(step))
            }
            Err(error) => Err(error.to_failure()),
        };
        planned.push(GeneratedTarget { address: address.clone(), tree });
    }
    planner.session.services.open_sources()?.save()?;
    Ok(PlannedGeneration { graph: planner.actions, steps, targets: planned })
}

/// The tree of generated files, or why they were not generated.
pub fn tree_of(source: Source, results: &Results) -> Result<Digest, Failure> {
    match source {
        Source::Tree(tree) => Ok(tree),
        Source::Output(step) => match results.get(&step) {
            Some(Ok(done)) => Ok(done.tree),
            Some(Err(error)) => Err(Failure::from_step(error)),
            None => Err(Failure::not_started("it was not started")),
        },
    }
}

/// The files that a target generates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::prepare) struct GeneratedFiles {
    /// What they are for targets that depend on them.
    pub kind: Generated,
    /// A tree with their paths in the repository.
    pub tree: Source,
    /// The source roots that they are imported from.
    pub roots: BTreeSet<RelPath>,
}

impl Planner<'_> {
    /// A tree of sources, and the files that these targets generate.
    pub(in crate::prepare) fn with_generated<'t>(
        &mut self,
        sources: Source,
        targets: impl IntoIterator<Item = &'t Address>,
        is_wanted: impl Fn(Generated) -> bool,
    ) -> Result<Source, PrepareError> {
        let trees = self.generated_trees(targets, is_wanted)?;
        Ok(self.overlay("sources with generated files", [vec![sources], trees].concat()))
    }

    /// The trees of the files that these targets generate, as far as files of their kind are wanted.
    pub(in crate::prepare) fn generated_trees<'t>(
        &mut self,
        targets: impl IntoIterator<Item = &'t Address>,
        is_wanted: impl Fn(Generated) -> bool,
    ) -> Result<Vec<Source>, PrepareError> {
        let mut trees = Vec::new();
        for target in targets {
            trees.extend(self.generated_files(target)?.filter(|files| is_wanted(files.kind)).map(|files| files.tree));
        }
        Ok(trees)
    }

    /// The tree of the files that a target generates, at their paths below their source roots; `None` if packages of Python code do
    /// not contain such files.
    pub(in crate::prepare) fn importable_files(&mut self, address: &Address) -> Result<Option<Source>, PrepareError> {
        let Some(files) = self.generated_files(address)?.filter(|files| files.kind != Generated::File) else {
            return Ok(None);
        };
        let mut roots: Vec<String> = files.roots.iter().map(|root| root.as_str().to_owned()).collect();
        // The deepest root first.
        roots.sort_by_key(|root| std::cmp::Reverse(root.matches('/').count() + usize::from(!root.is_empty())));
        Ok(Some(Source::Output(self.actions.add(Step::Derive(Derive {
            label: format!("files of {address} below source roots"),
            recipe: "below-roots-1",
            parameters: roots,
            parts: vec![files.tree],
        })))))
    }

    /// The files that a target generates; `None` if it generates none. Each target is planned once.
    pub(in crate::prepare) fn generated_files(
        &mut self,
        address: &Address,
    ) -> Result<Option<GeneratedFiles>, PrepareError> {
        if let Some(planned) = self.generated.get(address) {
            return Ok(planned.clone()?);
        }
        if self.generating.contains(address) {
            let cycle = self.generating.iter().chain([address]).skip_while(|target| *target != address);
            return Err(Error::Cycle(cycle.cloned().collect()).into());
        }
        self.generating.push(address.clone());
        let planned: Shared<Option<GeneratedFiles>> = self.plan_generated(address).map_err(Arc::new);
        self.generating.pop();
        self.generated.insert(address.clone(), planned.clone());
        Ok(planned?)
    }

    fn plan_generated(&mut self, address: &Address) -> Result<Option<GeneratedFiles>, PrepareError> {
        let graph = self.session.load_graph()?;
        let settings = InferenceSettings::from_config(self.config())?;
        let Some(target) = graph.get(address) else { return Ok(None) };
        let Some(kind) = generated::generated(&graph, target, &settings) else { return Ok(None) };
        let roots = self.session.find_source_roots()?;
        let roots = generated::import_roots(&graph, target, &roots);
        let tree = self.plan_generator(&graph, target)?;
        Ok(Some(GeneratedFiles { kind, tree, roots }))
    }

    fn plan_generator(&mut self, graph: &TargetGraph, target: &Target) -> Result<Source, PrepareError> {
        match target.kind.as_str() {
            "adhoc_tool" | "shell_command" | "experimental_shell_command" => self.plan_command(graph, target),
            "relocated_files" => self.plan_relocated(graph, target),
            kind if kind.starts_with("experimental_wrap_as_") => self.plan_wrapped(graph, target),
            _ if target.object("source").is_some() => self.plan_download(target),
            kind::PROTOBUF_SOURCE => self.plan_protobuf(graph, target),
            kind::THRIFT_SOURCE => self.plan_thrift(graph, target),
            kind::VCS_VERSION => self.plan_version(target),
            kind => Err(Error::Unsupported { target: target.address.clone(), kind: kind.to_owned() }.into()),
        }
    }

    /// One tree of several; the files of different trees may not differ at the same path.
    pub(in crate::prepare) fn overlay(&mut self, label: &str, mut parts: Vec<Source>) -> Source {
        parts.dedup();
        if let [one] = parts[..] {
            return one;
        }
        Source::Output(self.actions.add(Step::Derive(Derive {
            label: label.to_owned(),
            recipe: "overlay-1",
            parameters: vec![String::new(); parts.len()],
            parts,
        })))
    }
}
