//! Why a request has no outcome. Errors travel over the spawner's socket, so they are plain data. Which kernel features
//! are missing, and the remedies, are in `kernel`.

use std::io;

use serde::{Deserialize, Serialize};

use crate::Unsupported;
use crate::kernel::unsupported_namespaces;

/// Why a request could not be run. A step that ran and failed is an [`Outcome`](crate::Outcome), not an error.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum Error {
    /// A system call failed while a sandbox was being set up or supervised.
    #[error("cannot {operation}")]
    System {
        /// The operation as an infinitive with its object: "open the directory `/in`".
        operation: String,
        /// The system's answer.
        #[source]
        cause: Cause,
    },
    /// This machine cannot isolate the step as the request demands. [`Error::hint`] returns the remedy.
    #[error("cannot isolate the step: {0}")]
    Unsupported(Unsupported),
    /// A file that should be copied has other content than the request describes: its storage is damaged.
    #[error("the original of `{path}` is damaged: {why}")]
    DamagedSource {
        /// Relative to the mount point.
        path: String,
        /// The difference.
        why: String,
    },
    /// The container was set up, but execve(2) refused the program.
    #[error("cannot execute `{program}` in the sandbox")]
    Exec {
        /// `argv[0]`, a path inside the sandbox.
        program: String,
        /// The system's answer.
        #[source]
        cause: Cause,
    },
    /// The request contradicts itself or exceeds a fixed limit.
    #[error("invalid request: {0}")]
    Request(String),
    /// The spawner's process ended, or closed its socket, before it reported an outcome.
    #[error("the spawner ended before the step did")]
    SpawnerGone,
    /// The sandbox's init ended without a report.
    #[error("the sandbox ended without a report")]
    SandboxGone,
}

impl Error {
    /// Reinterprets a failed system call as a missing kernel feature. Only for operations that do not depend on a
    /// request: there, a failure is a property of the machine.
    pub(crate) fn into_unsupported(self) -> Error {
        match self {
            Error::System { operation, cause } => Error::Unsupported(unsupported_namespaces(&operation, cause)),
            other => other,
        }
    }

    /// The remedy: what the user can do now. `None` if it is not known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Error::Unsupported(unsupported) => Some(&unsupported.remedy),
            _ => None,
        }
    }
}

/// An errno that can be serialised over the socket. Displayed like [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause(
    /// A value of errno(3).
    pub i32,
);

impl std::fmt::Display for Cause {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        io::Error::from_raw_os_error(self.0).fmt(out)
    }
}

impl std::error::Error for Cause {}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Cause {
        Cause(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl From<nix::Error> for Cause {
    fn from(error: nix::Error) -> Cause {
        Cause(error as i32)
    }
}

/// Adds the failed operation to an errno, which makes it an [`Error::System`].
pub(crate) trait Context<T> {
    /// `operation` completes the sentence "cannot …".
    fn context(self, operation: impl Into<String>) -> Result<T, Error>;
    /// The same with text that is formatted only in case of an error.
    fn with_context(self, operation: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<Cause>> Context<T> for Result<T, E> {
    fn context(self, operation: impl Into<String>) -> Result<T, Error> {
        self.map_err(|cause| Error::System { operation: operation.into(), cause: cause.into() })
    }

    fn with_context(self, operation: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|cause| Error::System { operation: operation(), cause: cause.into() })
    }
}
