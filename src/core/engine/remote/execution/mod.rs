//! Remote execution: runs actions on the workers of a server, in the sandbox of `waders-step`, so that a result is that of a local
//! run. `runner` is the whole of it; `input` builds what a worker gets, `calls` talks to the execution service, `output` takes the
//! result. Which steps workers run is decided in `engine::executor`.

mod calls;
mod input;
mod live;
mod output;
mod program;
mod runner;
mod trees;

use std::collections::BTreeMap;
use std::time::Duration;

pub use program::{StepProgram, UnusableProgram};
pub use runner::{RemoteRunner, Servers, WorkerSummary};

/// How steps are executed remotely.
#[derive(Clone, Debug)]
pub struct ExecutionSettings {
    /// The platform properties by which the server selects workers.
    pub properties: BTreeMap<String, String>,
    /// The priority of steps among those of other clients; a smaller number is more urgent.
    pub priority: i32,
    /// How long a step may run. The time in the queue of the server does not count.
    pub max_run: Duration,
    /// How long a step may wait in the queue of the server, while no step of the run makes progress there, before it runs on this
    /// machine.
    pub max_queue: Duration,
}
