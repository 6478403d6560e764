//! `check`: each type checker once for every resolve and interpreter. Which checkers is `checkers`, what they check
//! together is `partitions`, what each gets is `prepare`, mypy's own part of that is `mypy`, what became of them is
//! `results`; `verify` asks once more from nothing.

mod checkers;
mod mypy;
mod partitions;
mod prepare;
mod results;
mod verify;

use crate::action::StepId;
use crate::engine::executor::Results;
use crate::goals::check::checkers::Checker;
use crate::goals::check::partitions::Partition;
use crate::goals::check::prepare::{Prepared, PreparedCheck};
use crate::goals::running::has_lost_something;
use crate::goals::{Error, Session, Verdict, running};

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let checkers = checkers::enabled(session)?;
    if checkers.is_empty() {
        session.tell("warning", "no type checker is in use", Some(checkers::HOW_TO_ENABLE));
        return Ok(Verdict::Good);
    }
    let partitions = partitions::partitions(session, &checkers)?;
    let force = session.config().flag("check", "force");
    let (mut checks, mut outcomes) = prepare_and_execute(session, &checkers, &partitions, force)?;
    if outcomes.values().any(has_lost_something) {
        session.warn("the store lost a part of a toolchain: it is made again");
        session.restores = true;
        (checks, outcomes) = prepare_and_execute(session, &checkers, &partitions, force)?;
    }
    let results = results::results(session, &checks, &outcomes)?;
    results::copy_reports(session, &checks, &outcomes)?;
    results::print(session, &checkers, &results);
    if session.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    if session.config().flag("check", "verify") {
        let (_, from_nothing) = prepare_and_execute(session, &checkers, &partitions, true)?;
        if !verify::verify(session, &checks, &outcomes, &from_nothing)? {
            return Ok(Verdict::Prevented(crate::goals::Kind::Bug));
        }
    }
    Ok(results::verdict(&results))
}

fn prepare_and_execute(
    session: &mut Session,
    checkers: &[Checker],
    partitions: &[Partition],
    force: bool,
) -> Result<(Vec<PreparedCheck>, Results), Error> {
    let Prepared { graph, checks } = prepare::prepare(session, checkers, partitions, force)?;
    let steps: Vec<StepId> = checks.iter().filter_map(|check| check.step.as_ref().ok().copied()).collect();
    let outcomes = running::execute(session, graph, &steps, false)?;
    Ok((checks, outcomes))
}
