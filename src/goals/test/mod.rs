//! `test`: one pytest process a file, each in its own sandbox. Which files is `selection`, what each gets is `prepare`,
//! what became of them is `results`.

mod prepare;
mod results;
mod selection;

use crate::goals::{Error, Session, Verdict, running};
use crate::report::test_result;

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
    let prepared = prepare::prepare(session, &selection.tests)?;
    let steps = prepared.steps();
    let outcomes = running::execute(session, prepared.graph, &steps, debug)?;
    let results = results::results(session, &prepared.tests, &outcomes)?;
    if !debug {
        results::write_reports(session, &results)?;
        results::keep_extra_output(session, &prepared.tests, &outcomes)?;
        results::print(session, &results);
    }
    if session.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    Ok(Verdict::of_exit_code(test_result::exit_code(&results)))
}
