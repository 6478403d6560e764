//! What became of a request.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Isolation;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    TimedOut,
    /// The caller asked for an end (first SIGINT, then SIGKILL after the grace period or a second ask).
    Interrupted,
    /// The kernel killed it for memory.
    OutOfMemory,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub exit: Exit,
    /// What was really in force.
    pub isolation: Isolation,
    pub wall: Duration,
    pub cpu: Duration,
    pub max_rss_bytes: u64,
    /// Whether `Limits::memory_bytes` was enforced; false also when it was not asked for.
    pub memory_limited: bool,
}

impl Outcome {
    /// Of a sandbox that could not report itself.
    pub(crate) fn unmeasured(exit: Exit, isolation: Isolation) -> Outcome {
        Outcome { exit, isolation, wall: Duration::ZERO, cpu: Duration::ZERO, max_rss_bytes: 0, memory_limited: false }
    }
}
