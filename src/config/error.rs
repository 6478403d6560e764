//! What can be wrong with settings, where it stands, and what would help.

use std::fmt;
use std::path::PathBuf;

use crate::base::text::Place;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A settings file, named from the build root.
    File {
        name: String,
        place: Place,
    },
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { name, place } => write!(out, "{name}:{place}"),
            Origin::Variable(name) => write!(out, "environment variable `{name}`"),
            Origin::Flag(spelling) => write!(out, "flag `{spelling}`"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no build root: neither `{cwd}` nor a directory above it holds `pants.toml`", cwd = cwd.display())]
    NoBuildRoot { cwd: PathBuf },
    #[error("reading the settings file `{path}`", path = path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// Where the user wants unknown names to be errors.
    #[error("{message}")]
    Unknown { message: String, hint: Option<String> },
    #[error("{origin}: {message}")]
    Invalid { origin: Origin, message: String, hint: Option<String> },
}

impl Error {
    pub fn invalid(origin: &Origin, message: impl Into<String>) -> Error {
        Error::Invalid { origin: origin.clone(), message: message.into(), hint: None }
    }

    pub fn with_hint(mut self, text: impl Into<String>) -> Error {
        if let Error::Invalid { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// Advice, apart from what happened.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NoBuildRoot { .. } => {
                Some("run inside a repository, or make an empty `pants.toml` in its top directory".to_owned())
            }
            Error::Unreadable { .. } => None,
            Error::Invalid { hint, .. } | Error::Unknown { hint, .. } => hint.clone(),
        }
    }
}

/// Something to tell the user once, that does not stop the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub message: String,
    pub hint: Option<String>,
}
