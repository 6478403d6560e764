//! `verify`: runs other goals as usual, repeats each of their steps without the cache in a second process, and compares every result.
//! `conditions` describes what is different in the second run, `repeated` is that run, `compare` compares, and `against` compares
//! with another machine instead. Pants does not have this goal.

mod against;
mod compare;
mod conditions;
mod outputs;
mod repeated;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::base::Severity;
use crate::config::typed::VerifySettings;
use crate::engine::local::SandboxVariation;
use crate::engine::{Record, RecordedResult, Recording};
use crate::goals::{self, Error, package, test};
use crate::prepare::calls::enabled::enabled_calls;
use crate::report::verification::Verification;
use crate::report::{ExitCode, Message};
use crate::session::failure::Failure;
use crate::session::repeat::{self, Ended, Plan, Repeated};
use crate::session::{Session, Verdict};
use crate::store::Store;
use crate::tools::Kind;

use compare::Comparison;
use conditions::Conditions;

pub(super) use conditions::names as condition_names;

/// The goals whose steps can be compared. Others change sources, have the terminal, or ask the network.
pub(super) const VERIFIABLE: [&str; 5] = ["lint", "check", "test", "package", "export"];

/// Archives record times in steps of two seconds, so that two runs at the same time could hide a time stamp.
const CLOCK_STEP: Duration = Duration::from_secs(2);

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    if let Some(plan) = repeat::plan(session)? {
        return repeated::run(session, plan);
    }
    let settings = VerifySettings::parse(session.config());
    let mut conditions = Conditions::parse(&settings.vary)?;
    let names = goal_names(session, &settings.goals)?;
    let recording = Arc::new(Recording::default());
    session.services.record_for_comparison(recording.clone(), SandboxVariation::default());
    session.ui.print_data_as_text(true);
    let verdict = run_goals(session, &names, &recording)?;
    session.ui.print_data_as_text(false);
    if session.services.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    let (first, store) = (recording.steps(), session.services.open_store()?);
    let compared = match &settings.against {
        Some(dir) => against::compare(session, &store, &first, dir)?,
        None => {
            store_trees(&store, &first)?;
            let mut repeated = repeat_steps(session, &store, &names, &first, &mut conditions)?;
            report_errors(session, &mut repeated);
            let compared = compare::records(&store, &first, &repeated.steps, &conditions.moves)?;
            Comparison { is_incomplete: !repeated.errors.is_empty(), ..compared }
        }
    };
    if session.services.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    let verdict = with_differences(verdict, &compared);
    let verification = Verification {
        goals: names,
        // Nothing was repeated for a comparison with another machine.
        conditions: if settings.against.is_none() { conditions.list } else { Vec::new() },
        against: settings.against.clone(),
        counts: compared.total(),
        counts_by_goal: compared.counts,
        differences: compared.differences,
        not_comparable: compared.not_comparable,
    };
    session.ui.summary(&verification.render());
    if settings.json {
        session.ui.print(&verification.to_json(session.exit_code(verdict)))?;
    }
    Ok(verdict)
}

/// The named goals; without any, those that the targets offer: `lint`; `check` if a type checker is enabled; `test` and `package` if
/// the command line selects tests and packages.
fn goal_names(session: &mut Session, named: &[String]) -> Result<Vec<String>, Error> {
    if let Some(other) = named.iter().find(|name| !VERIFIABLE.contains(&name.as_str())) {
        return Err(Error::NotVerifiable(other.clone()));
    }
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let mut names = vec!["lint"];
    if enabled_calls(session.config(), "check", &[Kind::Checker], Vec::new()).is_ok() {
        names.push("check");
    }
    if test::has_tests(session)? {
        names.push("test");
    }
    if package::has_packages(session)? {
        names.push("package");
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// Runs every goal, also after one that fails, and returns the first verdict that is not good.
fn run_goals(session: &mut Session, names: &[String], recording: &Recording) -> Result<Verdict, Error> {
    let mut first = Verdict::Good;
    for name in names {
        recording.start_goal(name);
        let goal = goals::named(name).expect("every verifiable goal is implemented");
        let verdict = goal(session)?;
        if session.services.was_interrupted() {
            return Ok(Verdict::Interrupted);
        }
        if first == Verdict::Good {
            first = verdict;
        }
    }
    Ok(first)
}

/// Writes the trees that the first run only computed: another process reads them.
pub(super) fn store_trees(store: &Store, record: &Record) -> Result<(), Error> {
    for step in record.values() {
        if let RecordedResult::Derived(tree) = step.result {
            store.write_lazy_tree(tree)?;
        }
    }
    Ok(())
}

/// Starts the second run. Conditions that cannot be changed on this machine are marked as skipped.
fn repeat_steps(
    session: &mut Session,
    store: &Store,
    names: &[String],
    first: &Record,
    conditions: &mut Conditions,
) -> Result<Repeated, Error> {
    session.ui.summary("Repeating the steps without the cache.");
    let phase = session.ui.console.phase("waiting for the next time stamp of archives");
    thread::sleep(CLOCK_STEP);
    drop(phase);
    loop {
        let scratch = store.scratch()?;
        let start = conditions.start(session, store, scratch.path())?;
        let plan = Plan {
            goals: names.to_vec(),
            reversed_steps: conditions.apply("order"),
            reversed_entries: conditions.apply("entries"),
            scratch_on_disk: conditions.apply("scratch"),
            reference: first.clone(),
            answer: Default::default(),
        };
        match repeat::run(session, start, plan, scratch.path())? {
            Ended::Repeated(Repeated { was_interrupted: true, .. }) => {
                return Err(crate::session::Error::Interrupted.into());
            }
            Ended::Repeated(repeated) => return Ok(repeated),
            Ended::Refused(condition, reason) if conditions.skip(&condition, &reason) => {}
            Ended::Refused(_, reason) => {
                return Err(Error::NotStarted(Failure::not_started(&reason)));
            }
            Ended::Failed(code) => return Err(Error::NotRepeated(code)),
        }
    }
}

/// Reports the errors that the first run did not have.
fn report_errors(session: &Session, repeated: &mut Repeated) {
    let known = session.ui.reported();
    repeated.errors.retain(|error| known.iter().all(|message| message.text != *error));
    for error in &repeated.errors {
        session.ui.report(Message::new(Severity::Error, &format!("in the repeated run: {error}"), None));
    }
}

/// A difference takes precedence over failed tests and findings, which may be the same in both runs.
fn with_differences(verdict: Verdict, compared: &Comparison) -> Verdict {
    match (compared.differences.is_empty(), compared.is_incomplete) {
        (false, _) => Verdict::Bad(ExitCode::NotReproducible.number().into()),
        (true, true) if verdict == Verdict::Good => Verdict::Bad(ExitCode::Failure.number().into()),
        (true, _) => verdict,
    }
}
