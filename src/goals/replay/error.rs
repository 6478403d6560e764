//! Why a bundle cannot be written or replayed.

use std::path::PathBuf;

use crate::base::ErrorKind;
use crate::store;

/// Why a bundle cannot be written or replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not exactly one bundle on the command line.
    #[error("`replay` needs one bundle")]
    OneBundle,
    /// `--create` with words that name no recorded step, or several.
    #[error("a bundle holds one step, but the arguments name {}: {}", .0.len(), .0.join(", "))]
    SeveralSteps(Vec<String>),
    /// A step without a result, or without a process.
    #[error("`{0}` has no result that could be compared")]
    NoResult(String),
    /// A step that another machine cannot repeat.
    #[error("`{label}` cannot be repeated: {why}")]
    NotRepeatable {
        /// The step.
        label: String,
        /// The reason.
        why: &'static str,
    },
    /// The store no longer has something that the step used.
    #[error("the store no longer has everything that `{label}` used")]
    Incomplete {
        /// The step.
        label: String,
        /// What is missing.
        source: store::Error,
    },
    /// The bundle cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The bundle cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is not a valid bundle.
    #[error("`{}` is not a valid bundle", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: store::Error,
    },
    /// The contents of a bundle contradict each other.
    #[error("`{}` is not a valid bundle: {why}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A bundle of another version.
    #[error("`{}` is a bundle of version {found}, and this program reads version {expected}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version of the bundle.
        found: u64,
        /// The version that is read.
        expected: u64,
    },
    /// A step with access to the network, which is not allowed here; the step.
    #[error("`{0}` has access to the network")]
    Network(String),
}

impl Error {
    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Invalid { .. } => ErrorKind::WrongBytes,
            Error::Damaged { source, .. } => source.kind(),
            Error::Write { .. } => ErrorKind::Store,
            _ => ErrorKind::Mistake,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::OneBundle => {
                "write `replay FILE`, or `replay --create=FILE ADDRESS` to write a bundle of a step that ran here"
            }
            Error::SeveralSteps(_) => "name one of them as it is written here",
            Error::NoResult(_) => "run its goal again",
            Error::NotRepeatable { .. } => return None,
            Error::Incomplete { .. } => "run its goal again with `--no-pants-local-cache`, then write the bundle",
            Error::Damaged { .. } | Error::Invalid { .. } => "copy it again, or write it again with `replay --create`",
            Error::Version { .. } => "use the version of Waders that wrote it",
            Error::Network(_) => "`allow_network = true` in the section `[sandbox]` allows it",
            Error::Write { .. } | Error::Read { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
