//! `--check-verify`: compares the findings of checkers with and without incremental state.

use std::fmt::Write;

use crate::action::Exit;
use crate::base::{Digest, ErrorKind};
use crate::engine::executor::Results;
use crate::goals::Error;
use crate::goals::call_results::strip_sandbox_root;
use crate::prepare::calls::PlannedCall;
use crate::report::limits::PARSED_BYTES;
use crate::session::{Session, Verdict, failure};

/// Good if both runs have the same findings; differences are reported. `from_nothing` are the outcomes without incremental
/// state, which have already replaced those in the cache.
pub(super) fn verify(
    session: &mut Session,
    calls: &[PlannedCall],
    outcomes: &Results,
    from_nothing: &Results,
) -> Result<Verdict, Error> {
    let store = session.services.open_store()?;
    let text = |digest: Digest| Ok::<_, Error>(strip_sandbox_root(&store.excerpt(digest, PARSED_BYTES)?));
    let (mut compared, mut worst) = (0, Verdict::Good);
    for (call, batch) in calls.iter().flat_map(|call| call.batches.iter().map(move |batch| (call, batch))) {
        // A process that did not run in the first place is reported already.
        let Ok((_, _, found)) = failure::ran(&batch.step, outcomes) else { continue };
        let partition = batch.partition.as_ref().map(|partition| format!(" for {partition}")).unwrap_or_default();
        let name = format!("{}{partition}", call.enabled.call.name);
        let truth = match failure::ran(&batch.step, from_nothing) {
            Ok((_, _, truth)) => truth,
            Err(failure) => {
                session.ui.error(&format!("{name} did not run without incremental state: {}", failure.message), None);
                worst = Verdict::Prevented(failure.kind);
                continue;
            }
        };
        compared += 1;
        if found.stdout == truth.stdout && found.exit == truth.exit {
            continue;
        }
        session.ui.error(
            &format!("{name} reports other findings without incremental state than with it"),
            Some("the incremental state was discarded; please report this with the lines below"),
        );
        session.ui.text(&differences(&text(found.stdout)?, &text(truth.stdout)?, [found.exit, truth.exit]));
        worst = Verdict::Prevented(ErrorKind::Bug);
    }
    if compared > 0 && worst == Verdict::Good {
        session.ui.summary("verified: the checkers report the same without incremental state.");
    }
    Ok(worst)
}

/// The lines that only one of two outputs has.
fn differences(found: &str, truth: &str, endings: [Exit; 2]) -> String {
    let [found, truth] = [found, truth].map(|text| text.lines().collect::<Vec<_>>());
    let mut out =
        format!("--- with incremental state ({})\n+++ without incremental state ({})\n", endings[0], endings[1]);
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
    fn differences_are_the_lines_of_one_side_only() {
        let text = differences("a\nb\n", "b\nc\n", [Exit::Code(1), Exit::Code(1)]);
        assert!(text.ends_with("-a\n+c\n"), "{text}");
    }
}
