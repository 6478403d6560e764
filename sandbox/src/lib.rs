//! One process in a Linux namespace sandbox that holds only what its request declares.
//!
//! The words: a [`Request`] is plain data, [`probe`] says what this kernel can isolate, a [`Spawner`] is a small
//! single-threaded process that clones a child for each request, an [`Outcome`] is what became of it.
//! Nothing here knows Python, Pants, stores, caches or an async runtime.

mod outcome;
mod request;

pub use outcome::{Exit, Outcome};
pub use request::{Isolation, Limits, Mount, MountKind, Network, Request, Stdio};
