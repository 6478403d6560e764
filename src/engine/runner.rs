//! What the engine asks of something that runs actions. The local one, with a sandbox on this machine, is in `local`.

use std::future::Future;
use std::pin::Pin;

use crate::action::{Action, Inputs, Outcome};
use crate::base::Digest;
use crate::engine::slots::Slot;
use crate::engine::{Cancellation, Error};

/// One action to run.
pub struct Run<'r> {
    pub action: &'r Action,
    /// All of these trees are in the store.
    pub inputs: &'r Inputs,
    /// Names the runs whose incremental state this one may start from.
    pub state_key: Option<Digest>,
    pub slot: &'r Slot<'r>,
    pub cancellation: &'r Cancellation,
}

/// The future of a run.
pub type Running<'r> = Pin<Box<dyn Future<Output = Result<Outcome, Error>> + Send + 'r>>;

/// Runs actions. A process that ran and failed is an outcome, not an error.
pub trait Runner: Send + Sync {
    /// Runs an action until one attempt succeeds or all are used up.
    fn run<'r>(&'r self, run: Run<'r>) -> Running<'r>;
}
