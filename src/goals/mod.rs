//! One small file for each goal: it selects, prepares, runs and reports, and ends in a verdict. How targets become actions
//! is in `prepare`; what the goals of one run share is in `session`.

mod call_results;
mod check;
mod count_loc;
mod dependencies;
mod dependents;
mod filedeps;
mod fmt;
mod graph;
mod lint;
mod list;
mod output;
mod paths;
mod peek;
mod py_constraints;
mod regex_lint;
mod roots;
mod tailor;
mod test;
mod update_build_files;
mod version;

use crate::session::{Error, Session, Verdict};

/// What a goal's name stands for.
pub type Goal = fn(&mut Session) -> Result<Verdict, Error>;

/// By name, as the command line spells them.
pub const GOALS: &[(&str, Goal)] = &[
    ("check", check::run),
    ("count-loc", count_loc::run),
    ("dependencies", dependencies::run),
    ("dependents", dependents::run),
    ("filedeps", filedeps::run),
    ("filter", list::filter),
    ("fix", fmt::fix),
    ("fmt", fmt::fmt),
    ("graph", graph::run),
    ("lint", lint::run),
    ("list", list::run),
    ("paths", paths::run),
    ("peek", peek::run),
    ("py-constraints", py_constraints::run),
    ("roots", roots::run),
    ("tailor", tailor::run),
    ("test", test::run),
    ("update-build-files", update_build_files::run),
    ("version", version::run),
];

/// Sorted.
pub fn names() -> Vec<&'static str> {
    GOALS.iter().map(|(name, _)| *name).collect()
}

pub fn named(name: &str) -> Option<Goal> {
    GOALS.iter().find(|(known, _)| *known == name).map(|(_, goal)| *goal)
}
