//! The interface of a runner, which runs actions. `local` has the implementation with sandboxes on this machine, `remote` that with
//! the workers of a server.

use std::future::Future;
use std::pin::Pin;

use crate::action::{Action, Inputs, Outcome};
use crate::base::Digest;
use crate::engine::slots::Slot;
use crate::engine::{Cancellation, Error, LiveOutput};

/// One action to run.
#[derive(Clone, Copy)]
pub struct Run<'r> {
    /// The action.
    pub action: &'r Action,
    /// Its input trees, all of which are in the store.
    pub inputs: &'r Inputs,
    /// The key of the incremental state that the action may start from.
    pub state_key: Option<Digest>,
    /// Whether the outcome gets a read set.
    pub audit: bool,
    /// Whether the result may be that of an earlier run of the same action, which another machine made.
    pub reuse: bool,
    /// Where what the process prints is shown while it runs, if the user asks for that.
    pub live: Option<&'r LiveOutput<'r>>,
    /// The user's request to stop.
    pub cancellation: &'r Cancellation,
}

/// The future of a run.
pub type Running<'r> = Pin<Box<dyn Future<Output = Result<Outcome, Error>> + Send + 'r>>;

/// Runs actions. A process that ran and failed is an outcome, not an error.
pub trait Runner: Send + Sync {
    /// Whether the runner can run an action at present.
    fn accepts(&self, action: &Action) -> bool;

    /// Runs an action, which occupies `slot`, until one attempt succeeds or all are used up.
    fn run<'r>(&'r self, run: Run<'r>, slot: &'r Slot<'r>) -> Running<'r>;
}
