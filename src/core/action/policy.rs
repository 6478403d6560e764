//! How a step is carried out and whether its result is cached. Nothing here is part of the action key, because none of it can
//! change the bytes of a successful result.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::outcome::Exit;
use crate::base::{Digest, RelPath};

/// How a step is carried out.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The step's name in progress and errors.
    pub label: String,
    /// What the step works on, such as addresses of targets or paths of files, for the record of the run.
    pub subjects: Vec<String>,
    /// Wall clock time. A step that exceeds it fails, and failures are not cached.
    pub timeout: Option<Duration>,
    /// The number of times that the step is tried until it succeeds, at least 1.
    pub attempts: u32,
    /// How the action cache is used.
    pub cache: CachePolicy,
    /// The environment variable that receives the number of the execution slot, from 0. The planner guarantees that results do
    /// not depend on it.
    pub slot_variable: Option<String>,
    /// The number of slots that the step occupies, at least 1. A step that needs more than there are occupies all of them.
    pub slots: u32,
    /// A file below the output root that every successful process writes. A process that exits with a success code and did not
    /// write it failed.
    pub required_output: Option<RelPath>,
    /// Set for a tool that keeps incremental state.
    pub incremental: Option<Incremental>,
    /// Set for a tool that checks each file independently.
    pub per_file: Option<PerFile>,
    /// The parts of the result that measure or narrate the run, such as durations and logs. A comparison of two results ignores
    /// them.
    pub measurements: Vec<Measurement>,
    /// Whether a worker of a remote execution server may run the step. It must need nothing of this machine but its inputs.
    pub remote: bool,
    /// Whether what the process prints is shown when it has run, although other steps need only its output tree.
    pub show_output: bool,
    /// What the process gets as standard input, in order to talk to the planner.
    pub channel: Option<Arc<Channel>>,
}

impl Policy {
    /// One attempt without a timeout, cached if the exit code is 0.
    pub fn new(label: String) -> Policy {
        Policy {
            label,
            subjects: Vec::new(),
            timeout: None,
            attempts: 1,
            cache: CachePolicy { read: true, write: true, success_codes: vec![0] },
            slot_variable: None,
            slots: 1,
            required_output: None,
            incremental: None,
            per_file: None,
            measurements: Vec::new(),
            remote: false,
            show_output: false,
            channel: None,
        }
    }

    /// Whether a result counts as successful.
    pub fn is_success(&self, exit: Exit) -> bool {
        matches!(exit, Exit::Code(code) if self.cache.success_codes.contains(&code))
    }
}

/// A socket to the planner. The result can depend on what the planner answers, so it is cached only if nothing was asked.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    has_answered: Arc<AtomicBool>,
}

impl Channel {
    /// The process's end of a socket. The planner sets `has_answered` before its first answer.
    pub fn new(socket: OwnedFd, has_answered: Arc<AtomicBool>) -> Channel {
        Channel { socket, has_answered }
    }

    /// The process's end of the socket.
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Whether the planner has answered anything.
    pub fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Acquire)
    }
}

/// How a step uses the action cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// Whether an earlier result may be used.
    pub read: bool,
    /// Whether a successful result is stored for later runs.
    pub write: bool,
    /// Exit codes of successful results, usually only 0. Others are never cached, and cause another attempt.
    pub success_codes: Vec<i32>,
}

/// A tool that keeps incremental state between runs. Its findings must not depend on the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incremental {
    /// The absolute mount point of the state that the step starts from. Nothing is mounted if there is no state.
    pub state_at: String,
    /// The directory below `/out` where the step writes its new state. A symbolic link into `state_at` takes over that file of
    /// the earlier state.
    pub state_out: RelPath,
    /// The digest of the inputs that a state depends on, apart from the images: mainly settings files. A state is used only if
    /// they are unchanged.
    pub state_inputs: Digest,
    /// Whether to start without a state and replace all earlier ones.
    pub discard_state: bool,
}

/// A tool that checks each file independently, so that files known to be clean can be dropped from `argv`. Its findings about
/// a file must not depend on the other files in `argv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerFile {
    /// The number of arguments at the end of `argv` that are files of the input root.
    pub files: usize,
    /// The digest of everything in the input root except these files: mainly settings files.
    pub context: Digest,
    /// A regular expression for output lines that report no finding.
    pub ignored_output: Option<String>,
}

/// A part of a result that measures or narrates the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measurement {
    /// The file below the output root, or with a final `/` a directory, whose list of files does not matter either; `None` for
    /// standard output and standard error.
    pub file: Option<String>,
    /// A regular expression for the bytes that differ from run to run.
    pub pattern: String,
}

impl Measurement {
    /// The standard streams of a program whose result is its output tree alone, such as a build backend.
    pub fn log() -> Measurement {
        Measurement { file: None, pattern: "(?s).+".to_owned() }
    }

    /// A directory below the output root that differs from run to run.
    pub fn directory(path: &str) -> Measurement {
        Measurement { file: Some(format!("{path}/")), pattern: "(?s).+".to_owned() }
    }

    /// Whether this is a part of a file below the output root, or for `None` of a standard stream.
    pub fn concerns(&self, file: Option<&str>) -> bool {
        match (&self.file, file) {
            (Some(own), Some(file)) if own.ends_with('/') => file.starts_with(own.as_str()),
            (own, file) => own.as_deref() == file,
        }
    }
}
