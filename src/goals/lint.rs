//! `lint`: every linter on the selected files, and what fixers and formatters would change. Nothing is written but
//! reports.

use crate::goals::call_results::{CallResults, keep_reports};
use crate::goals::regex_lint;
use crate::prepare::calls::{self, Done, Enabled};
use crate::report::tool_result::Mode;
use crate::report::tool_summary;
use crate::session::reuse::reused_or;
use crate::session::{Error, Session, Verdict};
use crate::tools::Kind;

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let enabled = match calls::enabled::enabled(session.config(), "lint", &kinds(session)) {
        // As with Pants, whose `lint` is always there.
        Err(Error::NoTool { .. }) => Vec::new(),
        enabled => without_doubles(enabled?),
    };
    let done = reused_or(session, "lint", |session| lint(session, &enabled))?;
    let mut results = CallResults::default();
    results.add(session, &done.calls, &done.outcomes, &done.contents)?;
    keep_reports(session, "lint", &done.calls, &done.outcomes)?;
    results.tools.extend(regex_lint::result(session)?.map(|result| (result.name.clone(), result)));
    if session.services.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    results.print(session, Mode::Report);
    advise(session, &results);
    let verdict = match results.verdict(Mode::Report) {
        Verdict::Good if done.unreadable => Verdict::Bad(1),
        verdict => verdict,
    };
    results.tell_machines(session, "lint", verdict)?;
    Ok(verdict)
}

fn kinds(session: &Session) -> Vec<Kind> {
    let wanted = |kind: &Kind| match kind {
        Kind::Fixer => !session.config().flag("lint", "skip_fixers"),
        Kind::Formatter => !session.config().flag("lint", "skip_formatters"),
        Kind::Linter => true,
        Kind::Checker => false,
    };
    [Kind::Linter, Kind::Fixer, Kind::Formatter].into_iter().filter(wanted).collect()
}

/// Without fixers whose changes a linter finds anyway.
fn without_doubles(mut enabled: Vec<Enabled>) -> Vec<Enabled> {
    let names: Vec<String> = enabled.iter().map(|enabled| enabled.call.name.clone()).collect();
    enabled.retain(|enabled| enabled.call.linted_by.as_ref().is_none_or(|linter| !names.contains(linter)));
    enabled
}

/// All tools at once, each on the files as they are.
fn lint(session: &mut Session, enabled: &[Enabled]) -> Result<Done, Error> {
    let works = calls::works(session, enabled)?;
    let (contents, unreadable) = calls::contents(session, &works)?;
    let (calls, outcomes) = calls::execute(session, "lint", &works, &contents)?;
    Ok(Done { calls, outcomes, contents, unreadable })
}

/// Which goal makes the changes that are wanted.
fn advise(session: &Session, results: &CallResults) {
    let config = session.config();
    let formatters = calls::enabled::enabled(config, "fmt", &[Kind::Formatter]).unwrap_or_default();
    let formatters: Vec<&str> = formatters.iter().map(|enabled| enabled.call.name.as_str()).collect();
    let command = config.text("GLOBAL", "pants_bin_name").unwrap_or("waders");
    if let Some(advice) = tool_summary::rewrite_hint(&results.list(), &formatters, command) {
        session.ui.summary(&advice);
    }
}
