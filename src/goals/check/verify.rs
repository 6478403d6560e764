//! `--check-verify`: what checkers found with what they remembered, beside what they find from nothing.

use crate::action::{Exit, Outcome};
use crate::base::Digest;
use crate::engine::executor::Results;
use crate::goals::check::prepare::PreparedCheck;
use crate::goals::{Error, Session};
use crate::report::check_result::{differences, readable};

/// Whether all is the same; what is not is told. The run from nothing has already taken the place of what was kept.
pub fn verify(
    session: &mut Session,
    checks: &[PreparedCheck],
    outcomes: &Results,
    from_nothing: &Results,
) -> Result<bool, Error> {
    let store = session.store()?;
    let mut all_same = true;
    for check in checks {
        let Ok(step) = &check.step else { continue };
        let (Some(found), Some(truth)) = (outcome(outcomes, step), outcome(from_nothing, step)) else { continue };
        if same(found, truth) {
            continue;
        }
        all_same = false;
        let text = |digest: Digest| Ok::<_, Error>(readable(&String::from_utf8_lossy(&store.get(digest)?)));
        let (name, partition) = (&check.checker.call.name, &check.partition);
        session.tell(
            "error",
            &format!("{name} ({partition}) finds something else from nothing than with what it remembered"),
            Some("what it remembered is forgotten now; please report this, with the lines below"),
        );
        let endings = [found, truth].map(|outcome| outcome.exit);
        eprint!("{}", differences(&text(found.stdout)?, &text(truth.stdout)?, endings));
    }
    if all_same {
        eprintln!("verified: the checkers find the same from nothing.");
    }
    Ok(all_same)
}

fn outcome<'r>(results: &'r Results, step: &crate::action::StepId) -> Option<&'r Outcome> {
    results.get(step)?.as_ref().ok()?.outcome.as_ref().map(|(_, outcome)| outcome)
}

fn same(found: &Outcome, truth: &Outcome) -> bool {
    found.stdout == truth.stdout && ending(found.exit) == ending(truth.exit)
}

fn ending(exit: Exit) -> String {
    exit.to_string()
}
