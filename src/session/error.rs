//! Why the session refuses something: the repository, the selection, the store, the network, toolchains and steps. What
//! planning and goals refuse themselves is in their own rooms.

use std::path::PathBuf;
use std::sync::Arc;

use crate::inference;
use crate::report::ExitCode;
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

/// What the caller of this process needs to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In settings, BUILD files or arguments, or a failure as Pants has them.
    Mistake,
    /// Something to fetch could not be had.
    Unavailable,
    Bug,
    /// This machine cannot isolate steps.
    Sandbox,
    /// The store cannot be written.
    Store,
    /// Bytes do not have the hash that was known before.
    WrongBytes,
    /// A lock is missing or does not fit.
    Lock,
}

impl Kind {
    pub fn exit_code(self) -> ExitCode {
        match self {
            Kind::Mistake => ExitCode::Failure,
            Kind::Unavailable => ExitCode::Unavailable,
            Kind::Bug => ExitCode::Bug,
            Kind::Sandbox => ExitCode::SandboxRefused,
            Kind::Store => ExitCode::StoreUnwritable,
            Kind::WrongBytes => ExitCode::WrongBytes,
            Kind::Lock => ExitCode::LockOutOfDate,
        }
    }
}

impl Error {
    pub fn kind(&self) -> Kind {
        match self {
            Error::Store(_) | Error::NoHome => Kind::Store,
            Error::Net(error) => net_kind(error),
            Error::Sandbox(_) => Kind::Sandbox,
            Error::Toolchain(error) => toolchain_kind(error),
            Error::Sources(super::sources::Error::Store(_)) => Kind::Store,
            Error::Step(error) => step_kind(error),
            _ => Kind::Mistake,
        }
    }

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
            Error::Toolchain(error) => return stored(error).and_then(store::Error::hint).or_else(|| error.hint()),
            Error::Step(error) => return step_hint(error),
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

fn net_kind(error: &net::Error) -> Kind {
    match error {
        net::Error::WrongHash { .. } | net::Error::WrongSize { .. } => Kind::WrongBytes,
        _ => Kind::Unavailable,
    }
}

fn toolchain_kind(error: &toolchain::Error) -> Kind {
    match error {
        toolchain::Error::Net(error) | toolchain::Error::PackageGone { source: error, .. } => net_kind(error),
        toolchain::Error::Store(error) | toolchain::Error::Unpack { source: error, .. } if stored(error).is_some() => {
            Kind::Store
        }
        toolchain::Error::Store(_) => Kind::Store,
        toolchain::Error::Archive { source, .. } => net_kind(source),
        toolchain::Error::Frozen { .. } => Kind::Lock,
        toolchain::Error::Differs { .. } | toolchain::Error::Signature { .. } => Kind::WrongBytes,
        _ => Kind::Mistake,
    }
}

/// What the user can do about a step that could not be carried out.
pub(super) fn step_hint(error: &engine::Error) -> Option<String> {
    match error.root() {
        engine::Error::Store(error) | engine::Error::Capture { source: error, .. } => error.hint(),
        engine::Error::Sandbox { source, .. } => source.hint().map(str::to_owned),
        engine::Error::Fetch { source, .. } => source.hint(None),
        engine::Error::Prepare { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            Some(store::NO_SPACE_HINT.to_owned())
        }
        engine::Error::NotListed { .. } | engine::Error::NotProvided { .. } => Some(INDEX_HINT.to_owned()),
        engine::Error::Unpack { source, .. } => stored(&**source).map_or(Some(ARCHIVE.to_owned()), store::Error::hint),
        engine::Error::Derive { source, .. } => stored(&**source).and_then(store::Error::hint),
        _ => None,
    }
}

/// The store's own error, if that is what lies below.
fn stored<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e store::Error> {
    let mut error = Some(error);
    while let Some(found) = error {
        let boxed = found.downcast_ref::<Box<store::Error>>().map(|boxed| &**boxed);
        if let Some(store) = found.downcast_ref::<store::Error>().or(boxed)
            && matches!(
                store,
                store::Error::Io { .. }
                    | store::Error::Full { .. }
                    | store::Error::ForeignOwner { .. }
                    | store::Error::Index { .. }
            )
        {
            return Some(store);
        }
        error = found.source();
    }
    None
}

/// What to do where no index provides a file.
pub const INDEX_HINT: &str = "configure an index that provides it: `PIP_INDEX_URL`, pip's or uv's settings";
const ARCHIVE: &str = "the file has the locked hash, so it was already damaged when it was locked: find out why, then lock \
                       another file or version";

pub(super) fn step_kind(error: &engine::Error) -> Kind {
    match error.root() {
        engine::Error::Store(_) | engine::Error::Prepare { .. } => Kind::Store,
        engine::Error::Sandbox { .. } => Kind::Sandbox,
        engine::Error::Fetch { source, .. } => net_kind(source),
        engine::Error::NotListed { .. } | engine::Error::NotProvided { .. } => Kind::Unavailable,
        engine::Error::Capture { source, .. } if stored(source).is_some() => Kind::Store,
        engine::Error::Unpack { source, .. } | engine::Error::Derive { source, .. } if stored(&**source).is_some() => {
            Kind::Store
        }
        engine::Error::Unpack { .. } => Kind::WrongBytes,
        engine::Error::Bug(_) => Kind::Bug,
        _ => Kind::Mistake,
    }
}
