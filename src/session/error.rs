//! Why the session refuses something: the repository, the selection, the store, the network, toolchains and steps. What
//! planning and goals refuse themselves is in their own rooms.

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::ErrorKind;
use crate::inference;
use crate::{base, config, engine, net, store, targets, toolchain};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Select(#[from] targets::select::Error),
    #[error(transparent)]
    Filter(#[from] targets::filter::Error),
    #[error("cannot determine which files changed")]
    Git(#[from] super::git::Error),
    #[error("`--changed-since` and `--changed-diffspec` cannot be combined with specs: `{}`", .0.join(" "))]
    SpecsAndChanged(Vec<String>),
    #[error("cannot read `{}`, which `--spec-files` names", path.display())]
    SpecFile { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Net(#[from] net::Error),
    #[error(transparent)]
    Sandbox(#[from] waders_sandbox::Error),
    #[error(transparent)]
    Toolchain(#[from] toolchain::Error),
    #[error(transparent)]
    Sources(#[from] super::sources::Error),
    #[error(transparent)]
    Inference(#[from] inference::settings::Error),
    #[error(transparent)]
    SourceRoots(#[from] inference::source_root::Error),
    #[error(transparent)]
    Indexes(#[from] config::index::Error),
    #[error(transparent)]
    Path(#[from] base::rel_path::ParseError),
    #[error("{}", .0.whole())]
    Step(Arc<engine::Error>),
    #[error("cannot write `{}`", path.display())]
    Output { path: PathBuf, source: std::io::Error },
    #[error("no home directory for the store")]
    NoHome,
    #[error(transparent)]
    Log(#[from] crate::report::log::Error),
    #[error("cannot start threads")]
    Threads(#[source] std::io::Error),
    #[error("no Python version configured: `interpreter_constraints` is not set")]
    NoConstraints,
    #[error("the toolchain has no interpreter")]
    NoInterpreter,
    #[error("Python cannot evaluate BUILD files: {0}")]
    NotInterpreted(String),
    #[error("BUILD files have {0} errors")]
    Broken(usize),
    #[error("visibility rules forbid {0} of the dependencies")]
    Forbidden(usize),
    #[error("interrupted by user")]
    Interrupted,
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Error {
        Error::Step(Arc::new(error))
    }
}

impl Error {
    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Store(error) | Error::Sources(super::sources::Error::Store(error)) => error.kind(),
            Error::NoHome => ErrorKind::Store,
            Error::Net(error) => error.kind(),
            Error::Sandbox(_) => ErrorKind::Sandbox,
            Error::Toolchain(error) => error.kind(),
            Error::Step(error) => error.kind(),
            _ => ErrorKind::Mistake,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let advice = match self {
            Error::Select(error) => return error.hint().map(str::to_owned),
            Error::Filter(error) => return error.hint(),
            Error::Git(_) => {
                "`--changed-since` and `--changed-diffspec` need git, and the build root in a git repository"
            }
            Error::SpecsAndChanged(_) => "remove the specs or the flag",
            Error::Log(error) => return error.hint(),
            Error::Net(error) => return error.hint(None),
            Error::Sandbox(error) => return error.hint().map(str::to_owned),
            Error::Toolchain(error) => return error.hint(),
            Error::Step(error) => return error.hint(),
            Error::Store(error) | Error::Sources(super::sources::Error::Store(error)) => return error.hint(),
            Error::NoConstraints => {
                "set it in the section `[python]` of `pants.toml`, such as `interpreter_constraints = [\"CPython==3.11.*\"]`"
            }
            Error::NoHome => "set `XDG_CACHE_HOME`, or `dir` in the section `[store]` of `waders.toml`",
            _ => return None,
        };
        Some(advice.to_owned())
    }
}
