//! What a step left behind, as it is kept in the action cache.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Digest;

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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub exit: Exit,
    /// The blob of standard output, and of standard error.
    pub stdout: Digest,
    pub stderr: Digest,
    /// The tree of everything that the process left in `/out`.
    pub output: Digest,
    pub wall: Duration,
    pub max_rss_bytes: u64,
    /// How many attempts it took, from 1.
    pub attempts: u32,
    /// The state of an earlier run that it began with. What it found does not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_with: Option<Digest>,
}

/// Where an outcome comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    Ran,
    Cached,
}
