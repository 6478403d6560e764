//! `replay`: repeats a step of another machine from a bundle and compares the result, or writes such a bundle. Pants does not have
//! this goal. `create` writes bundles, `bundle` reads them, `compare` compares results. The bytes of bundles are defined in
//! `store::objects::bundle`.

pub(super) mod bundle;
mod compare;
mod create;
mod error;

use std::sync::Arc;

use crate::action::{Action, EncodedAction, Policy};
use crate::action::{ActionGraph, KeyDifference, Platform, Step, differences};
use crate::config::typed::{ReplaySettings, SandboxSettings};
use crate::engine::Engine;
use crate::goals::Error;
use crate::goals::replay::bundle::Bundle;
use crate::goals::run::verdict;
use crate::plan::program_run;
use crate::report;
use crate::report::replay as answers;
use crate::session::failure;
use crate::session::{Session, Verdict, execute};

pub(in crate::goals) use error::Error as ReplayError;

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = ReplaySettings::parse(session.config());
    if let Some(file) = &settings.create {
        let note = create::create(session, file)?;
        session.ui.note(&note, Some("repeat the step anywhere with `waders replay` and the file"));
        return Ok(Verdict::Good);
    }
    let [file] = &session.context.specs.clone()[..] else { return Err(ReplayError::OneBundle.into()) };
    let bundle = bundle::read(session, file)?;
    let (engine, notes) = engine(session, &bundle)?;
    for note in &notes {
        session.ui.warn(note);
    }
    match settings.shell {
        true => open_shell(session, engine, &bundle),
        false => replay(session, engine, &bundle, settings.json),
    }
}

/// Runs the step and compares its result with the recorded one.
fn replay(session: &mut Session, engine: Arc<Engine>, bundle: &Bundle, json: bool) -> Result<Verdict, Error> {
    let mut graph = ActionGraph::default();
    let step = graph.add(Step::Run(Box::new(bundle.action.clone())));
    let results = execute::execute_with(session, engine, graph, &[step], false)?;
    session.services.run_log.discard();
    if session.services.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    let (_, _, outcome) = failure::ran(&Ok(step), &results).map_err(Error::NotStarted)?;
    let store = session.services.open_store()?;
    let found = compare::compare(&store, bundle, outcome)?;
    match json {
        true => session.ui.print(&(report::pretty(&found, 2) + "\n"))?,
        false => session.ui.print(&answers::render(&found))?,
    }
    Ok(if found.reproduced { Verdict::Good } else { Verdict::NotReproduced })
}

/// Opens a shell in the sandbox of the step.
fn open_shell(session: &mut Session, engine: Arc<Engine>, bundle: &Bundle) -> Result<Verdict, Error> {
    let command = ReplaySettings::parse(session.config()).command;
    let terminal = session.environment().var("TERM").map(str::to_owned);
    let shell = program_run::shell(&bundle.action, &command, terminal.as_deref());
    let line = program_run::command_line(&bundle.action.command.argv);
    session.ui.note(
        &format!("this is the sandbox of `{}` (goal `{}`)", bundle.about.step.label, bundle.about.goal),
        Some(&format!("the command of the step is `{line}`")),
    );
    let mut graph = ActionGraph::default();
    let step = graph.add(Step::Run(Box::new(shell)));
    let results = execute::execute_with(session, engine, graph, &[step], true)?;
    session.services.run_log.discard();
    verdict(step, &results)
}

/// An engine with the isolation and the limits of the bundle, as far as this machine allows them, and what differs.
fn engine(session: &mut Session, bundle: &Bundle) -> Result<(Arc<Engine>, Vec<String>), Error> {
    if bundle.action.command.network && !SandboxSettings::parse(session.config()).allow_network {
        return Err(ReplayError::Network(bundle.about.step.label.clone()).into());
    }
    let engine = session.services.engine_for(&bundle.platform)?;
    let notes = key_differences(bundle, &engine.platform);
    Ok((Arc::new(engine), notes))
}

/// How the key of the step on this machine differs from the recorded one, one sentence each.
fn key_differences(bundle: &Bundle, platform: &Platform) -> Vec<String> {
    let own = EncodedAction::new(&bundle.action.command, &bundle.inputs, platform);
    let (Ok(recorded), Ok(own)) = (bundle.encoded.decode(), own.decode()) else { return Vec::new() };
    let sentence = |difference| match difference {
        KeyDifference::Setting { name, before, after } => {
            let [before, after] = [before, after].map(|value| value.unwrap_or_else(|| "none".to_owned()));
            Some(format!("`{name}` was `{before}` when the step was recorded, and is `{after}` here"))
        }
        _ => None,
    };
    differences(&recorded, &own).into_iter().filter_map(sentence).collect()
}

/// The action of a bundle: its command under a policy that uses no cache.
fn action(command: crate::action::Command, label: &str) -> Action {
    let mut policy = Policy::new(label.to_owned());
    (policy.cache.read, policy.cache.write) = (false, false);
    Action { command, policy }
}
