//! `test`: one pytest process for each test file, each in its own sandbox. `selection` finds the files, `results` reports
//! their outcomes, `notes` explains failures, `coverage` writes coverage reports, and `reuse` stores the outcomes for a run in
//! which nothing changed.
//! The processes are planned in `prepare::test`.

mod coverage;
mod notes;
mod results;
mod reuse;
mod selection;

use crate::action::{ActionGraph, Exit, StepId};
use crate::config::typed::TestSettings;
use crate::engine::executor::Results;
use crate::goals::Error;
use crate::goals::recorded::{Recorded, RecordedStep};
use crate::plan::coverage_run::TOO_LOW;
use crate::plan::test_run::NOTHING_COLLECTED;
use crate::prepare;
use crate::prepare::test::coverage::Coverage;
use crate::prepare::test::{PlannedTest, PlannedTests};
use crate::report::{TestResult, junit};
use crate::session::reuse::reused_or;
use crate::session::{Session, Verdict, execute, failure};

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    Ok(run_recorded(session)?.verdict)
}

/// Runs the goal and lists its steps.
pub(super) fn run_recorded(session: &mut Session) -> Result<Recorded, Error> {
    let (debug, begun) = (TestSettings::parse(session.config()).debug, session.services.run_log.elapsed());
    let done = match debug {
        // The result depends on what the user types.
        true => run_tests(session, debug)?,
        false => reused_or(session, "test", |session| run_tests(session, debug))?,
    };
    if done.tests.is_empty() {
        return Ok(Recorded::without_steps(Verdict::Good));
    }
    let execution = session.services.last_execution().cloned();
    let mut results = results::results(session, &done.tests, &done.outcomes)?;
    if debug {
        results::print_debugged(session, &results);
        return Ok(Recorded::without_steps(verdict(session, &done, &results, true)));
    }
    notes::add(session, &done.tests, &mut results)?;
    results::write_reports(session, &results)?;
    results::keep_extra_output(session, &done.tests, &done.outcomes)?;
    let elapsed = session.services.run_log.elapsed() - begun;
    results::print(session, &results, elapsed);
    results::write_for_github(session, &results, elapsed)?;
    let covered = match &done.coverage {
        Some((coverage, graph))
            if !session.services.was_interrupted() && !results.iter().any(TestResult::was_stopped) =>
        {
            coverage::report(session, coverage, graph.clone(), &done.tests, &done.outcomes)?
        }
        _ => true,
    };
    let verdict = verdict(session, &done, &results, covered);
    results::print_json(session, &results, verdict)?;
    let step = |(test, result): (&PlannedTest, &TestResult)| {
        let sections = ["coverage-py", "pytest"].map(str::to_owned).to_vec();
        let name = junit::file_name(&test.names).trim_end_matches(".xml").to_owned();
        let (targets, passed) = (test.names.clone(), !result.has_failed());
        Some(RecordedStep { name, targets, sections, passed, step: test.step.as_ref().ok().copied()? })
    };
    let steps = done.tests.iter().zip(&results).filter_map(step).collect();
    Ok(Recorded { verdict, steps, execution })
}

/// Whether the command line selects tests.
pub(super) fn has_tests(session: &mut Session) -> Result<bool, Error> {
    Ok(!selection::tests(session)?.tests.is_empty())
}

/// Failed tests take precedence over coverage that is too low.
fn verdict(session: &Session, done: &TestOutcomes, results: &[TestResult], covered: bool) -> Verdict {
    match results::verdict(&done.tests, &done.outcomes, results) {
        _ if session.services.was_interrupted() => Verdict::Interrupted,
        Verdict::Good if !covered => Verdict::Bad(TOO_LOW),
        verdict => verdict,
    }
}

/// The outcomes of all tests.
#[derive(Default)]
struct TestOutcomes {
    tests: Vec<PlannedTest>,
    /// What coverage reports need, and the steps that make it.
    coverage: Option<(Coverage, ActionGraph)>,
    outcomes: Results,
}

/// Plans and runs the selected tests.
fn run_tests(session: &mut Session, debug: bool) -> Result<TestOutcomes, Error> {
    let selection = selection::tests(session)?;
    if selection.tests.is_empty() {
        crate::session::selection::warn_if_nothing_exists(session, "test")?;
        if selection.was_named {
            session.ui.warn("the command line selects no tests: `test` works on `python_test` targets");
        }
        return Ok(TestOutcomes::default());
    }
    let settings = TestSettings::parse(session.config());
    if settings.debug_adapter {
        return Err(Error::NoDebugAdapter("test"));
    }
    let once = |session: &mut Session| {
        let PlannedTests { graph, tests, coverage } = prepare::test::plan(session, &selection.tests)?;
        let steps: Vec<StepId> = tests.iter().filter_map(|test| test.step.as_ref().ok().copied()).collect();
        let coverage = coverage.map(|coverage| (coverage, graph.clone()));
        let outcomes = match debug {
            true => debug_in_turn(session, &graph, &steps)?,
            false if settings.fail_fast => {
                // A file without tests passes in all processes or in none.
                let empty_is_fine = tests.iter().any(|test| test.empty_is_fine);
                let passes =
                    move |exit| exit == Exit::Code(0) || empty_is_fine && exit == Exit::Code(NOTHING_COLLECTED);
                execute::execute_until_failure(session, graph, &steps, move |exit| !passes(exit))?
            }
            false => execute::execute(session, graph, &steps, false)?,
        };
        Ok::<_, Error>(((tests, coverage), outcomes))
    };
    let ((tests, coverage), outcomes) = execute::with_repair(session, once)?;
    Ok(TestOutcomes { tests, coverage, outcomes })
}

/// How pytest ends after an interrupt from the keyboard.
const INTERRUPTED: Exit = Exit::Code(2);

/// Runs the steps one after another, because each has the terminal.
fn debug_in_turn(session: &mut Session, graph: &ActionGraph, steps: &[StepId]) -> Result<Results, Error> {
    let mut outcomes = Results::new();
    for step in steps {
        if session.services.was_interrupted() {
            break;
        }
        let done = execute::execute_in_terminal::<Error>(session, graph.clone(), *step, |_, _| Ok(()))?;
        let was_interrupted = failure::ran(&Ok(*step), &done).is_ok_and(|(_, _, outcome)| outcome.exit == INTERRUPTED);
        outcomes.extend(done);
        // The interrupt of a step that controls its terminal is known from its exit code only.
        if was_interrupted {
            break;
        }
    }
    Ok(outcomes)
}
