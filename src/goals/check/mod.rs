//! `check`: each type checker once for every resolve and interpreter. Which checkers, on what, and what became of them is
//! told as for any tool (`calls`). What each process gets is `prepare`, mypy's own part of that is `mypy`; `verify` asks
//! once more from nothing.

mod advice;
mod verify;

use crate::goals::call_results::{CallResults, keep_reports};
use crate::prepare;
use crate::prepare::calls::prepare::Contents;
use crate::prepare::calls::{self, Done, Enabled, enabled};
use crate::report::tool_result::Mode;
use crate::session::reuse::reused_or;
use crate::session::{Error, Session, Verdict};
use crate::tools::Kind;

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let enabled = enabled::enabled(session.config(), "check", &[Kind::Checker])?;
    let config = session.config();
    let (force, verifies) = (config.flag("check", "force"), config.flag("check", "verify"));
    let Done { calls, outcomes, .. } = match verifies {
        // Two runs are compared step by step, so both are prepared.
        true => check(session, &enabled, force)?,
        false => reused_or(session, "check", |session| check(session, &enabled, force))?,
    };
    let mut results = CallResults::default();
    results.add(session, &calls, &outcomes, &Contents::new())?;
    keep_reports(session, "check", &calls, &outcomes)?;
    if session.services.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    results.print(session, Mode::Report);
    if let Some(advice) = advice::advice(session, &results) {
        session.ui.summary(&advice);
    }
    let mut verdict = results.verdict(Mode::Report);
    if verifies {
        let from_nothing = check(session, &enabled, true)?.outcomes;
        if session.services.was_interrupted() {
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
    let prepare = |session: &mut Session| prepare::check::prepare(session, &works, force);
    let (calls, outcomes) = calls::carry_out(session, &works, prepare)?;
    Ok(Done { calls, outcomes, contents: Contents::new(), unreadable: false })
}
