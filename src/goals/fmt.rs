//! `fmt` and `fix`: run tools one after the other, each on the output of the one before, then write the changed files in
//! place. Each file is replaced as a whole or not at all.

use crate::config::typed::FixSettings;
use crate::goals::Error;
use crate::goals::call_results::CallResults;
use crate::prepare::calls::quality::enabled_in;
use crate::prepare::calls::{self, CallOutcomes, Contents, EnabledCall};
use crate::report::tool_result::Mode;
use crate::session::reuse::reused_or;
use crate::session::rewrite::{self, rewrite};
use crate::session::{Session, Verdict, selection};
use crate::tools::Kind;

/// Runs `fmt`: the formatters.
pub(super) fn fmt(session: &mut Session) -> Result<Verdict, Error> {
    let enabled = enabled_in(session, "fmt", &[Kind::Formatter])?;
    run(session, "fmt", enabled)
}

/// Runs `fix`: fixers, then formatters.
pub(super) fn fix(session: &mut Session) -> Result<Verdict, Error> {
    let kinds: &[Kind] = match FixSettings::parse(session.config()).skip_formatters {
        true => &[Kind::Fixer],
        false => &[Kind::Fixer, Kind::Formatter],
    };
    let enabled = enabled_in(session, "fix", kinds)?;
    run(session, "fix", enabled)
}

fn run(session: &mut Session, goal: &'static str, enabled: Vec<EnabledCall>) -> Result<Verdict, Error> {
    let done = reused_or(session, goal, |session| in_turn(session, goal, &enabled))?;
    if session.services.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    let mut results = CallResults::default();
    let contents = add_in_turn(session, &mut results, &done)?;
    let refused = write(session, &done.contents, &contents)?;
    results.remove_changed(&refused.iter().map(rewrite::Error::file).collect::<Vec<_>>());
    results.print(session, Mode::Rewrite);
    for error in &refused {
        session.ui.error(&with_cause(error), error.hint().as_deref());
    }
    let verdict = match results.verdict(Mode::Rewrite) {
        Verdict::Good if done.has_unreadable || !refused.is_empty() => Verdict::Bad(1),
        verdict => verdict,
    };
    results.print_json(session, goal, verdict)?;
    Ok(verdict)
}

/// Runs each tool on the output of the one before.
fn in_turn(session: &mut Session, goal: &str, enabled: &[EnabledCall]) -> Result<CallOutcomes, Error> {
    let partitioned = calls::partition_calls(session, enabled)?;
    if partitioned.is_empty() {
        selection::warn_if_nothing_exists(session, goal)?;
    }
    let (original, has_unreadable) = calls::read_contents(session, &partitioned)?;
    let mut done = CallOutcomes { contents: original, has_unreadable, ..CallOutcomes::default() };
    let mut contents = done.contents.clone();
    for call in &partitioned {
        let (calls, outcomes) = calls::run(session, goal, std::slice::from_ref(call), &contents)?;
        if session.services.was_interrupted() {
            break;
        }
        let mut results = CallResults::default();
        results.add(session, &calls, &outcomes, &contents)?;
        contents.append(&mut results.rewritten);
        done.add(calls, outcomes);
    }
    Ok(done)
}

/// Adds the results of all tools. Returns the final content of the files.
fn add_in_turn(session: &mut Session, results: &mut CallResults, done: &CallOutcomes) -> Result<Contents, Error> {
    let mut contents = done.contents.clone();
    for call in &done.calls {
        results.add(session, std::slice::from_ref(call), &done.outcomes, &contents)?;
        contents.append(&mut results.rewritten);
    }
    Ok(contents)
}

/// Writes the changed files. Returns an error for each file that could not be written.
fn write(session: &mut Session, original: &Contents, contents: &Contents) -> Result<Vec<rewrite::Error>, Error> {
    let store = session.services.open_store()?;
    let (mut refused, mut is_changed) = (Vec::new(), false);
    for (file, node) in contents {
        let before = original.get(file).and_then(|node| node.content());
        if node.content() == before {
            continue;
        }
        let Some(content) = node.content() else { continue };
        let written = rewrite(session.build_root(), file, before, &store.get(content)?);
        is_changed |= written.is_ok();
        refused.extend(written.err());
    }
    if is_changed {
        // Goals that follow must read the changed files.
        session.forget_repository();
    }
    Ok(refused)
}

/// The error and its cause in one line.
fn with_cause(error: &rewrite::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
