//! Carries out action graphs: which steps must run, where kept results come from, how many run at once, how they end.
//! It knows actions, trees and sandboxes; no target, goal or tool.

pub mod cache;
pub mod cancellation;
mod each;
pub mod error;
pub mod executor;
mod fetch;
mod run;
mod slots;
mod warm;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use waders_sandbox::{Isolation, Spawner};

use crate::base::Digest;
use crate::net;
use crate::store::Store;

pub use cache::Kept;
pub use cancellation::{CancelLevel, Cancellation};
pub use error::Error;
pub use executor::{StepResult, execute};

/// Turns fetched bytes (a file, and the name it had) into a tree of the store.
pub type Unpacker = fn(&Store, &Path, &str) -> Result<Digest, Box<dyn std::error::Error + Send + Sync>>;

/// Computes a tree from parameters and trees. The same arguments give the same tree.
pub type Recipe = fn(&Store, &[String], &[Digest]) -> Result<Digest, RecipeError>;

pub type RecipeError = Box<dyn std::error::Error + Send + Sync>;

/// All that outlives one graph.
pub struct Engine {
    pub store: Arc<Store>,
    /// Started with the first process that a run needs: often everything is known already.
    pub spawner: OnceCell<Spawner>,
    pub client: net::Client,
    /// By the name that `Fetch::unpack` uses. Raise the number in a name when its trees change.
    pub unpackers: BTreeMap<&'static str, Unpacker>,
    /// By the name that `Derive::recipe` uses, with a number as above.
    pub recipes: BTreeMap<&'static str, Recipe>,
    pub settings: Settings,
}

impl Engine {
    /// Started where this has not happened yet, which takes a few milliseconds.
    async fn spawner(&self) -> Result<&Spawner, waders_sandbox::Error> {
        let start = || async {
            let started = tokio::task::spawn_blocking(Spawner::start).await;
            started.unwrap_or(Err(waders_sandbox::Error::SpawnerGone))
        };
        self.spawner.get_or_try_init(start).await
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// Processes at once, at least 1.
    pub parallelism: usize,
    pub isolation: Isolation,
    /// How long a step may clean up after SIGINT.
    pub grace: Duration,
    pub scratch_bytes: u64,
    pub scratch_inodes: u64,
    /// Processes and threads of one step.
    pub processes: u64,
    /// Of one process.
    pub open_files: u64,
    /// The largest file that a step may write.
    pub file_bytes: u64,
    /// Of one step together, where the kernel lets us limit it.
    pub memory_bytes: Option<u64>,
}
