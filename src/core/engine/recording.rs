//! What a run computed, for a comparison with another run: each step under its key, with its own result. In a repeated run, every
//! step is carried out although its result is cached, and the steps that need it get the result of the first run, so that each
//! step is judged by itself. Records are compared elsewhere.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::action::{Action, ActionGraph, Measurement, Outcome, Step, StepId};
use crate::base::Digest;

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedStep {
    /// The goal that needed it first.
    pub goal: String,
    /// Its name in progress and errors.
    pub label: String,
    /// The name of a requested step that uses it, or its own name, and how many more do.
    pub needed_by: (String, usize),
    /// Its position among the steps of the run: the number of its graph, and its place there, which follows those of the steps that
    /// it needs.
    pub position: (usize, usize),
    /// What its key was computed from, one item a line. Empty for a download.
    pub inputs: Vec<String>,
    /// The parts of its result that measure the run.
    pub measurements: Vec<Measurement>,
    /// Its result.
    pub result: RecordedResult,
}

/// The result of a recorded step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RecordedResult {
    /// A process ran, now or in an earlier run.
    Process(Outcome),
    /// A process ran that uses the network, so it is not repeated.
    Network(Outcome),
    /// A tree was derived from other trees.
    Derived(Digest),
    /// A file was downloaded. Its hash was known before.
    Fetched(Digest),
}

/// Steps by key: the text of a digest, of the action or of the arguments that a tree is derived from.
pub type Record = BTreeMap<String, RecordedStep>;

/// How the steps of a run are recorded.
#[derive(Debug, Default)]
pub struct Recording {
    /// The record of the first run, if this run repeats it.
    pub reference: Option<Record>,
    /// Whether steps that are ready at the same time start in reverse order.
    pub reversed: bool,
    goal: Mutex<String>,
    graphs: AtomicUsize,
    steps: Mutex<Record>,
}

/// The place of a graph's steps in a record.
#[derive(Debug)]
pub(super) struct GraphPlace {
    number: usize,
    needed_by: BTreeMap<StepId, (StepId, usize)>,
}

impl Recording {
    /// The recording of a run that repeats another one.
    pub fn repeating(reference: Record, reversed: bool) -> Recording {
        Recording { reference: Some(reference), reversed, ..Recording::default() }
    }

    /// Records the following steps as those of a goal.
    pub fn start_goal(&self, name: &str) {
        *lock(&self.goal) = name.to_owned();
    }

    /// Everything that was recorded so far.
    pub fn steps(&self) -> Record {
        lock(&self.steps).clone()
    }

    /// Whether steps are carried out although their results are cached.
    pub(super) fn repeats(&self) -> bool {
        self.reference.is_some()
    }

    /// The result of the first run under a key.
    pub(super) fn reference(&self, key: &str) -> Option<&RecordedResult> {
        Some(&self.reference.as_ref()?.get(key)?.result)
    }

    /// The place of a new graph.
    pub(super) fn place(&self, graph: &ActionGraph, wanted: impl Iterator<Item = StepId>) -> GraphPlace {
        let mut needed_by = BTreeMap::new();
        for id in wanted {
            for need in graph.transitive_needs(id).into_iter().chain([id]) {
                needed_by.entry(need).and_modify(|(_, more)| *more += 1).or_insert((id, 0));
            }
        }
        GraphPlace { number: self.graphs.fetch_add(1, Ordering::Relaxed), needed_by }
    }

    /// Records a step. The first result under a key counts: a step can be in several graphs.
    pub(super) fn add(
        &self,
        (graph, place, id): (&ActionGraph, &GraphPlace, StepId),
        key: String,
        result: RecordedResult,
        inputs: Vec<String>,
    ) {
        let (first, more) = place.needed_by.get(&id).copied().unwrap_or((id, 0));
        let measurements = match graph.step(id) {
            Step::Run(action) => action.policy.measurements.clone(),
            Step::Fetch(_) | Step::Derive(_) => Vec::new(),
        };
        let step = RecordedStep {
            goal: lock(&self.goal).clone(),
            label: graph.step(id).label().to_owned(),
            needed_by: (graph.step(first).label().to_owned(), more),
            position: (place.number, id.index()),
            inputs,
            measurements,
            result,
        };
        lock(&self.steps).entry(key).or_insert(step);
    }
}

impl RecordedResult {
    /// The result of a process, by what the process could reach.
    pub(super) fn of_process(action: &Action, outcome: Outcome) -> RecordedResult {
        match is_repeatable(action) {
            true => RecordedResult::Process(outcome),
            false => RecordedResult::Network(outcome),
        }
    }
}

/// Whether a process may be repeated for a comparison: one that talks to the network may get other answers.
pub(super) fn is_repeatable(action: &Action) -> bool {
    !action.command.network && !action.command.terminal && action.policy.channel.is_none()
}

/// No invariant spans these locks, so a panic in another thread leaves the values consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
