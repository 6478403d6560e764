//! Errors and warnings about settings, with their origins and hints.

use std::fmt;
use std::path::PathBuf;

use crate::base::text::Place;

/// The source of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A settings file.
    File {
        /// The path, relative to the build root if the file is below it.
        name: String,
        /// The position of the key.
        place: Place,
    },
    /// An environment variable with this name.
    Variable(String),
    /// A flag with this spelling.
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

/// An error in the settings.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages describe the fields")]
pub enum Error {
    /// No directory contains a sentinel file.
    #[error("no build root: neither `{cwd}` nor a parent directory contains `pants.toml` or a project (`pyproject.toml`, `setup.py`, `requirements.txt`)", cwd = cwd.display())]
    NoBuildRoot { cwd: PathBuf },
    /// A settings file cannot be read.
    #[error("cannot read the settings file `{path}`", path = path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// An unknown name, if `[reading] unknown` is `error`.
    #[error("{message}")]
    Unknown { message: String, hint: Option<String> },
    /// A value with a placeholder that cannot be replaced.
    #[error("{origin}: {message}")]
    Undefined { origin: Origin, message: String, hint: Option<String> },
    /// An option that Waders does not support.
    #[error("{origin}: {message}")]
    Unsupported { origin: Origin, message: String, hint: Option<String> },
    /// An invalid value or a syntax error.
    #[error("{origin}: {message}")]
    Invalid { origin: Origin, message: String, hint: Option<String> },
}

impl Error {
    /// An invalid value without a hint.
    pub fn invalid(origin: &Origin, message: impl Into<String>) -> Error {
        Error::Invalid { origin: origin.clone(), message: message.into(), hint: None }
    }

    /// Adds a hint to `Error::Invalid`.
    pub fn with_hint(mut self, text: impl Into<String>) -> Error {
        if let Error::Invalid { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NoBuildRoot { .. } => Some(
                "run the command inside a repository, or create a `pyproject.toml` in its top directory".to_owned(),
            ),
            Error::Unreadable { .. } => None,
            Error::Invalid { hint, .. }
            | Error::Undefined { hint, .. }
            | Error::Unsupported { hint, .. }
            | Error::Unknown { hint, .. } => hint.clone(),
        }
    }
}

/// A warning about the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The message.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
}
