//! `lint`: runs every linter on the selected files, and reports what fixers and formatters would change. No source is
//! changed.

use crate::config::typed::LintSettings;
use crate::goals::Error;
use crate::goals::call_results::{CallResults, keep_reports};
use crate::goals::recorded::{self, Recorded};
use crate::goals::regex_lint;
use crate::prepare;
use crate::prepare::calls::quality::enabled_in;
use crate::prepare::calls::{self, CallOutcomes, EnabledCall};
use crate::report::tool_result::Mode;
use crate::report::tool_summary;
use crate::session::reuse::reused_or;
use crate::session::{Session, Verdict, selection};
use crate::tools::Kind;

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    Ok(run_recorded(session)?.verdict)
}

/// Runs the goal and lists its steps.
pub(super) fn run_recorded(session: &mut Session) -> Result<Recorded, Error> {
    let enabled = match enabled_in(session, "lint", &kinds(session)) {
        // As in Pants, `lint` without tools is not an error.
        Err(prepare::Error::NoTool { .. }) => Vec::new(),
        enabled => without_duplicates(enabled?),
    };
    let done = reused_or(session, "lint", |session| lint(session, &enabled))?;
    let execution = session.services.last_execution().cloned();
    let mut results = CallResults::default();
    results.add(session, &done.calls, &done.outcomes, &done.contents)?;
    keep_reports(session, "lint", &done.calls, &done.outcomes)?;
    results.tools.extend(regex_lint::result(session)?.map(|result| (result.name.clone(), result)));
    if session.services.was_interrupted() {
        return Ok(Recorded::without_steps(Verdict::Interrupted));
    }
    results.print(session, Mode::Report);
    advise(session, &results);
    let verdict = match results.verdict(Mode::Report) {
        Verdict::Good if done.has_unreadable => Verdict::Bad(1),
        verdict => verdict,
    };
    results.write_reports(session, "lint", verdict)?;
    Ok(Recorded { verdict, steps: recorded::steps_of_calls(&done.calls, &results), execution })
}

fn kinds(session: &Session) -> Vec<Kind> {
    let settings = LintSettings::parse(session.config());
    let is_included = |kind: &Kind| match kind {
        Kind::Fixer => !settings.skip_fixers,
        Kind::Formatter => !settings.skip_formatters,
        Kind::Linter => true,
        Kind::Checker => false,
    };
    [Kind::Linter, Kind::Fixer, Kind::Formatter].into_iter().filter(is_included).collect()
}

/// Removes fixers whose changes an enabled linter reports anyway.
fn without_duplicates(mut enabled: Vec<EnabledCall>) -> Vec<EnabledCall> {
    let names: Vec<String> = enabled.iter().map(|enabled| enabled.call.name.clone()).collect();
    enabled.retain(|enabled| enabled.call.linted_by.as_ref().is_none_or(|linter| !names.contains(linter)));
    enabled
}

/// Runs all tools at the same time, each on the files as they are.
fn lint(session: &mut Session, enabled: &[EnabledCall]) -> Result<CallOutcomes, Error> {
    let calls = calls::partition_calls(session, enabled)?;
    if calls.is_empty() {
        selection::warn_if_nothing_exists(session, "lint")?;
    }
    let (contents, has_unreadable) = calls::read_contents(session, &calls)?;
    let (calls, outcomes) = calls::run(session, "lint", &calls, &contents)?;
    Ok(CallOutcomes { calls, outcomes, contents, has_unreadable })
}

/// Names the goals that fix the findings.
fn advise(session: &mut Session, results: &CallResults) {
    let formatters = enabled_in(session, "fmt", &[Kind::Formatter]).unwrap_or_default();
    let formatters: Vec<&str> = formatters.iter().map(|enabled| enabled.call.name.as_str()).collect();
    let command = session.context.global().bin_name;
    if let Some(advice) = tool_summary::rewrite_hint(&results.list(), &formatters, &command) {
        session.ui.summary(&advice);
    }
}
