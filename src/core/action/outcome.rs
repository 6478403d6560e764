//! The outcome of a process, as the action cache stores it. Why a process could not be run is `engine::Error`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Digest;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It ended with this exit code.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
    /// It was killed at its time limit.
    TimedOut,
    /// The user interrupted the run.
    Interrupted,
    /// It was killed at its memory limit.
    OutOfMemory,
    /// It ended with the exit code of a success, but did not write its required output.
    MissingOutput,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(out, "exit code {code}"),
            Exit::Signal(signal) => write!(out, "signal {signal}"),
            Exit::TimedOut => out.write_str("timed out"),
            Exit::Interrupted => out.write_str("interrupted"),
            Exit::OutOfMemory => out.write_str("out of memory"),
            Exit::MissingOutput => out.write_str("required output is missing"),
        }
    }
}

/// The outcome of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub exit: Exit,
    /// The blob of standard output.
    pub stdout: Digest,
    /// The blob of standard error.
    pub stderr: Digest,
    /// The tree of everything that the process wrote to the output directory.
    pub output: Digest,
    /// Wall clock time.
    pub wall: Duration,
    /// The maximum resident set size of a single process of the step.
    pub max_rss_bytes: u64,
    /// The number of attempts, at least 1.
    pub attempts: u32,
    /// The incremental state that the process started from. Its findings do not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_from: Option<Digest>,
    /// What an audit recorded, if the process was audited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Box<AuditRecord>>,
}

/// What an audit recorded of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// The blob of the read set.
    pub read_set: Digest,
    /// Whether the audit may have changed the result, because signals interrupted system calls that waited for it. Such an
    /// outcome is not cached.
    pub disturbed: bool,
}

/// Where an outcome comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A process ran on this machine.
    Ran,
    /// A process ran on a worker of a remote execution server.
    #[serde(rename = "ran-remotely")]
    RanRemotely,
    /// It was in the action cache of this machine.
    Cached,
    /// It was in the cache of a server.
    #[serde(rename = "cached-remotely")]
    CachedRemotely,
}

impl Origin {
    /// Whether no process ran.
    pub fn is_cached(self) -> bool {
        matches!(self, Origin::Cached | Origin::CachedRemotely)
    }
}
