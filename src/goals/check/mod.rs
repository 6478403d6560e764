//! `check`: each type checker once for every resolve and interpreter. Which checkers, on what, and what became of them is
//! told as for any tool (`calls`). What each process gets is `prepare`, mypy's own part of that is `mypy`; `verify` asks
//! once more from nothing.

mod mypy;
mod prepare;
mod verify;

use crate::goals::calls::prepare::Contents;
use crate::goals::calls::results::{CallResults, keep_reports};
use crate::goals::calls::{self, enabled};
use crate::goals::{Error, Session, Verdict};
use crate::report::tool_result::Asked;
use crate::tools::Kind;

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let enabled = enabled::enabled(session.config(), "check", &[Kind::Checker])?;
    let works = calls::works(session, enabled)?;
    let check = |session: &mut Session, force| {
        calls::carry_out(session, &works, |session| prepare::prepare(session, &works, force))
    };
    let force = session.config().flag("check", "force");
    let (calls, outcomes) = check(session, force)?;
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
    if session.config().flag("check", "verify") {
        let (_, from_nothing) = check(session, true)?;
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
