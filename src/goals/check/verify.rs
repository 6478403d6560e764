//! `--check-verify`: what checkers found with what they remembered, beside what they find from nothing.

use std::fmt::Write;

use crate::action::Exit;
use crate::base::Digest;
use crate::engine::executor::Results;
use crate::goals::call_results::from_build_root;
use crate::prepare::calls::PlannedCall;
use crate::session::{Error, Kind, Session, Verdict, failure};

/// Good where all is the same; what is not is told. The run from nothing has already taken the place of what was kept.
pub fn verify(
    session: &mut Session,
    calls: &[PlannedCall],
    outcomes: &Results,
    from_nothing: &Results,
) -> Result<Verdict, Error> {
    let store = session.services.open_store()?;
    let text = |digest: Digest| Ok::<_, Error>(from_build_root(&String::from_utf8_lossy(&store.get(digest)?)));
    let (mut compared, mut worst) = (0, Verdict::Good);
    for (call, batch) in calls.iter().flat_map(|call| call.batches.iter().map(move |batch| (call, batch))) {
        // What was not run in the first place is told already.
        let Ok((_, _, found)) = failure::ran(&batch.step, outcomes) else { continue };
        let partition = batch.partition.as_ref().map(|partition| format!(" for {partition}")).unwrap_or_default();
        let name = format!("{}{partition}", call.enabled.call.name);
        let truth = match failure::ran(&batch.step, from_nothing) {
            Ok((_, _, truth)) => truth,
            Err(failure) => {
                session.ui.error(&format!("{name} was not run from nothing: {}", failure.message), None);
                worst = Verdict::Prevented(failure.kind);
                continue;
            }
        };
        compared += 1;
        if found.stdout == truth.stdout && found.exit == truth.exit {
            continue;
        }
        session.ui.error(
            &format!("{name} finds something else from nothing than with what it remembered"),
            Some("what it remembered is forgotten now; please report this, with the lines below"),
        );
        session.ui.text(&differences(&text(found.stdout)?, &text(truth.stdout)?, [found.exit, truth.exit]));
        worst = Verdict::Prevented(Kind::Bug);
    }
    if compared > 0 && worst == Verdict::Good {
        session.ui.summary("verified: the checkers find the same from nothing.");
    }
    Ok(worst)
}

/// Lines that only one of two outputs has, and where they stand.
fn differences(found: &str, truth: &str, endings: [Exit; 2]) -> String {
    let [found, truth] = [found, truth].map(|text| text.lines().collect::<Vec<_>>());
    let mut out = format!("--- with what it remembered ({})\n+++ from nothing ({})\n", endings[0], endings[1]);
    for (sign, one, other) in [('-', &found, &truth), ('+', &truth, &found)] {
        for line in one.iter().filter(|line| !other.contains(line)) {
            writeln!(out, "{sign}{line}").expect("a String takes all writes");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_lines_of_either_side() {
        let text = differences("a\nb\n", "b\nc\n", [Exit::Code(1), Exit::Code(1)]);
        assert!(text.ends_with("-a\n+c\n"), "{text}");
    }
}
