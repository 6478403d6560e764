//! Carries out action graphs: which steps must run, which results are cached, how many run at once, how they end. It knows
//! actions, trees and sandboxes; no target, goal or tool.

pub mod action_cache;
pub mod cancellation;
pub mod error;
pub mod executor;
mod fetch;
pub mod local;
pub mod runner;
mod slots;
mod tree_cache;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::action::Platform;
use crate::base::Digest;
use crate::net;
use crate::store::Store;

pub use action_cache::{ActionCache, Cached};
pub use cancellation::{CancelLevel, Cancellation};
pub use error::Error;
pub use executor::{StepResult, execute};
pub use runner::{Run, Runner};

/// Turns downloaded bytes (a file, and its published name) into a tree of the store.
pub type Unpacker = fn(&Store, &Path, &str) -> Result<Digest, Box<dyn std::error::Error + Send + Sync>>;

/// Computes a tree from parameters and trees. The same arguments give the same tree.
pub type Recipe = fn(&Store, &[String], &[Digest]) -> Result<Digest, Box<dyn std::error::Error + Send + Sync>>;

/// Everything that outlives one graph.
pub struct Engine {
    pub store: Arc<Store>,
    pub cache: Arc<dyn ActionCache>,
    pub runner: Arc<dyn Runner>,
    pub client: net::Client,
    /// By the name that `Fetch::unpack` uses. The number in a name is raised when its trees change.
    pub unpackers: BTreeMap<&'static str, Unpacker>,
    /// By the name that `Derive::recipe` uses, with a number likewise.
    pub recipes: BTreeMap<&'static str, Recipe>,
    /// What the runner enforces.
    pub platform: Platform,
    /// The number of processes at once, at least 1.
    pub parallelism: usize,
}
