//! Why the session refuses something: the repository, the selection, the store, the network, toolchains and steps. What
//! planning and goals refuse themselves is in their own rooms.

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::ErrorKind;
use crate::inference;
use crate::{base, config, engine, net, store, targets, toolchain};

/// Why the session refuses something.
#[allow(missing_docs, reason = "the messages describe the fields")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A version cannot be computed from git.
    #[error("cannot determine the version from git")]
    Version(#[source] super::git::Error),
    /// The specs select nothing, or are invalid.
    #[error(transparent)]
    Select(#[from] targets::select::Error),
    /// A filter is invalid.
    #[error(transparent)]
    Filter(#[from] targets::filter::Error),
    /// git cannot say which files changed.
    #[error("cannot determine which files changed")]
    Git(#[from] super::git::Error),
    /// Specs and a selection by changes at once; the specs.
    #[error("`--changed-since` and `--changed-diffspec` cannot be combined with specs: `{}`", .0.join(" "))]
    SpecsAndChanged(Vec<String>),
    /// A file of `--spec-files` cannot be read.
    #[error("cannot read `{}`, which `--spec-files` names", path.display())]
    SpecFile { path: PathBuf, source: std::io::Error },
    /// A key cannot be used.
    #[error(transparent)]
    Keys(#[from] super::keys::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A download failed.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// A package cannot be taken from version control.
    #[error(transparent)]
    GitPackage(#[from] super::git_packages::Error),
    /// An image cannot be pushed.
    #[error(transparent)]
    Registries(#[from] super::registries::Error),
    /// An image cannot be built by a program of this machine.
    #[error(transparent)]
    ImageBuilder(#[from] super::image_builder::Error),
    /// This machine cannot isolate steps.
    #[error(transparent)]
    Sandbox(#[from] waders_sandbox::Error),
    /// A toolchain cannot be provided.
    #[error(transparent)]
    Toolchain(#[from] toolchain::Error),
    /// A source file cannot be read or stored.
    #[error(transparent)]
    Sources(#[from] super::sources::Error),
    /// The settings of inference are invalid.
    #[error(transparent)]
    Inference(#[from] inference::settings::Error),
    /// The source roots are invalid.
    #[error(transparent)]
    SourceRoots(#[from] inference::source_root::Error),
    /// The settings of package indexes are invalid.
    #[error(transparent)]
    Indexes(#[from] config::index::Error),
    /// A glob of an option.
    #[error(transparent)]
    Glob(#[from] base::glob::Error),
    /// A path does not lie in the repository.
    #[error(transparent)]
    Path(#[from] base::rel_path::ParseError),
    /// A step could not be carried out.
    #[error("{}", .0.whole())]
    Step(Arc<engine::Error>),
    /// Standard output or a report cannot be written.
    #[error("cannot write `{}`", path.display())]
    Output { path: PathBuf, source: std::io::Error },
    /// A file that another process of this program wrote cannot be read.
    #[error("cannot read `{}`", path.display())]
    ReadFile { path: PathBuf, source: std::io::Error },
    /// Neither the settings nor the environment name a place for the store.
    #[error("no home directory for the store")]
    NoHome,
    /// An option is read whose value has an undefined placeholder.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// `ignore_warnings` is invalid.
    #[error(transparent)]
    IgnoredWarnings(#[from] crate::report::ignored_warnings::Error),
    /// The log cannot be set up.
    #[error(transparent)]
    Log(#[from] crate::report::log::Error),
    /// The runtime cannot start.
    #[error("cannot start threads")]
    Threads(#[source] std::io::Error),
    /// `interpreter_constraints` is not set.
    #[error("no Python version configured: `interpreter_constraints` is not set")]
    NoConstraints,
    /// The toolchain contains no interpreter.
    #[error("the toolchain has no interpreter")]
    NoInterpreter,
    /// The evaluation of BUILD files by Python failed; the message of Python.
    #[error("Python cannot evaluate BUILD files: {0}")]
    NotInterpreted(String),
    /// The number of errors in BUILD files.
    #[error("BUILD files have {0} errors")]
    Broken(usize),
    /// The number of dependencies that visibility rules forbid.
    #[error("visibility rules forbid {0} of the dependencies")]
    Forbidden(usize),
    /// A program of this machine cannot be started.
    #[error("cannot start `{program}`")]
    Start { program: String, source: std::io::Error },
    /// The user stopped the run.
    #[error("interrupted by user")]
    Interrupted,
}

/// Implements `From` for an error type with a variant `Session`, for each error that is converted to a [`session::Error`](Error).
macro_rules! wrap_as_session {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Error {
                Error::Session(error.into())
            }
        })+
    };
}
pub(crate) use wrap_as_session;

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Error {
        Error::Step(Arc::new(error))
    }
}

impl Error {
    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Store(error) => error.kind(),
            Error::Sources(error) => error.kind(),
            Error::NoHome => ErrorKind::Store,
            Error::Net(error) => error.kind(),
            Error::Sandbox(_) => ErrorKind::Sandbox,
            Error::Toolchain(error) => error.kind(),
            Error::GitPackage(error) => error.kind(),
            Error::Step(error) => error.kind(),
            _ => ErrorKind::Mistake,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let advice = match self {
            Error::Select(error) => return error.hint().map(str::to_owned),
            Error::Filter(error) => return error.hint(),
            Error::Git(error) => error.hint(),
            Error::GitPackage(error) => error.hint(),
            Error::Version(_) => "a `vcs_version` needs git, and the build root in a git repository with a commit",
            Error::Keys(error) => return error.hint(),
            Error::SpecsAndChanged(_) => "remove the specs or the flag",
            Error::Config(error) => return error.hint(),
            Error::Log(error) => return error.hint(),
            Error::Net(error) => return error.hint(None),
            Error::ImageBuilder(error) => return error.hint().map(str::to_owned),
            Error::Registries(error) => error.hint(),
            Error::Sandbox(error) => return error.hint().map(str::to_owned),
            Error::Toolchain(error) => return error.hint(),
            Error::Step(error) => return error.hint(),
            Error::Store(error) => return error.hint(),
            Error::Sources(error) => return error.hint(),
            Error::NoConstraints => {
                "set it in the section `[python]` of `pants.toml`, such as `interpreter_constraints = [\"CPython==3.11.*\"]`"
            }
            Error::NoHome => "set `XDG_CACHE_HOME`, or `dir` in the section `[store]` of `waders.toml`",
            _ => return None,
        };
        Some(advice.to_owned())
    }
}
