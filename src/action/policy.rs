//! How a step is carried out and what becomes of its result. Nothing here is hashed: none of it can change the bytes of a
//! successful result.

use std::time::Duration;

use crate::action::outcome::Exit;
use crate::base::{Digest, RelPath};

/// How a step is carried out.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The step's name in progress and errors.
    pub label: String,
    /// Wall clock time. A step that exceeds it fails, and failures are not cached.
    pub timeout: Option<Duration>,
    /// The number of times that the step is tried until it succeeds, at least 1.
    pub attempts: u32,
    pub cache: CachePolicy,
    /// Set to the number of the execution slot, dense from 0. The planner promises that results do not depend on it.
    pub slot_variable: Option<String>,
    /// Set to the number of processes that the step may keep busy.
    pub core_share: Option<CoreShare>,
    pub incremental: Option<Incremental>,
    pub per_file: Option<PerFile>,
}

impl Policy {
    /// One attempt without a timeout, cached if the exit code is 0.
    pub fn new(label: String) -> Policy {
        Policy {
            label,
            timeout: None,
            attempts: 1,
            cache: CachePolicy { read: true, write: true, success_codes: vec![0] },
            slot_variable: None,
            core_share: None,
            incremental: None,
            per_file: None,
        }
    }

    /// Whether a result counts as successful.
    pub fn is_success(&self, exit: Exit) -> bool {
        matches!(exit, Exit::Code(code) if self.cache.success_codes.contains(&code))
    }
}

/// What the action cache is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// Whether an earlier result may be used.
    pub read: bool,
    /// Whether a successful result is stored for later runs.
    pub write: bool,
    /// Exit codes of successful results, usually only 0. Others are never cached, and cause another attempt.
    pub success_codes: Vec<i32>,
}

/// The share of the machine that a step gets which can run several processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreShare {
    /// 0 where all slots are taken: the step does its work in one process.
    pub variable: String,
    pub at_most: usize,
}

/// For a tool that keeps incremental state between runs. The tool promises that its findings do not depend on the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incremental {
    /// The absolute mount point of the state that the step starts from; nothing is mounted without a state.
    pub state_at: String,
    /// The directory below `/out` where the step leaves its new state. A link into `state_at` stands for what is there.
    pub state_out: RelPath,
    /// The inputs besides the images that a state depends on: settings files, mostly. A state is used only where they agree.
    pub state_inputs: Digest,
    /// Start without a state, and replace all earlier ones.
    pub discard_state: bool,
}

/// For a tool that checks each file independently of the others: files known to be clean are dropped from `argv`. The tool
/// promises that for several files it finds what it would find for each one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerFile {
    /// The number of words at the end of `argv` that are files of the input root.
    pub files: usize,
    /// Everything in the input root besides these files: settings files, mostly.
    pub context: Digest,
    /// A regular expression for lines of output that report nothing.
    pub ignored_output: Option<String>,
}
