//! Where a process runs: on this machine, or on a worker of a remote execution server, where a slot is free first. What a worker
//! cannot run, and what it failed to run for its own reasons, runs here.

use crate::action::{Action, Origin, Outcome, StepId};
use crate::engine::runner::Run;
use crate::engine::slots::{Slot, Slots};
use crate::engine::{Error, LocalShare, Workers};

use super::Execution;

/// An occupied slot.
pub(super) enum Place<'e> {
    /// On this machine.
    Here(Slot<'e>),
    /// On a worker.
    Worker(&'e Workers, Slot<'e>),
}

impl Execution {
    /// Waits until a slot is free where the action can run, and occupies it.
    pub(super) async fn place(&self, id: StepId, action: &Action) -> Place<'_> {
        let here = async { Place::Here(self.slots.take(action.policy.slots).await) };
        let Some((workers, slots)) = self.workers(id, action) else { return here.await };
        let worker = async { Place::Worker(workers, slots.take(1).await) };
        match workers.local_share {
            LocalShare::None => worker.await,
            LocalShare::Overflow => tokio::select! { biased; place = worker => place, place = here => place },
            LocalShare::First => tokio::select! { biased; place = here => place, place = worker => place },
        }
    }

    /// The workers that can run an action, and their slots.
    fn workers(&self, id: StepId, action: &Action) -> Option<(&Workers, &Slots)> {
        let workers = self.engine.workers.as_ref()?;
        let is_remote = action.policy.remote && self.wanted.contains(&id) && !self.repeats();
        (is_remote && workers.runner.accepts(action)).then_some((workers, &self.worker_slots))
    }

    /// Runs a process at a place. If the worker fails for its own reasons, the process runs here.
    pub(super) async fn run_at(&self, place: Place<'_>, run: Run<'_>) -> Result<(Origin, Outcome), Error> {
        let slot = match place {
            Place::Here(slot) => slot,
            Place::Worker(workers, slot) => match workers.runner.run(run, &slot).await {
                Err(Error::Worker { .. }) => {
                    drop(slot);
                    let slot = self.slots.take(run.action.policy.slots).await;
                    self.refuse_if_cancelled()?;
                    slot
                }
                outcome => return Ok((Origin::RanRemotely, outcome?)),
            },
        };
        Ok((Origin::Ran, self.engine.runner.run(run, &slot).await?))
    }
}

#[cfg(test)]
mod tests;
