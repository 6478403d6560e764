//! The interface of a runner, which runs actions. The local implementation, with sandboxes on this machine, is in `local`.

use std::future::Future;
use std::pin::Pin;

use crate::action::{Action, Inputs, Outcome};
use crate::base::Digest;
use crate::engine::slots::Slot;
use crate::engine::{Cancellation, Error};

/// One action to run.
pub struct Run<'r> {
    /// The action.
    pub action: &'r Action,
    /// Its input trees, all of which are in the store.
    pub inputs: &'r Inputs,
    /// The key of the incremental state that the action may start from.
    pub state_key: Option<Digest>,
    /// The slot that the action occupies.
    pub slot: &'r Slot<'r>,
    /// Whether the outcome gets a read set.
    pub audit: bool,
    /// The user's request to stop.
    pub cancellation: &'r Cancellation,
}

/// The future of a run.
pub type Running<'r> = Pin<Box<dyn Future<Output = Result<Outcome, Error>> + Send + 'r>>;

/// Runs actions. A process that ran and failed is an outcome, not an error.
pub trait Runner: Send + Sync {
    /// Runs an action until one attempt succeeds or all are used up.
    fn run<'r>(&'r self, run: Run<'r>) -> Running<'r>;
}
