//! `version`: which Waders this is.

use crate::goals::{Error, Session, Verdict};

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    session.print(&format!("{}\n", env!("CARGO_PKG_VERSION")))?;
    Ok(Verdict::Good)
}
