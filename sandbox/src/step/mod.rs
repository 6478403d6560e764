//! Steps on other machines: the files that the program `waders-step` reads and writes. A worker of a remote execution server
//! starts the program in a directory that holds its request and all inputs; it runs the step in the same sandbox as a local
//! run. `run` is the program itself, `output` checks what the step wrote, `echo` shows what it prints. Who sends such directories
//! to workers is not known here.

mod echo;
mod output;
mod run;

use serde::{Deserialize, Serialize};

use crate::{Outcome, Request, Trace, Unsupported};

pub use run::run;

/// The request, a [`StepRequest`] as JSON. All paths here are relative to the directory in which the program is started.
pub const REQUEST: &str = "request";
/// The directory that the worker returns: the only output of the remote action.
pub const OUT: &str = "out";
/// The output directory of the step.
pub const OUT_TREE: &str = "out/tree";
/// The standard output of the step.
pub const OUT_STDOUT: &str = "out/stdout";
/// The standard error of the step.
pub const OUT_STDERR: &str = "out/stderr";
/// The [`StepReport`] as JSON.
pub const OUT_REPORT: &str = "out/report";
/// An empty directory, where the sandbox mounts its root if the directory is the root of the worker's file system.
pub const MOUNT_POINT: &str = "mnt";

/// The exit code if the step succeeded. Servers store results with this code only.
pub const SUCCEEDED: u8 = 0;
/// The exit code if the step ran and failed, or wrote an output that a tree cannot represent.
pub const STEP_FAILED: u8 = 1;
/// The exit code if the step did not run: the request is invalid, or a file could not be read or written.
pub const NOT_RUN: u8 = 2;
/// The exit code if this machine cannot isolate the step, or cannot enforce its limits.
pub const CANNOT_ISOLATE: u8 = 3;

/// What `waders-step` runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepRequest {
    /// The process. The sources of its mounts are relative paths. The entries of a [`MountKind::Copied`](crate::MountKind)
    /// mount may be empty, and are then everything in its source.
    pub request: Request,
    /// The exit codes of a successful process.
    pub success_codes: Vec<i32>,
    /// A file below [`OUT_TREE`] that every successful process writes.
    pub required_output: Option<String>,
    /// Directories below [`OUT_TREE`] that exist before the process starts.
    pub output_dirs: Vec<String>,
}

/// What became of the request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum StepReport {
    /// The process ran.
    Ended {
        /// How it ended, and the isolation that was in force.
        outcome: Outcome,
        /// Why its output cannot be returned: an entry that a tree cannot represent.
        refused: Option<String>,
        /// The files that it named, if it was audited.
        trace: Option<Trace>,
    },
    /// This machine cannot isolate the process, or cannot enforce its limits.
    Unsupported(Unsupported),
    /// The process did not run for another reason.
    Failed(String),
}
