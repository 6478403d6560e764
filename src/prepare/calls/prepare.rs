//! Calls and their files to one graph of actions: a process a batch. What cannot be prepared is told with its reason and
//! does not stop the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use uv_pep440::Version;

use crate::action::{ActionGraph, Source, Step, StepId};
use crate::base::RelPath;
use crate::config::Config;
use crate::plan::batches;
use crate::plan::requirements::Wanted;
use crate::plan::tool_run::{self, ToolBatch, ToolOptions};
use crate::prepare::calls::surroundings::{Around, Surroundings, World};
use crate::prepare::calls::work::Like;
use crate::prepare::calls::{Enabled, Work};
use crate::prepare::interpreters::Pythons;
use crate::session::{Error, Session, toolchains};
use crate::store::{Node, Tree};
use crate::targets::Address;
use crate::toolchain::Constraints;
use crate::tools::Partition;

/// The bytes that files have now: the repository's, or what earlier tools made of them.
pub type Contents = BTreeMap<RelPath, Node>;

pub struct Prepared {
    pub graph: ActionGraph,
    pub calls: Vec<PreparedCall>,
}

/// All processes of one call.
pub struct PreparedCall {
    pub enabled: Enabled,
    pub batches: Vec<PreparedBatch>,
}

pub struct PreparedBatch {
    pub files: Vec<RelPath>,
    /// What sets its files apart from the call's others, in words.
    pub partition: Option<String>,
    pub timeout: Option<Duration>,
    /// Or why there is none.
    pub step: Result<StepId, Error>,
}

/// `goal` is whose `batch_size` and `timeout` hold.
pub fn prepare(
    session: &mut Session,
    goal: &str,
    works: &[(Enabled, Work)],
    contents: &Contents,
) -> Result<Prepared, Error> {
    let empty = session.services.open_store()?.name_tree(&Tree::default())?;
    let world = World::of(session, works)?;
    let contents = contents.iter().collect();
    let mut preparation = Preparation {
        pythons: Pythons::new(session, empty),
        graph: ActionGraph::default(),
        surroundings: Surroundings::new(session, &world)?,
        goal,
        timeout: number(session.config(), goal, "timeout").map(|seconds| Duration::from_secs(seconds as u64)),
        contents,
    };
    let mut calls = Vec::new();
    for (enabled, work) in works {
        let batches = preparation.call(session, enabled, work)?;
        calls.push(PreparedCall { enabled: enabled.clone(), batches });
    }
    Ok(Prepared { graph: preparation.graph, calls })
}

fn number(config: &Config, goal: &str, option: &str) -> Option<usize> {
    config.integer(goal, option).and_then(|number| usize::try_from(number).ok())
}

/// `own` is the tool's, which holds unless the user wants fewer.
fn batch_size(config: &Config, goal: &str, own: Option<usize>) -> usize {
    let size = number(config, goal, "batch_size").unwrap_or(128);
    match own {
        Some(own) if config.is_default(goal, "batch_size") => own,
        Some(own) => own.min(size),
        None => size,
    }
}

struct Preparation<'p> {
    pythons: Pythons,
    graph: ActionGraph,
    surroundings: Surroundings<'p>,
    /// Whose `batch_size` holds.
    goal: &'p str,
    timeout: Option<Duration>,
    contents: FxHashMap<&'p RelPath, &'p Node>,
}

impl Preparation<'_> {
    fn call(&mut self, session: &mut Session, enabled: &Enabled, work: &Work) -> Result<Vec<PreparedBatch>, Error> {
        let size = batch_size(session.config(), self.goal, enabled.tool.batch_size);
        let mut cut: Vec<(&Like, Vec<RelPath>)> = Vec::new();
        for (like, targets) in &work.parts {
            let files: Vec<RelPath> =
                targets.keys().filter(|file| self.contents.contains_key(*file)).cloned().collect();
            cut.extend(batches::cut(&files, size).into_iter().map(|files| (like, files.to_vec())));
        }
        let config = session.config();
        let around = |(like, files): &(&Like, Vec<RelPath>)| {
            let own: Vec<(&RelPath, &Node)> = files.iter().map(|file| (file, self.contents[file])).collect();
            let targets: BTreeSet<&Address> = files.iter().flat_map(|file| &work.parts[*like][file]).collect();
            self.surroundings.of(config, enabled, &own, &targets)
        };
        // Of all files' names and digests: most of the work of a run in which nothing changed.
        let around: Vec<Result<Around, Error>> = cut.par_iter().map(around).collect();
        let mut batches = Vec::new();
        for ((like, files), around) in cut.into_iter().zip(around) {
            let step = around.and_then(|around| self.batch(session, enabled, work, (like, &files, around)));
            let partition = (work.parts.len() > 1).then(|| like.in_words());
            batches.push(PreparedBatch { files, partition, timeout: self.timeout, step });
        }
        Ok(batches)
    }

    fn batch(
        &mut self,
        session: &mut Session,
        enabled: &Enabled,
        work: &Work,
        (like, files, around): (&Like, &[RelPath], Around),
    ) -> Result<StepId, Error> {
        let Enabled { tool, call } = enabled;
        let constraints = match like.constraints.is_empty() {
            true => self.own_constraints(session, enabled, work)?,
            false => like.constraints.clone(),
        };
        let wanted = around.wanted.filter(|wanted| *wanted != Wanted::default());
        let images = self.pythons.images(session, &mut self.graph, &constraints, tool, wanted)?;
        let batch = ToolBatch {
            label: label(&call.name, files),
            files: files.to_vec(),
            input_root: Source::Tree(around.tree),
            context: around.fits,
            images,
            source_roots: around.source_roots,
        };
        let options = ToolOptions { timeout: self.timeout, ..ToolOptions::from_config(tool, session.config()) };
        Ok(self.graph.add(Step::Run(Box::new(tool_run::action(tool, call, &options, &batch)))))
    }

    /// Of a tool that runs none of the repository's code: as its section says, else one that can read all that code.
    fn own_constraints(&mut self, session: &mut Session, enabled: &Enabled, work: &Work) -> Result<Vec<String>, Error> {
        let (config, tool) = (session.config(), &enabled.tool);
        let own = config.list(&tool.scope, "interpreter_constraints");
        if !own.is_empty() {
            return Ok(own.into_iter().map(str::to_owned).collect());
        }
        let of_resolve = config.text(&tool.scope, "install_from_resolve").and_then(|resolve| {
            let constraints = config.dict("python", "resolves_to_interpreter_constraints").get(resolve)?.as_array()?;
            Some(constraints.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect())
        });
        if let Some(constraints) = of_resolve {
            return Ok(constraints);
        }
        let candidates = match (enabled.call.build_files, work.constraints.is_empty()) {
            (true, _) => BTreeSet::from([toolchains::constraints_of_build_files(session)?]),
            (false, true) => BTreeSet::from([toolchains::default_constraints(session.config())]),
            (false, false) => work.constraints.clone(),
        };
        self.newest(session, candidates, tool.python.as_deref())
    }

    /// Of several, those whose interpreter is the newest; where the built-in lock does not fit that, what does.
    fn newest(
        &mut self,
        session: &mut Session,
        candidates: BTreeSet<Vec<String>>,
        python: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        let admitted = python.map(|python| Constraints::parse(&[python.to_owned()])).transpose()?;
        let mut found: Option<(Version, Vec<String>)> = None;
        for constraints in candidates {
            let version = self.pythons.version(session, &mut self.graph, &constraints)?;
            if found.as_ref().is_none_or(|(newest, _)| version > *newest) {
                found = Some((version, constraints));
            }
        }
        let fits = |version: &Version| admitted.as_ref().is_none_or(|admitted| admitted.allow(&version.to_string()));
        match (found, python) {
            (Some((version, constraints)), _) if fits(&version) => Ok(constraints),
            (_, Some(python)) => Ok(vec![format!("CPython{python}")]),
            (_, None) => Err(Error::NoInterpreter),
        }
    }
}

/// `black: src/a.py and 3 other files`.
fn label(name: &str, files: &[RelPath]) -> String {
    match files {
        [] => name.to_owned(),
        [one] => format!("{name}: {one}"),
        [first, others @ ..] => format!("{name}: {first} and {} other files", others.len()),
    }
}

/// Whether a call's processes see more than their batch.
pub fn sees_closures(enabled: &Enabled) -> bool {
    enabled.call.partition == Partition::Closure || enabled.call.sees_dependencies
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tools_own_batch_size_holds_unless_the_user_wants_fewer() {
        let check = |set: Option<usize>, own: Option<usize>, expected: usize| {
            let config = Config::of(set.map(|size| ("lint", "batch_size", json!(size))));
            assert_eq!(batch_size(&config, "lint", own), expected, "{set:?} {own:?}");
        };
        check(None, None, 128);
        check(None, Some(320), 320);
        check(Some(1024), Some(320), 320);
        check(Some(16), Some(320), 16);
        check(Some(16), None, 16);
    }
}
