//! The local action cache and the local runner: outcomes in the store's index, actions in sandboxes of this machine.

pub mod action_cache;
pub(in crate::engine) mod incremental;
pub mod index;
pub mod machine;
mod output;
mod per_file;
pub(in crate::engine) mod read_set;
pub(in crate::engine) mod request;
pub mod rows;
pub mod runner;
mod scrub;
mod terminal;
mod verified_blobs;

pub use action_cache::{LocalActionCache, stored_result};
pub use runner::{LocalRunner, SandboxVariation};
