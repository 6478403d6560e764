//! Why something cannot be planned. What the session refuses is wrapped; what goals refuse is in `goals::Error`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::action::Exit;
use crate::base::text::nearest;
use crate::base::{self, ErrorKind};
use crate::packaging::{environment, index};
use crate::plan::requirements;
use crate::prepare::generate;
use crate::prepare::package::{distribution, image, program};
use crate::services;
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
    /// Interpreter constraints that no interpreter satisfies.
    #[error(transparent)]
    Incompatible(#[from] crate::inference::constraints::Incompatible),
    /// The version of an interpreter.
    #[error(transparent)]
    Environment(#[from] environment::Error),
    /// Files that an index lists.
    #[error(transparent)]
    Index(#[from] index::Error),
    /// A file cannot be read.
    #[error("cannot read `{file}`")]
    ReadFile {
        /// The path from the build root, or the digest of a blob.
        file: String,
        /// The reason.
        source: io::Error,
    },
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
    /// The socket between a step and the planner cannot be created.
    #[error("cannot create a socket")]
    Channel(#[source] std::io::Error),
    /// uv failed.
    #[error("cannot resolve the requirements of {owner}: {exit}\n{}", stderr.trim_end())]
    NotPinned {
        /// Whose requirements they are, in words.
        owner: String,
        /// How uv ended.
        exit: Exit,
        /// What uv wrote.
        stderr: String,
        /// The kind of error: an index could not be reached, it provided wrong bytes, or there is no solution.
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
    /// No interpreter of this machine can run packages outside sandboxes.
    #[error(
        "Python {version} of `waders.lock` runs only in sandboxes, and there is neither a standalone interpreter of this version nor one \
         of this machine with a version {minor}.* that satisfies `{constraints}`"
    )]
    NoHostInterpreter {
        /// The interpreter constraints.
        constraints: String,
        /// The version of the locked interpreter, such as `3.11.2`.
        version: String,
        /// The minor version of the locked interpreter, such as `3.11`.
        minor: String,
    },
    /// A name that `export` does not know.
    #[error("`--export-{option}={name}` names no {}", if *option == "bin" { "tool" } else { "resolve or tool" })]
    UnknownExport {
        /// The option, `resolve` or `bin`.
        option: &'static str,
        /// The unknown name.
        name: String,
        /// The names that are known.
        known: Vec<String>,
    },
    /// A name in `[export] ide` that is unknown.
    #[error("`--export-ide={0}` names no editor or type checker for which there are settings")]
    UnknownIde(String),
    /// An exported file cannot be written.
    #[error("cannot {tried} `{}`", path.display())]
    Export {
        /// A verb, such as `create`.
        tried: &'static str,
        /// The file or directory, absolute.
        path: PathBuf,
        /// The reason.
        source: io::Error,
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
    /// A tool of a plugin whose target is missing or of another type, or whose goal is unknown.
    #[error(
        "the tool `{name}` cannot be used: `{target}` names no `code_quality_tool`, or its goal is none of lint, fmt and fix"
    )]
    QualityTool {
        /// The name of the tool.
        name: String,
        /// The address of the target, as the plugin has it.
        target: String,
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
    /// An entry point that cannot be used.
    #[error("{target}: invalid entry point `{written}`: {why}")]
    EntryPoint {
        /// The target.
        target: Address,
        /// The entry point, or the file or directory that it names.
        written: String,
        /// The reason.
        why: &'static str,
    },
    /// A distribution without the console script that was chosen, or without exactly one.
    #[error("{target} has {}", describe_scripts(chosen.as_deref(), names))]
    ConsoleScript {
        /// The target.
        target: Address,
        /// The name that was chosen.
        chosen: Option<String>,
        /// The names of its console scripts.
        names: Vec<String>,
    },
    /// A requirement that provides no single module.
    #[error("{0} provides several modules or none, so none of them can run")]
    NoModule(Address),
    /// A script that no requirement installs.
    #[error("{target}: its requirements do not install a script `{script}`")]
    NoScript {
        /// The target.
        target: Address,
        /// The script.
        script: String,
        /// The scripts that they install.
        known: Vec<String>,
    },
    /// An `adhoc_tool` whose program is unknown.
    #[error("{target}: `{runnable}` does not name one target that can run")]
    Runnable {
        /// The target.
        target: Address,
        /// The field `runnable`.
        runnable: String,
    },
    /// No directory for temporary files.
    #[error("cannot create a temporary directory")]
    TemporaryDirectory {
        /// The reason.
        source: std::io::Error,
    },
    /// A goal without steps.
    #[error("`{goal}` is not a goal whose steps run in sandboxes")]
    NoSuchGoal {
        /// As written.
        goal: String,
        /// The goals that have steps.
        known: Vec<String>,
    },
    /// No step of the goal works on the selected targets.
    #[error("no step of {goals} works on the selected targets")]
    NoStep {
        /// The goals that were tried, in words.
        goals: String,
    },
    /// The step of a shell cannot be planned.
    #[error("{}", .0.message)]
    Failed(Failure),
    /// A test target without a file.
    #[error("{0} has no source file")]
    NoSource(Address),
    /// Files that cannot be generated as their target is declared.
    #[error(transparent)]
    Generate(#[from] generate::Error),
    /// A target with a tag that the settings do not allow.
    #[error("{target} is tagged `{tag}`, which is not allowed here")]
    Tag {
        /// The target.
        target: Address,
        /// The tag.
        tag: &'static str,
    },
    /// A tag for a service: the place of the target, the target, and why it cannot have the service.
    #[error("{0}: {1} is tagged for a service: {2}")]
    Service(String, Address, services::Error),
    /// Services that cannot be used together, or not as they are described.
    #[error(transparent)]
    Services(#[from] services::Error),
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
    /// A container image.
    #[error(transparent)]
    Image(#[from] image::Error),
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

/// What is wrong with the console scripts of a distribution.
fn describe_scripts(chosen: Option<&str>, names: &[String]) -> String {
    match (chosen, names) {
        (Some(chosen), _) => format!("no console script `{chosen}`"),
        (None, []) => "no console script".to_owned(),
        (None, names) => format!("several console scripts: `{}`", names.join("`, `")),
    }
}

/// The hint for a lockfile that does not match its requirements.
pub(super) const STALE_LOCK_HINT: &str =
    "run `generate-lockfiles`, or set `invalid_lockfile_behavior` in the section `[python]`";

impl Error {
    /// Makes a function for `map_err` on operations on exported files.
    pub(super) fn export(tried: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Export { tried, path, source }
    }

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
            Error::Image(error) => error.kind(),
            Error::Failed(failure) => failure.kind,
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
            Error::Image(error) => return error.hint(),
            Error::Service(_, _, error) | Error::Services(error) => return error.hint(),
            Error::Generate(error) => return error.hint(),
            Error::Index(error) => return error.hint().or_else(|| Some(crate::net::INDEX_HINT.to_owned())),
            Error::UnsupportedRequirement { .. } => {
                "build a wheel of it, name the wheel's directory in `find_links` of `[python-repos]`, such as \
                 `file://%(buildroot)s/wheels`, and require a version: `name==1.0`"
            }
            Error::FrozenRequirements { .. } => {
                "run the same command once without `--frozen` and `CI`, then commit that file"
            }
            Error::NotPinned { kind: ErrorKind::Unavailable, .. } => crate::net::INDEX_HINT,
            Error::NotPinned { kind: ErrorKind::WrongBytes, .. } => crate::net::WRONG_BYTES_HINT,
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
            Error::NoHostInterpreter { .. } => {
                "install such an interpreter with pyenv or from the packages of this machine"
            }
            Error::UnknownExport { name, known, .. } => {
                let near = nearest(name, known.iter().map(String::as_str));
                let near = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
                return Some(format!("{near}known names: {}", known.join(", ")));
            }
            Error::UnknownIde(_) => return Some(format!("known names: {}", super::export::ide::NAMES.join(", "))),
            Error::Export { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "free some space, or set `pants_distdir` in the section `[GLOBAL]` to a directory with more space; an environment \
                 that was exported before is unchanged"
            }
            Error::Export { .. } => {
                "make the directory writable, or set `pants_distdir` in the section `[GLOBAL]` to one that is; an environment that \
                 was exported before is unchanged"
            }
            Error::NoPlugin { remedy, .. } => remedy,
            Error::NoTool { goal } if goal == "check" => {
                "name one in `backend_packages`, such as `pants.backend.python.typecheck.mypy`"
            }
            Error::NoTool { .. } => "name one in `backend_packages`, such as `pants.backend.python.lint.black`",
            Error::NoSuchTool { known, .. } => return Some(format!("enabled tools: {}", known.join(", "))),
            Error::ConsoleScript { names, .. } if names.is_empty() => {
                "name a console script in `entry_points`, or run a source file"
            }
            Error::ConsoleScript { names, .. } => {
                return Some(format!("choose one, such as `--run-console-script={}`", names[0]));
            }
            Error::NoModule(_) => "set `entry_point` of the target",
            Error::NoScript { known, .. } if known.is_empty() => {
                "add the requirement that has the script to `dependencies`"
            }
            Error::NoScript { known, .. } => return Some(format!("scripts of its requirements: {}", known.join(", "))),
            Error::NoSuchGoal { known, .. } => return Some(format!("goals with steps: {}", known.join(", "))),
            Error::NoStep { .. } => {
                "name a test file, a source file that a linter or checker works on, or another `--shell-goal`"
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
        match self {
            Error::Session(session::Error::Step(error)) => Failure::from_step(error),
            error => Failure::from_preparation(error, error.hint(), error.kind()),
        }
    }
}
