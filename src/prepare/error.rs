//! Why something cannot be planned. What the session refuses is wrapped; what goals refuse is in `goals::Error`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::action::Exit;
use crate::base::{self, ErrorKind};
use crate::packaging::{environment, index};
use crate::plan::requirements;
use crate::session;
use crate::session::failure::Failure;
use crate::targets::Address;

/// Why something cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The session refuses: the repository, the store or the network.
    #[error(transparent)]
    Session(session::Error),
    /// An error that several steps share.
    #[error(transparent)]
    Shared(#[from] Arc<Error>),
    /// Requirements and locks.
    #[error(transparent)]
    Requirements(#[from] requirements::Error),
    /// The version of an interpreter.
    #[error(transparent)]
    Environment(#[from] environment::Error),
    /// Files that an index lists.
    #[error(transparent)]
    Index(#[from] index::Error),
    /// `--frozen` or CI, and requirements that no lock has.
    #[error("the requirements of {owner} are not pinned by `{file}`")]
    FrozenRequirements {
        /// Whose requirements they are, in words.
        owner: String,
        /// The lock in the build root.
        file: String,
    },
    /// A lock of requirements that is incomplete or was edited.
    #[error("`{file}` is incomplete or was edited: its content does not match the hash in its third line")]
    DamagedLock {
        /// The lock in the build root.
        file: String,
    },
    /// A lockfile that does not match its requirements, and which the settings do not permit.
    #[error("{}", reasons.join("\n"))]
    StaleLock {
        /// The reasons, each with the path of the lockfile.
        reasons: Vec<String>,
    },
    /// A requirement that names a place rather than a version.
    #[error("the requirement `{requirement}` names {kind}, which is not supported")]
    UnsupportedRequirement {
        /// The name of the required package.
        requirement: String,
        /// The kind of place.
        kind: &'static str,
    },
    /// The constraints file cannot be read.
    #[error("cannot read `{}`, which `{named_by}` in the section `[python]` names", path.display())]
    Constraints {
        /// The file, absolute.
        path: PathBuf,
        /// The option.
        named_by: &'static str,
        /// The reason.
        source: std::io::Error,
    },
    /// uv failed.
    #[error("cannot resolve the requirements of {owner}: {exit}\n{}", stderr.trim_end())]
    NotPinned {
        /// Whose requirements they are, in words.
        owner: String,
        /// How uv ended.
        exit: Exit,
        /// What uv wrote.
        stderr: String,
        /// The kind of error: uv could not reach an index, or there is no solution.
        kind: ErrorKind,
    },
    /// `generate-lockfiles --resolve` with an unknown name.
    #[error("unknown resolve `{name}`")]
    UnknownLock {
        /// The name.
        name: String,
        /// The names that are known.
        known: Vec<String>,
    },
    /// `generate-lockfiles --resolve` with the name of a tool without a lockfile in the repository.
    #[error("the packages of `{scope}` are locked in Waders, not in this repository")]
    BuiltInTool {
        /// The scope of the tool.
        scope: String,
    },
    /// A lockfile without requirements.
    #[error("the resolve `{name}` has no requirements")]
    NoRequirements {
        /// The name of the resolve.
        name: String,
    },
    /// `generate-lockfiles --frozen`.
    #[error("`generate-lockfiles` changes lockfiles, which `--frozen` forbids")]
    FrozenLocks,
    /// An entry of `resolves_to_excludes` that excludes some versions.
    #[error("`{requirement}` in `resolves_to_excludes` excludes some versions of a package, which is not supported")]
    UnsupportedExclude {
        /// The entry.
        requirement: String,
    },
    /// `lockfile-merge` for a file that is not a lockfile.
    #[error("`{path}` is not the lockfile of a resolve")]
    NotALockfile {
        /// The path, as git names it.
        path: String,
        /// The paths of lockfiles.
        known: Vec<String>,
    },
    /// `lockfile-merge` and a version of the file that cannot be read.
    #[error("cannot read `{}`, a version of the lockfile to merge", path.display())]
    MergeInput {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// An option that needs a package which the tool's lock does not have.
    #[error("`{wanted_by}` needs `{plugin}`, which is not among the packages of `{tool}`")]
    NoPlugin {
        /// The package.
        plugin: &'static str,
        /// The option.
        wanted_by: &'static str,
        /// The scope of the tool.
        tool: String,
        /// The hint.
        remedy: String,
    },
    /// A goal without tools.
    #[error("no enabled backend provides a tool for the goal `{goal}`")]
    NoTool {
        /// The name of the goal.
        goal: String,
    },
    /// `--only` with an unknown name.
    #[error("`--{goal}-only={name}` does not name an enabled tool")]
    NoSuchTool {
        /// The name of the goal.
        goal: String,
        /// The unknown name.
        name: String,
        /// The names of enabled tools.
        known: Vec<String>,
    },
    /// A tool's option that lists globs.
    #[error("globs of files that a tool works on")]
    ToolGlobs(#[source] base::glob::Error),
    /// A settings file of a tool.
    #[error("`{}` cannot be used: {why}", path.display())]
    Settings {
        /// Relative to the build root.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// A test target without a file.
    #[error("{0} has no source file")]
    NoSource(Address),
    /// Tests that depend on packages, as addresses.
    #[error("the test needs built packages: `{}`", .0.join("`, `"))]
    NeedsPackages(Vec<String>),
    /// Tests that depend on outputs of commands or on downloads, as addresses.
    #[error("the test needs files that are not in the repository: those of `{}`", .0.join("`, `"))]
    NeedsOutputs(Vec<String>),
    /// Sources that depend on generated code, as addresses of the definitions.
    #[error("Python code needs to be generated from `{}`", .0.join("`, `"))]
    NeedsGenerated(Vec<String>),
    /// A target with a tag that the settings do not allow.
    #[error("{target} is tagged `{tag}`, which is not allowed here")]
    Tag {
        /// The target.
        target: Address,
        /// The tag.
        tag: &'static str,
    },
    /// The globs of an option.
    #[error("`[test] extra_inputs`")]
    ExtraInputs(#[source] base::glob::Error),
    /// An unknown word in `[coverage-py] report`.
    #[error("invalid coverage report format `{0}`")]
    CoverageFormat(String),
}

// Errors that reach planning through the session's services.
session::error::wrap_as_session!(
    session::Error,
    session::sources::Error,
    crate::store::Error,
    crate::net::Error,
    crate::toolchain::Error,
    crate::inference::settings::Error,
    crate::targets::select::Error,
    base::rel_path::ParseError,
);

/// The hint for a lockfile that does not match its requirements.
pub(super) const STALE_LOCK_HINT: &str =
    "run `generate-lockfiles`, or set `invalid_lockfile_behavior` in the section `[python]`";

impl Error {
    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Session(error) => error.kind(),
            Error::Shared(error) => error.kind(),
            Error::Requirements(error) => error.kind(),
            Error::FrozenRequirements { .. }
            | Error::DamagedLock { .. }
            | Error::StaleLock { .. }
            | Error::FrozenLocks => ErrorKind::Lock,
            Error::NotPinned { kind, .. } => *kind,
            Error::Index(error) => error.kind(),
            _ => ErrorKind::Mistake,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Session(error) => return error.hint(),
            Error::Shared(error) => return error.hint(),
            Error::Requirements(error) => return error.hint(),
            Error::Index(error) => return error.hint().or_else(|| Some(crate::net::INDEX_HINT.to_owned())),
            Error::UnsupportedRequirement { .. } => {
                "build a wheel of it, name the wheel's directory in `find_links` of `[python-repos]`, such as \
                 `file://%(buildroot)s/wheels`, and require a version: `name==1.0`"
            }
            Error::FrozenRequirements { .. } => {
                "run the same command once without `--frozen` and `CI`, then commit that file"
            }
            Error::NotPinned { kind: ErrorKind::Unavailable, .. } => crate::net::INDEX_HINT,
            Error::UnknownLock { known, .. } => return Some(format!("known resolves: {}", known.join(", "))),
            Error::BuiltInTool { scope } => {
                return Some(format!(
                    "to use other versions, add a resolve to `[python.resolves]` and name it in `install_from_resolve` of the \
                     section `[{scope}]`"
                ));
            }
            Error::NoRequirements { name } => {
                return Some(format!(
                    "add a `python_requirement` target with `resolve=\"{name}\"`, or remove the resolve from `[python.resolves]`"
                ));
            }
            Error::FrozenLocks => "run the goal without `--frozen`",
            Error::UnsupportedExclude { .. } => "exclude the whole package by its name, or constrain its version",
            Error::NotALockfile { known, .. } => return Some(format!("lockfiles: {}", known.join(", "))),
            Error::DamagedLock { .. } => {
                "restore that file from version control, or delete it to pin the requirements again"
            }
            Error::StaleLock { .. } => STALE_LOCK_HINT,
            Error::NoPlugin { remedy, .. } => remedy,
            Error::NoTool { goal } if goal == "check" => {
                "name one in `backend_packages`, such as `pants.backend.python.typecheck.mypy`"
            }
            Error::NoTool { .. } => "name one in `backend_packages`, such as `pants.backend.python.lint.black`",
            Error::NoSuchTool { known, .. } => return Some(format!("enabled tools: {}", known.join(", "))),
            Error::NeedsPackages(_) => {
                "such tests are not supported yet: they need the goal `package`, which is not implemented yet"
            }
            Error::NeedsOutputs(_) => {
                "outputs of commands and downloads are not supported yet: add the files to the repository, or remove the dependency"
            }
            Error::NeedsGenerated(_) => {
                "code generators are not supported yet: commit the generated code as `python_sources`"
            }
            Error::Tag { tag: "requires-network", .. } => "set `allow_network = true` in the section `[sandbox]`",
            Error::Tag { .. } => "every step runs in a sandbox: remove the tag, or declare what the test needs",
            Error::CoverageFormat(_) => "known formats: console, xml, html, json, lcov, raw",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// The error as the failure of the step that could not be planned.
    pub fn to_failure(&self) -> Failure {
        Failure::from_preparation(self, self.hint(), self.kind())
    }
}
