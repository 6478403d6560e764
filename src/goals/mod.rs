//! One small file a goal, and the session they share. The only room that holds both ends: what Pants means, and how
//! actions run.

mod calls;
mod check;
mod count_loc;
mod dependencies;
mod dependents;
mod error;
mod failure;
mod filedeps;
mod fmt;
mod forbidden;
mod git;
mod graph;
mod interpret;
mod lint;
mod list;
mod loading;
mod output;
mod packages;
mod paths;
mod peek;
mod py_constraints;
mod pythons;
mod recipes;
mod regex_lint;
mod remembered;
mod retrace;
pub mod rewrite;
mod roots;
mod running;
mod selected;
mod session;
mod sources;
mod tailor;
mod test;
mod toolchains;
mod unlocked;
mod unpackers;
mod update_build_files;
mod verdict;
mod version;

pub use error::{Error, Kind};
pub use session::{Session, Terminal};
pub use verdict::Verdict;

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
