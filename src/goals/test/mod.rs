//! `test`: one pytest process a file, each in its own sandbox. Which files is `selection`, what each gets is `prepare`,
//! what became of them is `results`.

mod failure;
mod prepare;
mod results;
mod selection;

use std::sync::Arc;

use crate::action::StepId;
use crate::engine::executor::Results;
use crate::engine::{self, StepResult};
use crate::goals::test::prepare::{Prepared, PreparedTest};
use crate::goals::{Error, Session, Verdict, running};
use crate::target::Address;

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let selection = selection::tests(session)?;
    if selection.tests.is_empty() {
        if selection.was_named {
            session.warn("no target of the command line has tests: `test` works on `python_test` targets");
        }
        return Ok(Verdict::Good);
    }
    let debug = session.config().flag("test", "debug");
    if debug && selection.tests.len() > 1 {
        return Err(Error::DebugOne(selection.tests.len()));
    }
    let (mut prepared, mut outcomes) = prepare_and_execute(session, &selection.tests, debug)?;
    if outcomes.values().any(has_lost_something) {
        session.warn("the store lost a part of a toolchain: it is made again");
        session.restores = true;
        (prepared, outcomes) = prepare_and_execute(session, &selection.tests, debug)?;
    }
    let results = results::results(session, &prepared, &outcomes)?;
    if !debug {
        results::write_reports(session, &results)?;
        results::keep_extra_output(session, &prepared, &outcomes)?;
        results::print(session, &results);
    }
    if session.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    Ok(results::verdict(&prepared, &outcomes, &results))
}

fn prepare_and_execute(
    session: &mut Session,
    tests: &[Address],
    debug: bool,
) -> Result<(Vec<PreparedTest>, Results), Error> {
    let Prepared { graph, tests } = prepare::prepare(session, tests)?;
    let steps: Vec<StepId> = tests.iter().filter_map(|test| test.step.as_ref().ok().copied()).collect();
    let outcomes = running::execute(session, graph, &steps, debug)?;
    Ok((tests, outcomes))
}

fn has_lost_something(result: &Result<StepResult, Arc<engine::Error>>) -> bool {
    result.as_ref().is_err_and(|error| error.root().missing().is_some())
}
