//! `list`: the selected targets' addresses, one a line.

use crate::goals::{Error, Session, Verdict};

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let selected = session.selected()?;
    if selected.is_empty() {
        session.warn("no targets were matched by the command line");
        return Ok(Verdict::Good);
    }
    let lines = selected.iter().map(ToString::to_string).collect::<Vec<_>>();
    session.output("list", &lines)?;
    Ok(Verdict::Good)
}
