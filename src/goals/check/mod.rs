//! `check`: each type checker, once for every resolve and interpreter. Their processes are planned in `prepare::check`;
//! results are reported as for any tool. `verify` runs the checkers once more without incremental state and compares.

mod advice;
mod verify;

use crate::config::typed::CheckSettings;
use crate::goals::Error;
use crate::goals::call_results::{CallResults, keep_reports};
use crate::goals::recorded::{self, Recorded};
use crate::prepare;
use crate::prepare::calls::enabled::enabled_calls;
use crate::prepare::calls::{self, CallOutcomes, Contents, EnabledCall};
use crate::report::tool_result::Mode;
use crate::session::reuse::reused_or;
use crate::session::{Session, Verdict, selection};
use crate::tools::Kind;

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    Ok(run_recorded(session)?.verdict)
}

/// Runs the goal and lists its steps.
pub(super) fn run_recorded(session: &mut Session) -> Result<Recorded, Error> {
    let enabled = enabled_calls(session.config(), "check", &[Kind::Checker], Vec::new())?;
    let CheckSettings { force, verify } = CheckSettings::parse(session.config());
    let CallOutcomes { calls, outcomes, .. } = match verify {
        // Two runs are compared step by step, so both are planned.
        true => check(session, &enabled, force)?,
        false => reused_or(session, "check", |session| check(session, &enabled, force))?,
    };
    let execution = session.services.last_execution().cloned();
    let mut results = CallResults::default();
    results.add(session, &calls, &outcomes, &Contents::new())?;
    keep_reports(session, "check", &calls, &outcomes)?;
    if session.services.was_interrupted() {
        return Ok(Recorded::without_steps(Verdict::Interrupted));
    }
    results.print(session, Mode::Report);
    if let Some(advice) = advice::advice(session, &results) {
        session.ui.summary(&advice);
    }
    let mut verdict = results.verdict(Mode::Report);
    if verify {
        let from_nothing = check(session, &enabled, true)?.outcomes;
        if session.services.was_interrupted() {
            return Ok(Recorded::without_steps(Verdict::Interrupted));
        }
        match verify::verify(session, &calls, &outcomes, &from_nothing)? {
            Verdict::Good => {}
            worse => verdict = worse,
        }
    }
    results.write_reports(session, "check", verdict)?;
    Ok(Recorded { verdict, steps: recorded::steps_of_calls(&calls, &results), execution })
}

/// Runs the checkers. `force`: cached results and incremental state are ignored.
fn check(session: &mut Session, enabled: &[EnabledCall], force: bool) -> Result<CallOutcomes, Error> {
    let calls = calls::partition_calls(session, enabled)?;
    if calls.is_empty() {
        selection::warn_if_nothing_exists(session, "check")?;
    }
    let plan = |session: &mut Session| prepare::check::plan(session, &calls, force);
    let (calls, outcomes) = calls::run_planned(session, "check", &calls, plan)?;
    Ok(CallOutcomes { calls, outcomes, contents: Contents::new(), has_unreadable: false })
}
