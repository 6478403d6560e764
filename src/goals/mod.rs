//! One small file a goal, and the session they share. The only room that holds both ends: what Pants means, and how
//! actions run.

mod dependencies;
mod error;
mod git;
mod list;
mod packages;
mod pythons;
mod recipes;
pub mod rewrite;
mod running;
mod selected;
mod session;
mod sources;
mod tailor;
mod test;
mod toolchains;
mod unlocked;
mod unpackers;
mod verdict;

pub use error::{Error, Kind};
pub use session::{Session, Terminal};
pub use verdict::Verdict;

/// What a goal's name stands for.
pub type Goal = fn(&mut Session) -> Result<Verdict, Error>;

/// By name, as the command line spells them.
pub const GOALS: [(&str, Goal); 4] =
    [("dependencies", dependencies::run), ("list", list::run), ("tailor", tailor::run), ("test", test::run)];

/// Sorted.
pub fn names() -> Vec<&'static str> {
    GOALS.iter().map(|(name, _)| *name).collect()
}

pub fn named(name: &str) -> Option<Goal> {
    GOALS.iter().find(|(known, _)| *known == name).map(|(_, goal)| *goal)
}
