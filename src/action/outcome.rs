//! The outcome of a step, as the action cache stores it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Digest;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    TimedOut,
    Interrupted,
    OutOfMemory,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(out, "exit code {code}"),
            Exit::Signal(signal) => write!(out, "signal {signal}"),
            Exit::TimedOut => out.write_str("timed out"),
            Exit::Interrupted => out.write_str("interrupted"),
            Exit::OutOfMemory => out.write_str("out of memory"),
        }
    }
}

/// The outcome of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub exit: Exit,
    /// The blobs of standard output and standard error.
    pub stdout: Digest,
    pub stderr: Digest,
    /// The tree of everything that the process left in the output directory.
    pub output: Digest,
    /// Wall clock time.
    pub wall: Duration,
    /// The largest resident set of one of its processes.
    pub max_rss_bytes: u64,
    /// The number of attempts that it took, from 1.
    pub attempts: u32,
    /// The incremental state that it started from. The findings do not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_from: Option<Digest>,
}

/// Where an outcome comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    Ran,
    Cached,
}
