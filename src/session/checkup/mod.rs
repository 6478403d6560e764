//! What Waders needs of this machine, of its services and of the repository, checked for the goal `doctor`: whether it is there, and what
//! to do otherwise. Nothing is installed, locked or changed; only an empty store is created, as by any run.

mod disk;
mod isolation;
mod repository;
mod servers;

use std::fmt;

use crate::base::{ErrorKind, error_chain};
use crate::session::Session;

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is checked, as a noun.
    pub name: String,
    /// The result.
    pub state: CheckState,
    /// What was found.
    pub detail: String,
    /// What the user can do, unless everything is well.
    pub advice: Option<String>,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// Everything is well.
    Fine,
    /// Most runs work, but some may not, or are slower than necessary.
    Warning,
    /// Runs fail. The kind decides the exit code.
    Failed(ErrorKind),
}

impl Check {
    /// A check that found nothing to complain about.
    fn fine(name: &str, detail: impl fmt::Display) -> Check {
        Check { name: name.to_owned(), state: CheckState::Fine, detail: detail.to_string(), advice: None }
    }

    /// A check that found something that matters to some runs.
    fn warning(name: &str, detail: impl fmt::Display, advice: impl Into<String>) -> Check {
        let advice = Some(advice.into());
        Check { name: name.to_owned(), state: CheckState::Warning, detail: detail.to_string(), advice }
    }

    /// A check that found why runs fail.
    fn failed(name: &str, kind: ErrorKind, detail: impl fmt::Display, advice: Option<String>) -> Check {
        Check { name: name.to_owned(), state: CheckState::Failed(kind), detail: detail.to_string(), advice }
    }

    /// A check that failed with an error.
    fn from_error(name: &str, kind: ErrorKind, error: &dyn std::error::Error, advice: Option<String>) -> Check {
        Check::failed(name, kind, error_chain(error), advice)
    }
}

/// Makes all checks, in the order of a report. Servers are asked side by side, for a limited time.
pub fn check_all(session: &mut Session) -> Vec<Check> {
    let asked = servers::ask(session);
    let mut checks = isolation::check(session);
    checks.extend(disk::check(session));
    checks.extend(repository::check(session));
    checks.extend(asked.into_iter().map(servers::Question::answer));
    checks
}
