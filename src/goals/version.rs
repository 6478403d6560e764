//! `version`: prints the version of Waders.

use crate::goals::Error;
use crate::session::{Session, Verdict};

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    session.ui.print(&format!("{}\n", env!("CARGO_PKG_VERSION")))?;
    Ok(Verdict::Good)
}
