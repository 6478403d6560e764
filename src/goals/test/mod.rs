//! `test`: one pytest process a file, each in its own sandbox. Which files is `selection`, which share a process after
//! all is `batches`, what each gets is `prepare`, what became of them is `results`, what they covered is `coverage`.

mod batches;
mod coverage;
mod prepare;
mod process_settings;
mod results;
mod selection;

use crate::action::StepId;
use crate::engine::executor::Results;
use crate::goals::test::coverage::Coverage;
use crate::goals::test::prepare::{Prepared, PreparedTest};
use crate::goals::{Error, Session, Verdict, running};
use crate::plan::coverage_run::TOO_LOW;
use crate::report::TestResult;
use crate::target::Address;

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let selection = selection::tests(session)?;
    if selection.tests.is_empty() {
        if selection.was_named {
            session.warn("no target of the command line has tests: `test` works on `python_test` targets");
        }
        return Ok(Verdict::Good);
    }
    if session.config().flag("test", "debug_adapter") {
        return Err(Error::NoDebugAdapter);
    }
    let debug = session.config().flag("test", "debug");
    if debug && selection.tests.len() > 1 {
        return Err(Error::DebugOne(selection.tests.len()));
    }
    let (mut prepared, mut outcomes) = prepare_and_execute(session, &selection.tests, debug)?;
    if outcomes.values().any(running::has_lost_something) {
        session.warn("the store lost something that this run needs: it is put there again");
        session.restore();
        (prepared, outcomes) = prepare_and_execute(session, &selection.tests, debug)?;
    }
    let results = results::results(session, &prepared.tests, &outcomes)?;
    if debug {
        return Ok(verdict(session, &prepared, &outcomes, &results, true));
    }
    results::write_reports(session, &results)?;
    results::keep_extra_output(session, &prepared.tests, &outcomes)?;
    results::print(session, &results);
    let covered = match &prepared.coverage {
        Some(coverage) if !session.was_interrupted() => {
            coverage::report(session, coverage, &prepared.tests, &outcomes)?
        }
        _ => true,
    };
    let verdict = verdict(session, &prepared, &outcomes, &results, covered);
    results::print_json(session, &results, verdict)?;
    Ok(verdict)
}

/// Tests that failed come before coverage that is too low.
fn verdict(session: &Session, done: &Done, outcomes: &Results, results: &[TestResult], covered: bool) -> Verdict {
    match results::verdict(&done.tests, outcomes, results) {
        _ if session.was_interrupted() => Verdict::Interrupted,
        Verdict::Good if !covered => Verdict::Bad(TOO_LOW),
        verdict => verdict,
    }
}

/// What was prepared, without the graph that was carried out.
struct Done {
    tests: Vec<PreparedTest>,
    coverage: Option<Coverage>,
}

fn prepare_and_execute(session: &mut Session, tests: &[Address], debug: bool) -> Result<(Done, Results), Error> {
    let Prepared { graph, tests, coverage } = prepare::prepare(session, tests)?;
    let mut steps: Vec<StepId> = tests.iter().filter_map(|test| test.step.as_ref().ok().copied()).collect();
    steps.extend(coverage.iter().flat_map(Coverage::steps));
    let outcomes = running::execute(session, graph, &steps, debug)?;
    Ok((Done { tests, coverage }, outcomes))
}
