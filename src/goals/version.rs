//! `version`: which Waders this is.

use crate::session::{Error, Session, Verdict};

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    session.ui.print(&format!("{}\n", env!("CARGO_PKG_VERSION")))?;
    Ok(Verdict::Good)
}
