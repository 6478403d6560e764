//! What can go wrong between a request and its outcome. Errors travel over the spawner's socket, so they are plain data.

use std::io;

use serde::{Deserialize, Serialize};

use crate::Lack;
use crate::kernel::lacks_namespaces;

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum Error {
    #[error("cannot {doing}")]
    System {
        doing: String,
        #[source]
        cause: Cause,
    },
    /// This kernel or container cannot give what the request asks for. [`Error::hint`] says what to do.
    #[error("cannot isolate the step: {0}")]
    Lacking(#[source] Lack),
    #[error("cannot execute `{program}` in the sandbox")]
    Exec {
        program: String,
        #[source]
        cause: Cause,
    },
    #[error("bad request: {0}")]
    Request(String),
    #[error("the spawner ended before the step did")]
    SpawnerGone,
    #[error("the sandbox ended without a report")]
    SandboxGone,
}

impl Error {
    /// What failed before any request was known failed because of this machine.
    pub(crate) fn into_lack(self) -> Error {
        match self {
            Error::System { doing, cause } => Error::Lacking(lacks_namespaces(&doing, cause)),
            other => other,
        }
    }

    /// What the user can do about it, where we know.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Error::Lacking(lack) => Some(&lack.remedy),
            _ => None,
        }
    }
}

/// The world's answer, as an errno: survives the way through the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause(pub i32);

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

/// Says what was being done when the world said no.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl Into<String>) -> Result<T, Error>;
    fn doing_with(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<Cause>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Result<T, Error> {
        self.map_err(|cause| Error::System { doing: what.into(), cause: cause.into() })
    }

    fn doing_with(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|cause| Error::System { doing: what(), cause: cause.into() })
    }
}
