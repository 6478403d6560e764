//! The result of a request: how the step ended and what it used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Isolation, Trace};

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// The leader exited with this code, 0 to 255.
    Code(i32),
    /// A signal with this number, as in signal(7), ended the leader.
    Signal(i32),
    /// [`Limits::timeout`](crate::Limits::timeout) expired.
    TimedOut,
    /// The caller cancelled the step.
    Interrupted,
    /// The kernel killed a process of the step because the memory limit was reached.
    OutOfMemory,
}

/// The result of a request whose program was executed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// How the step ended.
    pub exit: Exit,
    /// The isolation level that was in force.
    pub isolation: Isolation,
    /// Wall clock time from exec to the end of the leader.
    pub wall: Duration,
    /// User and system time of all processes of the step.
    pub cpu: Duration,
    /// Peak resident memory of the largest single process, in bytes.
    pub max_rss_bytes: u64,
    /// Whether [`Limits::memory_bytes`](crate::Limits::memory_bytes) was in force until the end. False if the request sets no
    /// limit, or if another program disabled the control group during the step.
    pub memory_limited: bool,
    /// What the step named, if its request asks for an audit. `None` also if the kernel killed the step for its memory. Travels
    /// as a memory file.
    #[serde(skip)]
    pub trace: Option<Trace>,
}

impl Outcome {
    /// The outcome of a sandbox whose init died before it could report.
    pub(crate) fn unmeasured(exit: Exit, isolation: Isolation) -> Outcome {
        let (wall, cpu, max_rss_bytes, memory_limited, trace) = Default::default();
        Outcome { exit, isolation, wall, cpu, max_rss_bytes, memory_limited, trace }
    }
}
