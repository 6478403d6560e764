//! Why something cannot be planned. What the session refuses is wrapped; what goals refuse is in `goals::Error`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::action::Exit;
use crate::base::{self, ErrorKind};
use crate::packaging::{environment, index};
use crate::plan::requirements;
use crate::prepare::package::distribution;
use crate::prepare::package::program;
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
    #[error("cannot read `{}`, which `requirement_constraints` in the section `[python]` names", path.display())]
    Constraints {
        /// The file, absolute.
        path: std::path::PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// uv failed.
    #[error("cannot pin the requirements of {owner}: {exit}\n{stderr}")]
    NotPinned {
        /// Whose requirements they are, in words.
        owner: String,
        /// How uv ended.
        exit: Exit,
        /// What uv wrote.
        stderr: String,
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
    /// Tests that depend on outputs of commands or on downloads, as addresses.
    #[error("files that are not in the repository are needed: those of `{}`", .0.join("`, `"))]
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
    /// A package that depends on itself.
    #[error("{0} contains itself")]
    PackageCycle(Address),
    /// An address without a target, in a field that lists packages.
    #[error("there is no target {0}")]
    NoTarget(Address),
    /// A target that cannot be packaged.
    #[error("cannot package {target}: Waders does not package targets of the type `{kind}`")]
    NotPackaged {
        /// The target.
        target: Address,
        /// Its type.
        kind: String,
    },
    /// A field `output_path` that is not a path below the directory for results.
    #[error("{target}: invalid `output_path`: `{path}`")]
    OutputPath {
        /// The target.
        target: Address,
        /// The path.
        path: String,
        /// Why it is invalid.
        source: base::rel_path::ParseError,
    },
    /// A distribution that cannot be built as it is declared.
    #[error(transparent)]
    Distribution(#[from] distribution::Error),
    /// A program that cannot be packaged as it is declared.
    #[error(transparent)]
    Program(#[from] program::Error),
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
            Error::FrozenRequirements { .. } | Error::DamagedLock { .. } | Error::StaleLock { .. } => ErrorKind::Lock,
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
            Error::Distribution(error) => return error.hint(),
            Error::Program(error) => return error.hint(),
            Error::Index(error) => return error.hint().or_else(|| Some(crate::net::INDEX_HINT.to_owned())),
            Error::UnsupportedRequirement { .. } => {
                "build a wheel of it, name the wheel's directory in `find_links` of `[python-repos]`, such as \
                 `file://%(buildroot)s/wheels`, and require a version: `name==1.0`"
            }
            Error::FrozenRequirements { .. } => {
                "run the same command once without `--frozen` and `CI`, then commit that file"
            }
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
