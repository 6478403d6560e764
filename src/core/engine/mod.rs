//! Executes action graphs: which steps must run, which results are cached, how many steps run at once, and how they are
//! cancelled. Targets, goals and tools are unknown here.

pub mod action_cache;
pub mod cancellation;
pub mod error;
pub mod executor;
mod fetch;
mod late_inputs;
pub mod live_output;
pub mod local;
pub mod preserve;
pub mod recording;
pub mod remote;
pub mod runner;
pub mod signed_cache;
mod slots;
mod step_record;
mod tree_cache;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::action::{Fetch, Platform};
use crate::base::Digest;
use crate::net;
use crate::store::Store;

pub use action_cache::{ActionCache, Cached};
pub use cancellation::{CancelLevel, Cancellation};
pub use error::Error;
pub use executor::{StepResult, execute};
pub use late_inputs::{LateInputs, Make, MakeFailure};
pub use live_output::{LiveOutput, OutputStream};
pub use preserve::Preserve;
pub use recording::{Record, RecordedResult, RecordedStep, Recording};
pub use runner::{Run, Runner};
pub use signed_cache::{SignedActionCache, Trust};

/// Whether the read sets of wanted steps are recorded. Not part of action keys: an audit changes no result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audit {
    /// No step is audited.
    #[default]
    Off,
    /// Steps that run are audited. Cached outcomes may have no read set.
    Record,
    /// Every outcome has a read set: a cached one without is not used, and no step starts from incremental state, from which
    /// it would read instead of its inputs.
    Require,
}

/// Turns downloaded bytes (a file, and its published name) into a tree of the store.
pub type Unpacker = fn(&Store, &Path, &str) -> Result<Digest, Box<dyn std::error::Error + Send + Sync>>;

/// Computes a tree from parameters and trees. The same arguments give the same tree.
pub type Recipe = fn(&Store, &[String], &[Digest]) -> Result<Digest, Box<dyn std::error::Error + Send + Sync>>;

/// The workers of a remote execution server.
pub struct Workers {
    /// Runs processes on them.
    pub runner: Arc<dyn Runner>,
    /// The number of concurrent processes, at least 1.
    pub parallelism: usize,
    /// Which of the steps that workers can run are run on this machine.
    pub local_share: LocalShare,
}

/// Which of the steps that workers can run are run on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalShare {
    /// Those for which a slot is free here while none of the workers is.
    Overflow,
    /// All for which a slot is free here.
    First,
    /// Only those that the workers failed to run for their own reasons.
    None,
}

/// The services that execute graphs. They outlive a single graph.
pub struct Engine {
    /// Where inputs and outputs are stored.
    pub store: Arc<Store>,
    /// Where outcomes are cached.
    pub cache: Arc<dyn ActionCache>,
    /// Whether the outcomes of wanted steps are read from the cache and written to it.
    pub use_cache: bool,
    /// Whether records that belong to no single outcome may replace a part of a step: the files known to be clean, and
    /// incremental state. They are not signed, and no action key covers them.
    pub use_partial_results: bool,
    /// Set if the run is compared with another one.
    pub recording: Option<Arc<Recording>>,
    /// Which steps are audited.
    pub audit: Audit,
    /// Whether what processes print is shown while they run.
    pub shows_output: bool,
    /// The steps that are preserved for inspection.
    pub preserve: Preserve,
    /// Runs processes on this machine.
    pub runner: Arc<dyn Runner>,
    /// Runs processes on other machines, if a server is configured.
    pub workers: Option<Workers>,
    /// The cache of a server, if one is configured.
    pub remote: Option<Arc<remote::RemoteCache>>,
    /// Inputs that are made when a step needs one.
    pub late_inputs: LateInputs,
    /// Downloads files.
    pub client: net::Client,
    /// How the user logs in to registries of images.
    pub logins: net::Logins,
    /// By the name in `Fetch::unpack`. The number in a name is raised when the function's trees change.
    pub unpackers: BTreeMap<&'static str, Unpacker>,
    /// By the name in `Derive::recipe`, which ends in such a number, too.
    pub recipes: BTreeMap<&'static str, Recipe>,
    /// The isolation and limits that the runner enforces.
    pub platform: Platform,
    /// The number of concurrent processes, at least 1.
    pub parallelism: usize,
}

impl Engine {
    /// Downloads a file again, whose step has a result in the cache of which the store lost a part. Returns the tree of the step.
    pub fn fetch_again(&self, step: &Fetch) -> Result<Digest, Error> {
        fetch::fetch(self, step)
    }
}
