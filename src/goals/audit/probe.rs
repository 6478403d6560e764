//! `audit --probe`: reports what this machine isolates. First the features of the kernel and the enclosing container, then the
//! leak tests, which `prepare::probe` plans.

use serde::Serialize;

use crate::action::{Exit, Outcome};
use crate::base::ErrorKind;
use crate::engine::local::machine::{self, Feature, FeatureState};
use crate::goals::Error;
use crate::prepare::probe::{self, PlannedProbes};
use crate::report;
use crate::report::limits::SHOWN_BYTES;
use crate::session::failure::{self, Failure};
use crate::session::{Session, Verdict, execute};
use crate::store::Store;

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Check {
    name: String,
    result: CheckResult,
    /// Why it was skipped or failed, or a detail.
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum CheckResult {
    Pass,
    Skip,
    Fail,
}

/// The whole result, for `--json`.
#[derive(Serialize)]
struct Probe<'a> {
    schema_version: u32,
    kernel: &'a str,
    checks: &'a [Check],
}

/// Runs the checks and prints a line for each.
pub(super) fn run(session: &mut Session, json: bool) -> Result<Verdict, Error> {
    let (kernel, features) = machine::features().map_err(|error| Error::NotStarted(Failure::from_step(&error)))?;
    let can_run = !features.iter().any(|feature| matches!(feature.state, FeatureState::Missing(_)));
    let mut checks: Vec<Check> = features.into_iter().map(feature_check).collect();
    if can_run {
        let PlannedProbes { graph, steps } = probe::plan(session)?;
        let ids: Vec<_> = steps.iter().map(|(_, id)| *id).collect();
        let results = execute::execute(session, graph, &ids, false)?;
        let store = session.services.open_store()?;
        for (name, id) in steps {
            let name = format!("leak test {name}");
            checks.push(match failure::ran(&Ok(id), &results) {
                Ok((_, _, outcome)) => leak_check(&store, name, outcome),
                Err(failure) => Check { name, result: CheckResult::Fail, detail: failure.message },
            });
        }
    }
    if session.services.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    let printed = match json {
        true => report::pretty(&Probe { schema_version: 1, kernel: &kernel, checks: &checks }, 2) + "\n",
        false => text(&kernel, &checks),
    };
    session.ui.print(&printed)?;
    Ok(match checks.iter().any(|check| check.result == CheckResult::Fail) {
        false => Verdict::Good,
        true if can_run => Verdict::Bad(1),
        true => Verdict::Prevented(ErrorKind::Sandbox),
    })
}

fn feature_check(Feature { name, state, remedy }: Feature) -> Check {
    let (result, detail) = match state {
        FeatureState::Present(detail) => (CheckResult::Pass, detail),
        FeatureState::Optional(reason) => (CheckResult::Skip, reason),
        FeatureState::Missing(reason) => {
            (CheckResult::Fail, [reason].into_iter().chain(remedy).collect::<Vec<_>>().join("; "))
        }
    };
    Check { name, result, detail }
}

/// Each line that a leak test prints is a leak, unless the first one says why it cannot run here.
fn leak_check(store: &Store, name: String, outcome: &Outcome) -> Check {
    let excerpt = |digest| store.excerpt(digest, SHOWN_BYTES).unwrap_or_default();
    let (stdout, stderr) = (excerpt(outcome.stdout), excerpt(outcome.stderr));
    // The limits are those of the settings instead of those that the test expects.
    let stdout: String =
        stdout.lines().filter(|line| !line.starts_with("limit ")).map(|line| format!("{line}\n")).collect();
    let skipped = stdout.lines().find_map(|line| line.strip_prefix("skipped: "));
    let (result, detail) = match (outcome.exit, skipped) {
        (Exit::Code(0), Some(reason)) => (CheckResult::Skip, reason.to_owned()),
        (Exit::Code(0), None) if stdout.is_empty() => (CheckResult::Pass, String::new()),
        (Exit::Code(0), None) => (CheckResult::Fail, stdout.trim_end().to_owned()),
        (exit, _) => (CheckResult::Fail, format!("{exit}\n{stdout}{stderr}").trim_end().to_owned()),
    };
    Check { name, result, detail }
}

fn text(kernel: &str, checks: &[Check]) -> String {
    let mut out = format!("isolation on this machine (Linux {kernel})\n");
    for Check { name, result, detail } in checks {
        let word = match result {
            CheckResult::Pass => "pass",
            CheckResult::Skip => "skip",
            CheckResult::Fail => "fail",
        };
        let detail =
            if detail.is_empty() { String::new() } else { format!(": {}", detail.replace('\n', "\n        ")) };
        out += &format!("  {word}  {name}{detail}\n");
    }
    let count = |wanted| checks.iter().filter(|check| check.result == wanted).count();
    let [passed, skipped, failed] = [CheckResult::Pass, CheckResult::Skip, CheckResult::Fail].map(count);
    out + &format!("{passed} passed, {skipped} skipped, {failed} failed\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_feature_is_a_failure_with_its_remedy() {
        let feature = |name: &str, state, remedy: Option<&str>| Feature {
            name: name.to_owned(),
            state,
            remedy: remedy.map(str::to_owned),
        };
        let checks = [
            feature_check(feature("namespaces", FeatureState::Missing("denied".to_owned()), Some("run on the host"))),
            feature_check(feature("Landlock", FeatureState::Present("ABI 7".to_owned()), Some("boot another kernel"))),
        ];
        let expected = "isolation on this machine (Linux 6.12.0)
  fail  namespaces: denied; run on the host
  pass  Landlock: ABI 7
1 passed, 0 skipped, 1 failed
";
        assert_eq!(text("6.12.0", &checks), expected);
    }
}
