//! `attest`: says what results were made of, in documents that others can check. `documents` makes the documents of a step,
//! `output` signs and writes them, `verify` checks one, and `keygen` creates a key pair. Pants does not have this goal.

mod documents;
mod keygen;
mod output;
mod verify;

use std::collections::BTreeSet;

use crate::config::typed::{AttestOperation, AttestSettings};
use crate::goals::recorded::Recorded;
use crate::goals::{Error, check, lint, package, test};
use crate::prepare::attest::Closures;
use crate::prepare::package::KINDS;
use crate::session::{Session, Verdict, selection};
use crate::targets::kind;

/// The function that runs a goal and lists its steps.
type RecordedGoal = fn(&mut Session) -> Result<Recorded, Error>;

/// The goals whose results can be attested.
const GOALS: [(&str, RecordedGoal); 4] = [
    ("check", check::run_recorded),
    ("lint", lint::run_recorded),
    ("package", package::run_recorded),
    ("test", test::run_recorded),
];

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = AttestSettings::parse(session.config());
    match settings.operation {
        AttestOperation::Keygen => keygen::run(session),
        AttestOperation::Verify => verify::run(session, &settings),
        AttestOperation::Attest => attest(session, &settings),
    }
}

/// Runs goals and attests their results. The verdict is that of the first goal that failed; what the others did is attested, too.
fn attest(session: &mut Session, settings: &AttestSettings) -> Result<Verdict, Error> {
    selection::warn_without_specs(session, "attest")?;
    let goals = goals(session, settings)?;
    if goals.is_empty() && selection::has_selection(session)? {
        let hint = "name a goal: `attest lint`, `attest check`";
        session.ui.warn_with_hint("the selected targets have neither packages nor tests", hint);
    }
    let output = output::Output::new(session, settings)?;
    session.services.keep_executions();
    // All goals run first, because each may add a toolchain to the lockfile, whose hash is attested.
    let mut all = Vec::new();
    for (name, run) in goals {
        let recorded = run(session)?;
        if recorded.verdict == Verdict::Interrupted {
            return Ok(Verdict::Interrupted);
        }
        all.push((name, recorded));
    }
    let failed = all.iter().map(|(_, recorded)| recorded.verdict).find(|verdict| *verdict != Verdict::Good);
    let mut count = 0;
    for (name, recorded) in all {
        let Some(execution) = recorded.execution else { continue };
        let closures = Closures::new(session, execution)?;
        let context = documents::RunContext::new(session, settings, name)?;
        for step in recorded.steps.iter().filter(|step| closures.result(step.step).is_some()) {
            let phase = session.ui.console.phase("attesting results");
            let documents = documents::of_step(session, &context, &closures, step)?;
            drop(phase);
            count += output.write(session, name, documents)?;
        }
    }
    if count > 0 && !output.signs() {
        let hint = "name a private key in `[attest] sign_with` or `sign_with_env`; `attest keygen FILE` creates one";
        session.ui.warn_with_hint("the attestations are not signed, so that nobody can rely on them", hint);
    }
    Ok(failed.unwrap_or(Verdict::Good))
}

/// The goals that the command line names, each once, in its order; by default, those that the selected targets have.
fn goals(session: &mut Session, settings: &AttestSettings) -> Result<Vec<(&'static str, RecordedGoal)>, Error> {
    let find = |name: &str| GOALS.into_iter().find(|(known, _)| *known == name);
    let mut found: Vec<(&str, RecordedGoal)> = Vec::new();
    for name in &settings.goals {
        let goal = find(name).ok_or_else(|| Error::NotAttested(name.clone()))?;
        if found.iter().all(|(known, _)| *known != goal.0) {
            found.push(goal);
        }
    }
    if !settings.goals.is_empty() {
        return Ok(found);
    }
    let graph = session.load_graph()?;
    let selected = selection::with_generated(session)?;
    let kinds: BTreeSet<&str> = selected.iter().filter_map(|address| Some(graph.get(address)?.kind.as_str())).collect();
    let is_package = kinds.iter().any(|kind| KINDS.contains(kind));
    let wanted = [("package", is_package), ("test", kinds.contains(kind::PYTHON_TEST))];
    Ok(wanted.into_iter().filter(|(_, is_wanted)| *is_wanted).filter_map(|(name, _)| find(name)).collect())
}
