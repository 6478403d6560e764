//! What stops a goal. What to do about it is the hint.

use std::path::PathBuf;
use std::sync::Arc;

use crate::action::Exit;
use crate::inference;
use crate::packaging;
use crate::report::ExitCode;
use crate::targets::Address;
use crate::{base, config, engine, net, plan, report, store, targets, toolchain};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Select(#[from] targets::select::Error),
    #[error(transparent)]
    Filter(#[from] targets::filter::Error),
    #[error("what changed could not be found out")]
    Git(#[from] super::git::Error),
    #[error("`--changed-…` selects targets itself, and the command line also has `{}`", .0.join(" "))]
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
    Rewrite(#[from] super::rewrite::Error),
    #[error(transparent)]
    Requirements(#[from] plan::requirements::Error),
    #[error(transparent)]
    Inference(#[from] inference::settings::Error),
    #[error(transparent)]
    SourceRoots(#[from] inference::source_root::Error),
    #[error(transparent)]
    Environment(#[from] packaging::environment::Error),
    #[error(transparent)]
    Index(#[from] packaging::index::Error),
    #[error(transparent)]
    Indexes(#[from] config::index::Error),
    #[error(transparent)]
    Report(#[from] report::junit::Error),
    #[error(transparent)]
    Path(#[from] base::rel_path::ParseError),
    #[error("{}", .0.whole())]
    Step(Arc<engine::Error>),
    /// One that keeps several tests from running.
    #[error(transparent)]
    Shared(#[from] Arc<Error>),
    #[error("`{goal}` belongs to the backend `{backend}`, which is not enabled")]
    NeedsBackend { goal: &'static str, backend: &'static str },
    #[error("`py-constraints --summary` is about the whole repository and takes no specs")]
    SummaryOfAll,
    #[error(transparent)]
    Constraints(#[from] inference::constraints::Incompatible),
    #[error("`paths` needs `--{0}`")]
    NoEnd(&'static str),
    #[error("cannot write `{}`", path.display())]
    Output { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    RegexLint(#[from] crate::tools::regex_lint::Error),
    #[error("no tool `{0}` formats BUILD files here")]
    NoBuildFormatter(String),
    #[error("cannot read `{file}`")]
    ReadFile { file: base::RelPath, source: std::io::Error },
    #[error("`[tailor] build_file_name` is `{name}`, which `[GLOBAL] build_patterns` would not read: `{patterns}`")]
    BuildFileName { name: String, patterns: String },
    #[error(transparent)]
    Glob(#[from] base::glob::Error),
    #[error("there is no home directory to keep the store in")]
    NoHome,
    #[error("cannot start threads")]
    Threads(#[source] std::io::Error),
    #[error("nothing says which Python to run: `interpreter_constraints` is not set")]
    NoConstraints,
    #[error("the toolchain has no interpreter")]
    NoInterpreter,
    #[error("{0} has no source file")]
    NoSource(Address),
    #[error("packages would have to be built first: `{}`", .0.join("`, `"))]
    NeedsPackages(Vec<String>),
    #[error("Python would have to be generated first from `{}`", .0.join("`, `"))]
    NeedsGenerated(Vec<String>),
    #[error("`--test-debug` works on one test file at a time, and the command line selects {0}")]
    DebugOne(usize),
    #[error("`--test-debug-adapter` is not there yet")]
    NoDebugAdapter,
    #[error("`{0}` is no shard")]
    Shard(String),
    #[error("the requirements of {of} are not pinned by `{file}`")]
    FrozenRequirements { of: String, file: String },
    #[error("the requirements of {of} could not be pinned: {exit}\n{stderr}")]
    NotPinned { of: String, exit: Exit, stderr: String },
    #[error("{target} is tagged `{tag}`, which is not allowed here")]
    Tag { target: Address, tag: &'static str },
    #[error("`[test] extra_inputs`")]
    ExtraInputs(#[source] base::glob::Error),
    #[error("`{wanted_by}` needs `{plugin}`, which is not among the packages of `{tool}`")]
    NoPlugin { plugin: &'static str, wanted_by: &'static str, tool: String, remedy: String },
    #[error("no backend has a tool for the goal `{goal}`")]
    NoTool { goal: String },
    #[error("globs of files that a tool works on")]
    ToolGlobs(#[source] base::glob::Error),
    #[error("`{0}` is no report of coverage")]
    CoverageFormat(String),
    #[error("the coverage report could not be made: {exit}\n{stderr}")]
    NoCoverageReport { exit: Exit, stderr: String },
    #[error("BUILD files could not be evaluated by Python: {0}")]
    NotInterpreted(String),
    #[error("BUILD files have {0} mistakes")]
    Broken(usize),
    #[error("visibility rules forbid {0} of the dependencies")]
    Forbidden(usize),
    #[error("`--{goal}-only={name}` names no tool that is enabled")]
    NoSuchTool { goal: String, name: String, known: Vec<String> },
    #[error("`{}` cannot be used: {why}", path.display())]
    Settings { path: PathBuf, why: String },
    #[error("interrupted by user")]
    Interrupted,
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
            Error::Requirements(plan::requirements::Error::Lock(_) | plan::requirements::Error::Resolve(_)) => {
                Kind::Lock
            }
            Error::FrozenRequirements { .. } => Kind::Lock,
            Error::Index(packaging::index::Error::NoCompatibleFile { .. }) => Kind::Mistake,
            Error::Index(_) => Kind::Unavailable,
            Error::Step(error) => step_kind(error),
            Error::Shared(error) => error.kind(),
            _ => Kind::Mistake,
        }
    }

    pub fn hint(&self) -> Option<String> {
        let advice = match self {
            Error::Select(error) => return error.hint().map(str::to_owned),
            Error::Filter(targets::filter::Error::Kind { hint: Some(near), .. }) => {
                return Some(format!("did you mean `{near}`?"));
            }
            Error::Git(_) => {
                "`--changed-since` and `--changed-diffspec` need git, and the build root in a git repository"
            }
            Error::SpecsAndChanged(_) => "leave out the specs or the flag",
            Error::Net(error) => return error.hint(None),
            Error::Sandbox(error) => return error.hint().map(str::to_owned),
            Error::Toolchain(error) => return stored(error).and_then(store_hint).or_else(|| error.hint()),
            Error::Requirements(error) => return error.hint(),
            Error::Step(error) => return step_hint(error),
            Error::Shared(error) => return error.hint(),
            Error::Store(error) | Error::Sources(super::sources::Error::Store(error)) => return store_hint(error),
            Error::Index(error) => return error.hint(),
            Error::NeedsBackend { .. } => "add it to `backend_packages` in the section `[GLOBAL]` of `pants.toml`",
            Error::SummaryOfAll => "leave out the specs or the flag",
            Error::NoEnd(_) => "write `paths --from=SPEC --to=SPEC`",
            Error::NoConstraints => {
                "set it in the section `[python]` of `pants.toml`, such as `interpreter_constraints = [\"CPython==3.11.*\"]`"
            }
            Error::NoHome => "set `XDG_CACHE_HOME`, or `dir` in the section `[store]` of `waders.toml`",
            Error::NeedsPackages(_) => {
                "building packages for tests comes with the goal `package`, which is not there yet"
            }
            Error::NeedsGenerated(_) => {
                "generators of code are not run yet: commit what they make, as `python_sources`"
            }
            Error::DebugOne(_) => "name one file: `waders test --test-debug src/app/login_test.py`",
            Error::NoDebugAdapter => "use `--test-debug`, and `breakpoint()` where the test is to stop",
            Error::Shard(_) => "write `--test-shard=k/N` with k from 0 to N-1",
            Error::NoPlugin { remedy, .. } => remedy,
            Error::NoTool { goal } if goal == "check" => {
                "name one in `backend_packages`, such as `pants.backend.python.typecheck.mypy`"
            }
            Error::NoTool { .. } => "name one in `backend_packages`, such as `pants.backend.python.lint.black`",
            Error::NoSuchTool { known, .. } => return Some(format!("enabled tools: {}", known.join(", "))),
            Error::Rewrite(error) => return error.hint(),
            Error::RegexLint(error) => return error.hint(),
            Error::NoBuildFormatter(_) => {
                "set `formatter` in the section `[update-build-files]` to black, ruff or yapf"
            }
            Error::Tag { tag: "requires-network", .. } => "set `allow_network = true` in the section `[sandbox]`",
            Error::Tag { .. } => "every step runs in a sandbox: take the tag away, or declare what the test needs",
            Error::CoverageFormat(_) => "known reports: console, xml, html, json, lcov, raw",
            Error::FrozenRequirements { .. } => {
                "run the same command once without `--frozen` and `CI`, then commit that file"
            }
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
        engine::Error::Store(error) | engine::Error::Capture { source: error, .. } => store_hint(error),
        engine::Error::Sandbox { source, .. } => source.hint().map(str::to_owned),
        engine::Error::Fetch { source, .. } => source.hint(None),
        engine::Error::Prepare { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            Some(ROOM.to_owned())
        }
        engine::Error::NotListed { .. } | engine::Error::Nowhere { .. } => Some(INDEX.to_owned()),
        engine::Error::Unpack { source, .. } => stored(&**source).map_or(Some(ARCHIVE.to_owned()), store_hint),
        engine::Error::Derive { source, .. } => stored(&**source).and_then(store_hint),
        _ => None,
    }
}

/// The store's own error, if that is what lies below.
fn stored<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e store::Error> {
    let mut error = Some(error);
    while let Some(found) = error {
        let boxed = found.downcast_ref::<Box<store::Error>>().map(|boxed| &**boxed);
        if let Some(store) = found.downcast_ref::<store::Error>().or(boxed)
            && matches!(store, store::Error::Io { .. } | store::Error::Full { .. } | store::Error::Index { .. })
        {
            return Some(store);
        }
        error = found.source();
    }
    None
}

const ROOM: &str = "free some space, or set `dir` in the section `[store]` of `waders.toml` to a roomier place";
const PLACE: &str = "set `dir` in the section `[store]` of `waders.toml`, or `XDG_CACHE_HOME`, to a place that can be \
                     written";
const INDEX: &str = "name an index that has it: `PIP_INDEX_URL`, pip's or uv's settings";
const ARCHIVE: &str = "the file has the hash of the lock, so it was locked like this: do not use it before you know why, \
                       then lock another file or version";

fn store_hint(error: &store::Error) -> Option<String> {
    use std::io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    let advice = match error {
        store::Error::Full { .. } => ROOM,
        store::Error::Io { source, .. }
            if matches!(source.kind(), NotADirectory | PermissionDenied | ReadOnlyFilesystem) =>
        {
            PLACE
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

pub(super) fn step_kind(error: &engine::Error) -> Kind {
    match error.root() {
        engine::Error::Store(_) | engine::Error::Prepare { .. } => Kind::Store,
        engine::Error::Sandbox { .. } => Kind::Sandbox,
        engine::Error::Fetch { source, .. } => net_kind(source),
        engine::Error::NotListed { .. } | engine::Error::Nowhere { .. } => Kind::Unavailable,
        engine::Error::Capture { source, .. } if stored(source).is_some() => Kind::Store,
        engine::Error::Unpack { source, .. } | engine::Error::Derive { source, .. } if stored(&**source).is_some() => {
            Kind::Store
        }
        engine::Error::Unpack { .. } => Kind::WrongBytes,
        engine::Error::Bug(_) => Kind::Bug,
        _ => Kind::Mistake,
    }
}
