//! `check`: each type checker once for every resolve and interpreter. Which checkers, on what, and what became of them is
//! told as for any tool (`calls`). What each process gets is `prepare`, mypy's own part of that is `mypy`; `verify` asks
//! once more from nothing.

mod mypy;
mod prepare;
mod verify;

use crate::goals::calls::prepare::Contents;
use crate::goals::calls::results::{CallResults, keep_reports};
use crate::goals::calls::{self, Done, Enabled, enabled};
use crate::goals::retrace::repeated;
use crate::goals::{Error, Session, Verdict};
use crate::report::tool_result::Asked;
use crate::tools::Kind;

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let enabled = enabled::enabled(session.config(), "check", &[Kind::Checker])?;
    let config = session.config();
    let (force, verifies) = (config.flag("check", "force"), config.flag("check", "verify"));
    let Done { calls, outcomes, .. } = match verifies {
        // Two runs are compared step by step, so both are prepared.
        true => check(session, &enabled, force)?,
        false => repeated(session, "check", |session| check(session, &enabled, force))?,
    };
    let mut results = CallResults::default();
    results.add(session, &calls, &outcomes, &Contents::new())?;
    keep_reports(session, "check", &calls, &outcomes)?;
    if session.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    results.print(session, Asked::Tell);
    if let Some(advice) = mypy::advice(session, &results) {
        eprintln!("{advice}");
    }
    let mut verdict = results.verdict(Asked::Tell);
    if verifies {
        let from_nothing = check(session, &enabled, true)?.outcomes;
        if session.was_interrupted() {
            return Ok(Verdict::Interrupted);
        }
        match verify::verify(session, &calls, &outcomes, &from_nothing)? {
            Verdict::Good => {}
            worse => verdict = worse,
        }
    }
    results.tell_machines(session, "check", verdict)?;
    Ok(verdict)
}

/// `force`: each checker from nothing, whatever is known.
fn check(session: &mut Session, enabled: &[Enabled], force: bool) -> Result<Done, Error> {
    let works = calls::works(session, enabled)?;
    let prepare = |session: &mut Session| prepare::prepare(session, &works, force);
    let (calls, outcomes) = calls::carry_out(session, &works, prepare)?;
    Ok(Done { calls, outcomes, contents: Contents::new(), unreadable: false })
}
