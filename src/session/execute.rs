//! Carries out a graph of actions, with progress on the console and Ctrl-C to stop it.

use std::collections::BTreeSet;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::signal::unix::{SignalKind, signal};

use crate::action::{ActionGraph, Event, Exit, StepId};
use crate::engine::executor::Results;
use crate::engine::{self, CancelLevel, Cancellation, Engine, StepResult};
use crate::report::{Console, ExitCode};
use crate::session::run_log::{Reported, RunLog};
use crate::session::{Error, Services, Session, Ui};

/// Results of the wanted steps. `quiet`: a step has the terminal, so nothing else may be shown.
pub fn execute(session: &mut Session, graph: ActionGraph, wanted: &[StepId], quiet: bool) -> Result<Results, Error> {
    let engine = session.services.open_engine()?;
    execute_with(session, engine, graph, wanted, quiet)
}

/// Like [`execute`], until a wanted step fails: one that cannot be carried out, or whose exit `fails`. Then no other step starts, and
/// running steps are interrupted.
pub fn execute_until_failure(
    session: &mut Session,
    graph: ActionGraph,
    wanted: &[StepId],
    fails: impl Fn(Exit) -> bool + Send + Sync + 'static,
) -> Result<Results, Error> {
    let engine = session.services.open_engine()?;
    execute_while(session, engine, graph, wanted, false, move |event| match event {
        Event::Finished { outcome, .. } => !fails(outcome.exit),
        Event::Failed { .. } => false,
        _ => true,
    })
}

/// Like [`execute`], with another engine than that of the session.
pub fn execute_with(
    session: &mut Session,
    engine: Arc<Engine>,
    graph: ActionGraph,
    wanted: &[StepId],
    quiet: bool,
) -> Result<Results, Error> {
    execute_while(session, engine, graph, wanted, quiet, |_| true)
}

/// Stops the graph, but not the run, at the first event after which it does not `go_on`.
fn execute_while(
    session: &mut Session,
    engine: Arc<Engine>,
    graph: ActionGraph,
    wanted: &[StepId],
    quiet: bool,
    go_on: impl Fn(&Event) -> bool + Send + Sync + 'static,
) -> Result<Results, Error> {
    session.context.refuse_undefined_options()?;
    let guard = session.services.cancellation.execution();
    let cancellation = session.services.cancellation.of_graph();
    let console = session.ui.console.clone();
    if !quiet {
        console.begin(wanted);
    }
    let recorded = Arc::new(Mutex::new(Vec::new()));
    let times = session.services.timeline.begin_graph();
    let events = {
        let (console, recorded, run_log) = (console.clone(), recorded.clone(), session.services.run_log.clone());
        let cancellation = cancellation.clone();
        move |event: Event| {
            if !go_on(&event) {
                cancellation.interrupt();
            }
            if let Some(times) = &times {
                times.event(&event);
            }
            match event {
                Event::Recorded { id, needs, record } => lock(&recorded).push((id, needs, *record)),
                event => {
                    if matches!(event, Event::Started { .. }) {
                        run_log.begin();
                    }
                    if !quiet {
                        console.event(&event);
                    }
                }
            }
        }
    };
    let attested = session.services.keeps_executions().then(|| graph.clone());
    let mut results = session.services.runtime().block_on(engine::execute(engine, graph, wanted, cancellation, events));
    drop(guard);
    session.services.timeline.end_graph();
    console.end();
    if let Some(graph) = attested {
        session.services.add_execution(graph, &results);
    }
    let wanted: BTreeSet<StepId> = wanted.iter().copied().collect();
    results.retain(|step, _| wanted.contains(step));
    if let Some(untrusted) = session.services.take_untrusted() {
        session.ui.warn_with_hint(&untrusted, "the steps ran again; see `[cache]` in docs/attest.md");
    }
    session.report_remote_problems();
    session.services.run_log.add(std::mem::take(&mut *lock(&recorded)));
    if let Some(unstored) = session.services.take_unstored() {
        session
            .ui
            .note(&unstored, Some("the next run repeats them; `[cache] sign_with` or `sign_with_env` names a key"));
    }
    for notice in session.services.take_store_notices() {
        // The notice concerns this run alone.
        session.context.tracker.mark_untraceable();
        session.ui.warn(&notice);
    }
    Ok(results)
}

fn lock(recorded: &Mutex<Vec<Reported>>) -> MutexGuard<'_, Vec<Reported>> {
    recorded.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Carries out a step that has the terminal, after the steps that it needs. Their progress is shown; then nothing is until the step
/// has ended. `ready` is called in between.
pub fn execute_in_terminal<E: From<Error>>(
    session: &mut Session,
    graph: ActionGraph,
    step: StepId,
    ready: impl FnOnce(&mut Session, &Results) -> Result<(), E>,
) -> Result<Results, E> {
    let needs: Vec<StepId> = graph.needs(step).collect();
    let mut results = execute(session, graph.clone(), &needs, false)?;
    if let Some(Err(error)) = results.values().find(|result| result.is_err()) {
        let error = error.clone();
        results.insert(step, Err(error));
        return Ok(results);
    }
    ready(session, &results)?;
    results.extend(execute(session, graph, &[step], true)?);
    Ok(results)
}

/// Prepares and carries out what `once` does; a second time where the store lost something that only a new preparation
/// can restore.
pub fn with_repair<T, E>(
    session: &mut Session,
    once: impl Fn(&mut Session) -> Result<(T, Results), E>,
) -> Result<(T, Results), E> {
    let (prepared, results) = once(session)?;
    if !results.values().any(has_lost_input) {
        return Ok((prepared, results));
    }
    warn_of_lost_entries(session);
    session.services.verify_sources();
    once(session)
}

/// Warns that entries which the store lost are made again.
pub fn warn_of_lost_entries(session: &Session) {
    session.ui.warn("store entries are missing; rebuilding them");
}

/// Whether a step failed because the store lost an input that only a lockfile or a source can restore.
fn has_lost_input(result: &Result<StepResult, Arc<engine::Error>>) -> bool {
    result.as_ref().is_err_and(|error| error.root().is_lost_input())
}

/// Starts the one listener for SIGINT and SIGTERM, which have the same effect. While steps run they are asked to stop; at any other time, downloads included, the
/// process ends at once: what it writes is published by rename, so that nothing is left half done.
pub fn listen_for_interrupts(services: &Services, ui: &Ui) {
    let (cancellation, console) = (services.cancellation.clone(), ui.console.clone());
    services.runtime().spawn(listen(cancellation, console, services.run_log.clone()));
}

async fn listen(cancellation: Cancellation, console: Arc<Console>, run_log: Arc<RunLog>) {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return };
    loop {
        let request = tokio::select! { _ = interrupt.recv() => "interrupted", _ = terminate.recv() => "terminated" };
        if cancellation.has_foreground() {
            continue;
        }
        if !cancellation.is_executing() {
            console.clear();
            console.line("Interrupted by user.");
            // If the steps so far cannot be recorded, the run is missing in the log.
            let _ = run_log.close(ExitCode::Failure.number(), true);
            process::exit(ExitCode::Failure.number().into());
        }
        console.line(&match cancellation.level() {
            CancelLevel::None => format!("{request}: waiting for running steps to clean up (Ctrl-C again kills them)"),
            _ => "killing running steps".to_owned(),
        });
        cancellation.escalate();
    }
}
