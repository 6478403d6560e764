//! Runs that are compared with another one (`recording`): every result is recorded, and in the second run every step is carried out
//! again, while those that need it get the result of the first run.

use super::{Execution, StepResult};
use crate::action::{Action, CacheUse, Inputs, Origin, Outcome, StepId, describe, key};
use crate::base::Digest;
use crate::engine::action_cache::Cached;
use crate::engine::recording::is_repeatable;
use crate::engine::{Error, RecordedResult};

impl Execution {
    /// Runs an action again for a comparison with its first outcome, which is then the result.
    pub(super) async fn repeat(&self, id: StepId, action: &Action, inputs: &Inputs) -> Result<StepResult, Error> {
        let key = key(&action.command, inputs, &self.engine.platform);
        let cache_use = CacheUse { key: Some(key), ..CacheUse::default() };
        let first = match self.reference(key) {
            Some(RecordedResult::Process(outcome) | RecordedResult::Network(outcome)) => Some(outcome),
            _ => None,
        };
        if let Some(outcome) = first.filter(|_| !is_repeatable(action)) {
            self.compare_process(id, action, inputs, outcome);
            return Ok(self.reused(id, action, (Origin::Cached, outcome.clone()), Cached::Under(key), cache_use));
        }
        let repeated = self.run_now(id, action, action, inputs, false).await?;
        Ok(first.map_or(repeated, |outcome| StepResult::from_process(Origin::Ran, outcome.clone(), None, cache_use)))
    }

    /// Records the result of a step, if the run is compared with another one.
    pub(super) fn compare(
        &self,
        id: StepId,
        key: Digest,
        result: RecordedResult,
        inputs: impl FnOnce() -> Vec<String>,
    ) {
        if let (Some(recording), Some(place)) = (&self.engine.recording, &self.place) {
            recording.add((&self.graph, place, id), key.to_string(), result, inputs());
        }
    }

    pub(super) fn compare_process(&self, id: StepId, action: &Action, inputs: &Inputs, outcome: &Outcome) {
        if self.engine.recording.is_none() {
            return;
        }
        let key = key(&action.command, inputs, &self.engine.platform);
        let lines = || describe::action(&action.command, inputs, &self.engine.platform);
        self.compare(id, key, RecordedResult::of_process(action, outcome.clone()), lines);
    }

    /// Whether every step is carried out again, for a comparison with a first run.
    pub(super) fn repeats(&self) -> bool {
        self.engine.recording.as_ref().is_some_and(|recording| recording.repeats())
    }

    /// The result of the first run under a key.
    pub(super) fn reference(&self, key: Digest) -> Option<&RecordedResult> {
        self.engine.recording.as_ref()?.reference(&key.to_string())
    }
}

/// The key of a tree in a record.
pub(super) fn tree_key(key: [u8; 32]) -> Digest {
    Digest::new(key, 0)
}
