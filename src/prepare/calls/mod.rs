//! Calls of tools: what `lint`, `check`, `fmt` and `fix` have in common. `enabled` finds the calls that a goal makes,
//! `partitions` the files of each, `batch_inputs` what a process reads besides its files, `planner` plans the processes, and
//! `reuse` stores their outcomes for a run in which nothing changed. Checkers are planned by `prepare::check`.

mod batch_inputs;
pub mod enabled;
pub mod partitions;
pub mod planner;
pub mod quality;
mod reuse;

use std::collections::BTreeMap;
use std::time::Duration;

use rayon::prelude::*;

use crate::action::{ActionGraph, Exit, StepId};
use crate::base::RelPath;
use crate::config::typed::ToolGoalSettings;
use crate::engine::executor::Results;
use crate::prepare::Error;
use crate::session::failure::Failure;
use crate::session::{Session, execute, sources};
use crate::store::Node;
use partitions::Selection;

pub use enabled::EnabledCall;
pub use partitions::{FileTargets, PartitionKey, PartitionedCall, Partitions};

/// The present content of files: the repository's, or what earlier tools made of them.
pub type Contents = BTreeMap<RelPath, Node>;

/// The processes of several calls, planned.
pub struct PlannedCalls {
    /// The steps of all processes and of what they need.
    pub graph: ActionGraph,
    /// In the order given.
    pub calls: Vec<PlannedCall>,
}

/// The processes of one call.
pub struct PlannedCall {
    /// The call.
    pub enabled: EnabledCall,
    /// The version of the tool, if it is one of the built-in tools; the newest, if interpreters need different ones.
    pub version: Option<String>,
    /// A process for each batch of files.
    pub batches: Vec<PlannedBatch>,
}

/// One process.
pub struct PlannedBatch {
    /// The files that the process works on, sorted.
    pub files: Vec<RelPath>,
    /// Describes the partition of the files; `None` if the call has only one.
    pub partition: Option<String>,
    /// The timeout of the process; `None` for no limit.
    pub timeout: Option<Duration>,
    /// The step, or why it could not be planned.
    pub step: Result<StepId, Failure>,
}

/// The outcomes of all calls of a goal.
#[derive(Default)]
pub struct CallOutcomes {
    /// The calls, whose batches name their steps.
    pub calls: Vec<PlannedCall>,
    /// The outcomes by step.
    pub outcomes: Results,
    /// The files that fixers and formatters were given.
    pub contents: Contents,
    /// Whether some file could not be read, which was reported.
    pub has_unreadable: bool,
}

impl CallOutcomes {
    /// Adds calls of another graph, whose steps are renumbered.
    pub fn add(&mut self, calls: Vec<PlannedCall>, outcomes: Results) {
        let taken = self.outcomes.last_key_value().map_or(0, |(last, _)| last.index() + 1);
        let renumber = |step: StepId| StepId::new(taken + step.index());
        let outcomes = outcomes.into_iter().map(|(step, result)| (renumber(step), result));
        let batch = |batch: PlannedBatch| PlannedBatch { step: batch.step.map(renumber), ..batch };
        let call = |call: PlannedCall| PlannedCall { batches: call.batches.into_iter().map(batch).collect(), ..call };
        self.calls.extend(calls.into_iter().map(call));
        self.outcomes.extend(outcomes);
    }
}

/// Each call with the selected files that it works on; calls without files are left out.
pub fn partition_calls(session: &mut Session, enabled: &[EnabledCall]) -> Result<Vec<PartitionedCall>, Error> {
    let selection = Selection::load(session, enabled)?;
    let (graph, sources) = (session.load_graph()?, session.services.open_sources()?);
    let config = session.config();
    let partition = |enabled: &EnabledCall| {
        let partitions = Partitions::select(config, &graph, &selection, enabled)?;
        Ok((!partitions.by_key.is_empty()).then(|| PartitionedCall { enabled: enabled.clone(), partitions }))
    };
    // At the same time the sources are read, whose digests are needed next. Read errors are reported when they are.
    let read_ahead = || sources.nodes(selection.sources(&graph, enabled));
    let partition_all = || enabled.par_iter().map(partition).collect::<Vec<Result<_, Error>>>();
    let (_, calls) = rayon::join(read_ahead, partition_all);
    calls.into_iter().filter_map(Result::transpose).collect()
}

/// The content of all files that calls work on. A file that cannot be read is reported and left out; the flag says whether
/// there was one.
pub fn read_contents(session: &mut Session, calls: &[PartitionedCall]) -> Result<(Contents, bool), Error> {
    let mut files: Vec<&RelPath> = calls.iter().flat_map(|call| call.partitions.files()).collect();
    // A stable sort is fast on several sorted lists one after the other.
    files.sort();
    files.dedup();
    let sources = session.services.open_sources()?;
    let mut contents = Vec::new();
    let mut has_unreadable = false;
    for (file, node) in sources.nodes(files)? {
        match node {
            Ok(node) => contents.push((file.clone(), node)),
            Err(error @ sources::Error::Store(_)) => return Err(error.into()),
            Err(sources::Error::Read { source, .. }) => {
                has_unreadable = true;
                session.ui.error(&format!("cannot read `{file}`, so tools skip it: {source}"), None);
            }
        }
    }
    sources.save()?;
    Ok((contents.into_iter().collect(), has_unreadable))
}

/// Plans calls on contents and runs them. `goal` is the section whose `batch_size` and `timeout` apply.
pub fn run(
    session: &mut Session,
    goal: &str,
    calls: &[PartitionedCall],
    contents: &Contents,
) -> Result<(Vec<PlannedCall>, Results), Error> {
    run_planned(session, goal, calls, |session| planner::plan(session, goal, calls, contents))
}

/// Runs what `plan` plans for the calls; a second time if the store lost something that only a new plan can restore.
pub fn run_planned(
    session: &mut Session,
    goal: &str,
    calls: &[PartitionedCall],
    plan: impl Fn(&mut Session) -> Result<PlannedCalls, Error>,
) -> Result<(Vec<PlannedCall>, Results), Error> {
    if calls.is_empty() {
        return Ok((Vec::new(), Results::new()));
    }
    let fail_fast = ToolGoalSettings::parse(session.config(), goal).fail_fast;
    let once = |session: &mut Session| {
        let PlannedCalls { graph, calls } = plan(session)?;
        let batches = calls.iter().flat_map(|call| &call.batches);
        let steps: Vec<StepId> = batches.filter_map(|batch| batch.step.as_ref().ok().copied()).collect();
        let outcomes = match fail_fast {
            true => execute::execute_until_failure(session, graph, &steps, |exit| exit != Exit::Code(0))?,
            false => execute::execute(session, graph, &steps, false)?,
        };
        Ok((calls, outcomes))
    };
    execute::with_repair(session, once)
}
