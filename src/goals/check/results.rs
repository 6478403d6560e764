//! What became of the checks: read from the store and told on the screen.

use crate::action::Exit;
use crate::base::RelPath;
use crate::engine::executor::Results;
use crate::goals::check::checkers::Checker;
use crate::goals::check::prepare::PreparedCheck;
use crate::goals::failure;
use crate::goals::{Error, Kind, Session, Verdict};
use crate::plan::check_run::REPORTS;
use crate::report::check_result::{self, CheckResult, Status};

/// In the order of the checks.
pub fn results(
    session: &mut Session,
    checks: &[PreparedCheck],
    outcomes: &Results,
) -> Result<Vec<(CheckResult, Option<Kind>)>, Error> {
    checks.iter().map(|check| result(session, check, outcomes)).collect()
}

fn result(
    session: &mut Session,
    check: &PreparedCheck,
    outcomes: &Results,
) -> Result<(CheckResult, Option<Kind>), Error> {
    let mut result = CheckResult {
        checker: check.checker.call.name.clone(),
        partition: check.partition.clone(),
        status: Status::Passed,
        origin: None,
        wall: std::time::Duration::ZERO,
        output: String::new(),
    };
    let (_, origin, outcome) = match failure::ran(&check.step, outcomes) {
        Ok(ran) => ran,
        Err(failure) => {
            result.status = Status::NotRun(failure.message);
            return Ok((result, Some(failure.kind)));
        }
    };
    let store = session.store()?;
    let text = |digest| Ok::<_, Error>(String::from_utf8_lossy(&store.get(digest)?).into_owned());
    // What could not be done at all comes first, and is told even where nothing was found.
    let warnings = check_result::readable(&text(outcome.stderr)?);
    let output = check_result::readable(&text(outcome.stdout)?);
    result.status = match outcome.exit {
        Exit::Code(0) => Status::Passed,
        Exit::Code(code) if check.checker.call.finding_codes.contains(&code) => Status::Found(code),
        exit => Status::Failed(exit),
    };
    result.output = match result.status {
        Status::Failed(_) => advised(session, &check.checker, warnings + &output),
        Status::Passed if !has_findings(&check.checker, &output) => warnings,
        _ => warnings + &output,
    };
    (result.origin, result.wall) = (Some(origin), outcome.wall);
    Ok((result, None))
}

/// Warnings alone are no failure for some checkers, and are shown all the same.
fn has_findings(checker: &Checker, output: &str) -> bool {
    let Some(finding) = checker.call.finding.as_deref().and_then(|text| regex::Regex::new(text).ok()) else {
        return false;
    };
    output.lines().any(|line| finding.is_match(line))
}

/// With what to do where the checker's own words leave that open.
fn advised(session: &Session, checker: &Checker, output: String) -> String {
    match check_result::missing_plugin(&output) {
        Some(plugin) => {
            let origin = crate::goals::pythons::origin(session, &checker.tool.scope);
            format!("{output}hint: add the distribution that has `{plugin}` to {origin}\n")
        }
        None => output,
    }
}

/// What report options of mypy wrote, to `dist/check/mypy`.
pub fn copy_reports(session: &mut Session, checks: &[PreparedCheck], outcomes: &Results) -> Result<(), Error> {
    let store = session.store()?;
    let reports = RelPath::parse(REPORTS)?;
    for check in checks {
        let Some(Ok(done)) = check.step.as_ref().ok().and_then(|step| outcomes.get(step)) else { continue };
        let Some(tree) = store.subtree(done.tree, &reports)? else { continue };
        if !store.tree(tree)?.nodes.is_empty() {
            store.copy_out(tree, &session.dist_dir().join("check").join(&check.checker.call.name))?;
        }
    }
    Ok(())
}

pub fn print(session: &Session, checkers: &[Checker], results: &[(CheckResult, Option<Kind>)]) {
    let colour = session.terminal.colour;
    for checker in checkers {
        let own = results.iter().map(|(result, _)| result).filter(|result| result.checker == checker.call.name);
        let own: Vec<&CheckResult> = own.collect();
        own.iter().for_each(|result| eprint!("{}", check_result::block(result, own.len() > 1, colour)));
    }
    for checker in checkers {
        let own = results.iter().map(|(result, _)| result).filter(|result| result.checker == checker.call.name);
        if let Some(line) = check_result::summary_line(&own.collect::<Vec<_>>(), colour) {
            eprintln!("{line}");
        }
    }
}

/// The worst exit code of the checkers, or what kept all that did not run from it.
pub fn verdict(results: &[(CheckResult, Option<Kind>)]) -> Verdict {
    let codes = results.iter().filter_map(|(result, _)| result.exit_code());
    let worst = codes.max().unwrap_or(0);
    match failure::common(results.iter().filter_map(|(_, kind)| *kind)) {
        Some(kind) if worst == 0 => Verdict::Prevented(kind),
        None if worst == 0 && results.iter().any(|(_, kind)| kind.is_some()) => Verdict::Bad(1),
        _ => Verdict::of_exit_code(worst),
    }
}
