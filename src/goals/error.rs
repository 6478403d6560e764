//! Why a goal cannot do what it is asked. What the session and planning refuse is wrapped.

use std::path::PathBuf;

use crate::action::Exit;
use crate::attest::check::Failure as Failed;
use crate::base::{self, ErrorKind};
use crate::prepare::run::{RUNNABLE, RUNNABLE_IN_PANTS};
use crate::session;
use crate::session::failure::Failure;
use crate::{inference, prepare, report, tools};

/// Why a goal cannot do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The session refuses: the repository, the selection, the store or the network.
    #[error(transparent)]
    Session(session::Error),
    /// Something cannot be planned.
    #[error(transparent)]
    Prepare(#[from] prepare::Error),
    /// A file of the repository could not be replaced.
    #[error(transparent)]
    Rewrite(#[from] session::rewrite::Error),
    /// JUnit reports.
    #[error(transparent)]
    Report(#[from] report::junit::Error),
    /// Interpreter constraints that no interpreter meets.
    #[error(transparent)]
    Constraints(#[from] inference::constraints::Incompatible),
    /// `[regex-lint]`.
    #[error(transparent)]
    RegexLint(#[from] tools::regex_lint::Error),
    /// The records of earlier runs.
    #[error(transparent)]
    Records(#[from] session::records::Error),
    /// `why` with no step on record that its arguments name.
    #[error("no recorded step belongs to `{0}`")]
    NoRecordedStep(String),
    /// `why --runs` without two runs.
    #[error("`why --runs` needs two runs")]
    TwoRuns,
    /// `why --runs --against`.
    #[error("`--runs` and `--against` cannot be combined")]
    WhyModes,
    /// A record of another machine that cannot be read.
    #[error("cannot read `{}`", path.display())]
    ReadRecord {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file that is not a record of a run.
    #[error("`{}` is not the record of a run: {why}", path.display())]
    InvalidRecord {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A bundle cannot be written or replayed.
    #[error(transparent)]
    Replay(#[from] crate::goals::replay::ReplayError),
    /// A glob of an option.
    #[error(transparent)]
    Glob(#[from] base::glob::Error),
    /// A file of the repository cannot be read.
    #[error("cannot read `{file}`")]
    ReadFile {
        /// The file.
        file: base::RelPath,
        /// The reason.
        source: std::io::Error,
    },
    /// A file for results cannot be written.
    #[error("cannot write `{}`", path.display())]
    Output {
        /// The file, absolute.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A goal of a backend that is not enabled.
    #[error("`{goal}` belongs to the backend `{backend}`, which is not enabled")]
    NeedsBackend {
        /// The name of the goal.
        goal: &'static str,
        /// The backend that has it.
        backend: &'static str,
    },
    /// `py-constraints --summary` with specs.
    #[error("`py-constraints --summary` covers the whole repository and takes no specs")]
    SummaryOfAll,
    /// `paths` without one of its ends.
    #[error("`paths` needs `--{0}`")]
    NoEnd(&'static str),
    /// `lockfile-merge` without the arguments that git gives to a merge driver.
    #[error("`lockfile-merge` needs four arguments: the common ancestor, both versions, and the path of the lockfile")]
    MergeArguments,
    /// `affected` without a commit.
    #[error("`affected` needs a commit to compare with")]
    NoCommit,
    /// `affected` in a repository without projects.
    #[error("this repository has no projects: no directory has a `pyproject.toml` with a name or a `setup.py`")]
    NoProjects,
    /// `init` in a repository with settings.
    #[error("this repository has a `pants.toml`")]
    Configured,
    /// `store` without one of its words, or with several.
    #[error("`store` needs one of the words `du`, `verify`, `repair` and `gc`")]
    StoreWord,
    /// An unknown formatter of BUILD files.
    #[error("`{0}` cannot format BUILD files")]
    NoBuildFormatter(String),
    /// `tailor` would write files that are not BUILD files.
    #[error("`[tailor] build_file_name` is `{name}`, which does not match `[GLOBAL] build_patterns`: `{patterns}`")]
    BuildFileName {
        /// The name of the option.
        name: String,
        /// The patterns, joined.
        patterns: String,
    },
    /// The layout of a container image cannot be read.
    #[error(transparent)]
    Image(#[from] crate::packaging::oci::Error),
    /// Two packages with different content at the same path.
    #[error("{first} and {second} both produce `{path}`, with different content; nothing was written")]
    SameOutput {
        /// The path below the directory for results.
        path: base::RelPath,
        /// One of the targets.
        first: String,
        /// The other target.
        second: String,
    },
    /// A package without the directory that was planned.
    #[error("the build of {package} wrote no `{path}`")]
    NoOutput {
        /// The target.
        package: String,
        /// The path below the directory for results.
        path: base::RelPath,
    },
    /// `--test-debug-adapter` or `--run-debug-adapter`; the goal.
    #[error("`--{0}-debug-adapter` is not implemented yet")]
    NoDebugAdapter(&'static str),
    /// A goal that works on one target, with several; the goal, and the addresses.
    #[error("`{goal}` runs one target, but {} of the selected targets can run: `{}`", names.len(), names.join("`, `"))]
    SeveralPrograms {
        /// The goal.
        goal: &'static str,
        /// The addresses.
        names: Vec<String>,
    },
    /// Selected targets of which none can run.
    #[error("none of the selected targets can run: their types are {}", .0.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", "))]
    NotRunnable(Vec<String>),
    /// A goal that needs a target, without one.
    #[error("`{0}` needs a target")]
    NoTarget(&'static str),
    /// A program that did not start.
    #[error("{}", .0.message)]
    NotStarted(Failure),
    /// An attestation that does not hold.
    #[error("`{file}` does not hold: {failure}")]
    Attestation {
        /// The file of the attestation.
        file: String,
        /// The reason.
        failure: Failed,
    },
    /// `attest` with the name of a goal that has no results to attest.
    #[error("the results of `{0}` cannot be attested")]
    NotAttested(String),
    /// `attest verify` or `attest keygen` without its file; the operation.
    #[error("`attest {0}` needs one file")]
    NoFile(&'static str),
    /// `attest verify` without a public key.
    #[error("`attest verify` needs the public key of the signer of the attestation")]
    NoKey,
    /// `attest keygen` with a file that exists.
    #[error("`{}` exists, and is not replaced", .0.display())]
    KeyExists(PathBuf),
    /// A key that cannot be created.
    #[error(transparent)]
    Key(#[from] crate::signing::key::Error),
    /// `--test-shard` that is not `k/N`.
    #[error("invalid shard `{0}`")]
    Shard(String),
    /// `verify` with a goal whose steps cannot be compared.
    #[error("`verify` cannot compare the steps of `{0}`")]
    NotVerifiable(String),
    /// `verify --vary` with an unknown condition.
    #[error("unknown condition `{0}`")]
    UnknownCondition(String),
    /// `verify --against` with a directory that is not what it should be.
    #[error("cannot compare with `{}`: {why}", path.display())]
    Against {
        /// The directory.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// The second run of `verify` ended without a report.
    #[error("the repeated run ended with exit code {0} before its results could be compared")]
    NotRepeated(i32),
    /// coverage failed.
    #[error("cannot create the coverage report: {exit}\n{stderr}")]
    NoCoverageReport {
        /// How coverage ended.
        exit: Exit,
        /// What coverage wrote.
        stderr: String,
    },
}

// Errors that reach goals through the session's services.
session::error::wrap_as_session!(
    session::Error,
    crate::store::Error,
    inference::settings::Error,
    crate::targets::select::Error,
    base::rel_path::ParseError,
);

impl Error {
    /// Whether the user interrupted the goal.
    pub fn is_interrupt(&self) -> bool {
        matches!(
            self,
            Error::Session(session::Error::Interrupted)
                | Error::Prepare(prepare::Error::Session(session::Error::Interrupted))
        )
    }

    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Session(error) => error.kind(),
            Error::Prepare(error) => error.kind(),
            Error::NotStarted(failure) => failure.kind,
            Error::Attestation { failure, .. } => failure.kind(),
            Error::Replay(error) => error.kind(),
            _ => ErrorKind::Mistake,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Session(error) => return error.hint(),
            Error::Prepare(error) => return error.hint(),
            Error::Rewrite(error) => return error.hint(),
            Error::RegexLint(error) => return error.hint(),
            Error::Records(error) => return error.hint(),
            Error::Replay(error) => return error.hint(),
            Error::NeedsBackend { .. } => "add it to `backend_packages` in the section `[GLOBAL]` of `pants.toml`",
            Error::NoRecordedStep(_) => "run a goal on it first, such as `test`; `log RUN` lists the steps of a run",
            Error::TwoRuns => "write `why --runs 11 12`; `log` lists all runs",
            Error::WhyModes => "compare two runs of this checkout, or this checkout with another",
            Error::InvalidRecord { .. } => "such a file is written by `log --json RUN`",
            Error::SummaryOfAll => "remove the specs or the flag",
            Error::NoEnd(_) => "write `paths --from=SPEC --to=SPEC`",
            Error::NoCommit => "write `affected --since=COMMIT`, for instance `--since=origin/main`",
            Error::NoProjects => {
                "list the targets instead: `--changed-since=COMMIT --changed-dependents=transitive list`"
            }
            Error::MergeArguments => {
                "git calls it: `git config merge.waders-lock.driver 'waders lockfile-merge %O %A %B %P'`"
            }
            Error::Configured => "`tailor ::` adds the BUILD files that are missing",
            Error::StoreWord => "`waders store du` shows what takes the space",
            Error::NoBuildFormatter(_) => {
                "set `formatter` in the section `[update-build-files]` to black, ruff or yapf"
            }
            Error::Output { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                "free some space; a file that existed before is unchanged"
            }
            Error::SameOutput { .. } => "package them in separate runs, or give them different names or `output_path`s",
            Error::NoDebugAdapter("test") => "use `--test-debug`, and `breakpoint()` where the test is to stop",
            Error::NoDebugAdapter(_) => "write `breakpoint()` where the program is to stop",
            Error::SeveralPrograms { goal, names } => {
                return Some(format!("name one of them, such as `{goal} {}`", names[0]));
            }
            Error::NotRunnable(_) => return Some(format!("types that can run: {}", runnable_kinds().join(", "))),
            Error::NoTarget(goal) => return Some(format!("name a file or a target, such as `{goal} src/app/main.py`")),
            Error::NotAttested(_) => "goals with attested results: `check`, `lint`, `package`, `test`",
            Error::NoFile("verify") => "write `attest verify FILE --key=FILE.pub`",
            Error::NoFile(_) => "write `attest keygen FILE`, with a file outside of the repository",
            Error::NoKey => "add `--key=FILE.pub`",
            Error::Attestation { failure: Failed::WrongKey { .. }, .. } => {
                "the public key must come from a source that you trust, not from where the attestation comes from"
            }
            Error::NotVerifiable(_) => {
                return Some(format!("goals that can be compared: {}", super::verify::VERIFIABLE.join(", ")));
            }
            Error::UnknownCondition(_) => {
                return Some(format!("conditions: all, {}", super::verify::condition_names().join(", ")));
            }
            Error::Against { .. } => {
                "name a store of Waders (such as `~/.cache/waders`), the cache directory that contains it, or a directory with packages"
            }
            Error::Shard(_) => "write `--test-shard=k/N` with k from 0 to N-1",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// The target types that the goal `run` runs, sorted.
fn runnable_kinds() -> Vec<&'static str> {
    let mut kinds = [&RUNNABLE_IN_PANTS[..], &RUNNABLE, &crate::goals::run::IMAGES].concat();
    kinds.retain(|kind| !kind.starts_with("experimental_"));
    kinds.sort_unstable();
    kinds
}
