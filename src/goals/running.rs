//! Carries out a graph of actions with everything a person expects meanwhile: progress, and Ctrl-C that stops it kindly.

use std::sync::Arc;

use crate::action::{ActionGraph, Event, StepId};
use crate::engine::executor::Results;
use crate::engine::{self, Cancel, StepResult};
use crate::goals::{Error, Session};
use crate::look;
use crate::report::Console;

/// Threads that only wait: for processes, downloads and each other.
const WORKERS: usize = 4;

/// `quiet`: a process has the terminal, so nothing else may move on it.
pub fn execute(session: &mut Session, graph: ActionGraph, wanted: &[StepId], quiet: bool) -> Result<Results, Error> {
    let engine = session.engine()?;
    let cancel = session.cancel.clone();
    let dynamic = session.terminal.stderr_is_terminal && !quiet && session.shows_progress();
    let console = Arc::new(Console::new(dynamic));
    console.expect(wanted.len());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = runtime.map_err(Error::Threads)?;
    let events = {
        let console = console.clone();
        move |event: Event| {
            if !quiet {
                console.event(&event);
            }
        }
    };
    let results = runtime.block_on(async {
        let interrupts = tokio::spawn(pass_on_interrupts(cancel.clone(), console.clone()));
        let results = engine::execute(engine.clone(), graph, wanted, cancel, events).await;
        interrupts.abort();
        results
    });
    // Blocking work that outlived its step has nothing to tell any more.
    runtime.shutdown_background();
    for notice in engine.store.take_notices() {
        // Of this run alone.
        look::beyond();
        session.warn(&notice);
    }
    Ok(results)
}

/// What `once` prepares and carries out; once more where something was lost that a new preparation brings back.
pub fn restoring<T>(
    session: &mut Session,
    once: impl Fn(&mut Session) -> Result<(T, Results), Error>,
) -> Result<(T, Results), Error> {
    let (prepared, results) = once(session)?;
    if !results.values().any(has_lost_something) {
        return Ok((prepared, results));
    }
    session.warn("the store lost something that this run needs: it is put there again");
    session.restore();
    once(session)
}

/// Whether a step failed for want of something that only a lock or a source can bring back.
fn has_lost_something(result: &Result<StepResult, Arc<engine::Error>>) -> bool {
    result.as_ref().is_err_and(|error| error.root().is_loss())
}

async fn pass_on_interrupts(cancel: Cancel, console: Arc<Console>) {
    while tokio::signal::ctrl_c().await.is_ok() {
        let message = match cancel.wish() {
            engine::Wish::GoOn => "interrupted: waiting for running steps to clean up (Ctrl-C again kills them)",
            _ => "killing what still runs",
        };
        console.line(message);
        cancel.escalate();
    }
}
