//! `doctor`: what Waders needs of this machine, one line for each check, and what to do where something is missing. The checks are in
//! `session::checkup`. Pants does not have this goal. It also works outside a repository.

use serde::Serialize;

use crate::base::ErrorKind;
use crate::config::typed::DoctorSettings;
use crate::goals::Error;
use crate::report;
use crate::session::checkup::{self, Check, CheckState};
use crate::session::{Session, Verdict};

/// Raised when the JSON output of this goal changes.
const SCHEMA_VERSION: u32 = 1;

/// The whole result, for `--json`.
#[derive(Serialize)]
struct Checkup<'a> {
    schema_version: u32,
    version: &'static str,
    checks: Vec<CheckRow<'a>>,
}

#[derive(Serialize)]
struct CheckRow<'a> {
    name: &'a str,
    state: &'static str,
    detail: &'a str,
    advice: Option<&'a str>,
}

impl CheckRow<'_> {
    fn of(check: &Check) -> CheckRow<'_> {
        let Check { name, state, detail, advice } = check;
        CheckRow { name, state: word(*state), detail, advice: advice.as_deref() }
    }
}

/// Runs the goal. The exit code is that of a run which fails for the first of the reasons that were found.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let phase = session.ui.console.phase("checking this machine");
    let checks = checkup::check_all(session);
    drop(phase);
    let printed = match DoctorSettings::parse(session.config()).json {
        true => json(&checks),
        false => text(&checks),
    };
    session.ui.print(&printed)?;
    Ok(first_failure(&checks).map_or(Verdict::Good, Verdict::Prevented))
}

fn first_failure(checks: &[Check]) -> Option<ErrorKind> {
    checks.iter().find_map(|check| match check.state {
        CheckState::Failed(kind) => Some(kind),
        _ => None,
    })
}

fn word(state: CheckState) -> &'static str {
    match state {
        CheckState::Fine => "ok",
        CheckState::Warning => "warning",
        CheckState::Failed(_) => "failed",
    }
}

fn json(checks: &[Check]) -> String {
    let checks = checks.iter().map(CheckRow::of).collect();
    report::pretty(&Checkup { schema_version: SCHEMA_VERSION, version: env!("CARGO_PKG_VERSION"), checks }, 2) + "\n"
}

fn text(checks: &[Check]) -> String {
    let mut out = String::new();
    for Check { name, state, detail, advice } in checks {
        out += &format!("{:<8} {name}: {}\n", word(*state), detail.replace('\n', "\n         "));
        if let Some(advice) = advice {
            out += &format!("         hint: {}\n", advice.replace('\n', "\n         "));
        }
    }
    let count = |wanted: &str| checks.iter().filter(|check| word(check.state) == wanted).count();
    let warnings = count("warning");
    let noun = if warnings == 1 { "warning" } else { "warnings" };
    out + &format!("{} ok, {warnings} {noun}, {} failed\n", count("ok"), count("failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, state: CheckState, advice: Option<&str>) -> Check {
        let (name, detail) = (name.to_owned(), "found".to_owned());
        Check { name, state, detail, advice: advice.map(str::to_owned) }
    }

    #[test]
    fn each_check_has_a_line_and_what_to_do_below_it() {
        let checks = [
            check("kernel", CheckState::Fine, None),
            check("free disk", CheckState::Warning, Some("free some\nspace")),
            check("index", CheckState::Failed(ErrorKind::Unavailable), Some("check the proxy")),
        ];
        let expected = "ok       kernel: found
warning  free disk: found
         hint: free some
         space
failed   index: found
         hint: check the proxy
1 ok, 1 warning, 1 failed
";
        assert_eq!(text(&checks), expected);
        assert!(json(&checks).contains("\"state\": \"failed\""));
    }

    #[test]
    fn the_exit_code_is_that_of_the_first_failure() {
        let failed = |kind| check("x", CheckState::Failed(kind), None);
        assert_eq!(first_failure(&[check("x", CheckState::Warning, None)]), None);
        let both = [failed(ErrorKind::Sandbox), failed(ErrorKind::Unavailable)];
        assert_eq!(first_failure(&both), Some(ErrorKind::Sandbox));
    }
}
