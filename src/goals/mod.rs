//! One small file for each goal, which selects, plans, runs, reports, and returns a verdict. How targets become actions is
//! in `prepare`; what the goals of one run share is in `session`.

mod affected;
mod attest;
mod audit;
mod call_results;
mod check;
mod count_loc;
mod dependencies;
mod dependents;
mod doctor;
mod error;
mod export;
mod export_codegen;
mod filedeps;
mod fmt;
mod generate_lockfiles;
mod graph;
mod init;
mod lint;
mod list;
mod lockfile_merge;
mod log;
mod output;
mod package;
mod paths;
mod peek;
mod publish;
mod py;
mod py_constraints;
mod recorded;
mod regex_lint;
mod repl;
mod replay;
mod roots;
mod run;
mod shell;
mod store;
mod tailor;
mod test;
mod tool_names;
mod update_build_files;
mod verify;
mod version;
mod why;

use crate::session::{Session, Verdict};

pub use error::Error;
pub use store::STORE_WORDS;
pub use tool_names::tool_names;

/// The function that runs a goal.
pub type Goal = fn(&mut Session) -> Result<Verdict, Error>;

/// The implemented goals by name, as the command line spells them.
pub const GOALS: &[(&str, Goal)] = &[
    ("affected", affected::run),
    ("attest", attest::run),
    ("audit", audit::run),
    ("check", check::run),
    ("count-loc", count_loc::run),
    ("dependencies", dependencies::run),
    ("dependents", dependents::run),
    ("doctor", doctor::run),
    ("export", export::run),
    ("export-codegen", export_codegen::run),
    ("filedeps", filedeps::run),
    ("filter", list::filter),
    ("fix", fmt::fix),
    ("fmt", fmt::fmt),
    ("generate-lockfiles", generate_lockfiles::run),
    ("graph", graph::run),
    ("init", init::run),
    ("lint", lint::run),
    ("list", list::run),
    ("lockfile-merge", lockfile_merge::run),
    ("log", log::run),
    ("package", package::run),
    ("paths", paths::run),
    ("peek", peek::run),
    ("publish", publish::run),
    ("py", py::run),
    ("py-constraints", py_constraints::run),
    ("repl", repl::run),
    ("replay", replay::run),
    ("roots", roots::run),
    ("run", run::run),
    ("shell", shell::run),
    ("store", store::run),
    ("tailor", tailor::run),
    ("test", test::run),
    ("update-build-files", update_build_files::run),
    ("verify", verify::run),
    ("version", version::run),
    ("why", why::run),
];

/// The goals that work on what their arguments select, and do nothing without arguments.
const NEEDS_SPECS: [&str; 16] = [
    "check",
    "count-loc",
    "dependencies",
    "dependents",
    "export-codegen",
    "filedeps",
    "filter",
    "fix",
    "fmt",
    "graph",
    "lint",
    "package",
    "peek",
    "publish",
    "test",
    "verify",
];

/// Whether a goal does nothing without arguments.
pub fn needs_specs(name: &str) -> bool {
    NEEDS_SPECS.contains(&name)
}

/// The goals whose work is done by steps. Other goals run steps only to evaluate BUILD files that need Python.
const HAS_STEPS: [&str; 14] = [
    "check",
    "export",
    "export-codegen",
    "fix",
    "fmt",
    "generate-lockfiles",
    "lint",
    "package",
    "publish",
    "py",
    "repl",
    "run",
    "shell",
    "test",
];

/// Whether the work of a goal is done by steps, so that its runs are recorded also where all results are cached.
pub fn has_steps(name: &str) -> bool {
    HAS_STEPS.contains(&name)
}

/// The names of the implemented goals, sorted.
pub fn names() -> Vec<&'static str> {
    GOALS.iter().map(|(name, _)| *name).collect()
}

/// The goal of a name, if it is implemented.
pub fn named(name: &str) -> Option<Goal> {
    GOALS.iter().find(|(known, _)| *known == name).map(|(_, goal)| *goal)
}
