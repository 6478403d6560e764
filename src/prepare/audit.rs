//! Plans the steps of other goals for an audit, as those goals plan them.

use std::collections::BTreeMap;

use crate::action::{ActionGraph, StepId};
use crate::base::RelPath;
use crate::prepare::calls::quality::enabled_in;
use crate::prepare::calls::{self, PlannedCalls, planner};
use crate::prepare::{self, Error};
use crate::session::failure::Failure;
use crate::session::{Session, selection};
use crate::targets::{Address, TargetGraph, dependencies, kind};
use crate::tools::Kind;

/// The goals whose steps can be audited, in the order of a report.
pub const GOALS: [&str; 4] = ["test", "check", "lint", "package"];

/// The steps of one goal.
#[derive(Clone, Default)]
pub struct PlannedAudit {
    /// The steps and what they need.
    pub graph: ActionGraph,
    /// The steps of the goal.
    pub steps: Vec<AuditedStep>,
}

/// A step of a goal.
#[derive(Clone)]
pub struct AuditedStep {
    /// The name of the step where it could not be planned, otherwise that of its action.
    pub name: String,
    /// The targets that it works on, sorted.
    pub targets: Vec<Address>,
    /// The step, or why it could not be planned.
    pub step: Result<StepId, Failure>,
}

/// Plans the steps of a goal for the selected targets.
///
/// # Errors
/// If the goal is not one of [`GOALS`], or cannot be planned at all. A goal without tools or targets has no steps.
pub fn plan(session: &mut Session, goal: &str) -> Result<PlannedAudit, Error> {
    match goal {
        "test" => plan_tests(session),
        "check" => plan_calls(session, goal, &[Kind::Checker]),
        "lint" => plan_calls(session, goal, &[Kind::Linter]),
        "package" => plan_packages(session),
        _ => Err(Error::NoSuchGoal { goal: goal.to_owned(), known: GOALS.map(str::to_owned).to_vec() }),
    }
}

fn plan_tests(session: &mut Session) -> Result<PlannedAudit, Error> {
    let graph = session.load_graph()?;
    let mut tests = selection::with_generated(session)?;
    tests.retain(|address| {
        let target = graph.get(address).filter(|target| target.kind == kind::PYTHON_TEST);
        target.is_some_and(|target| !target.flag("skip_tests").unwrap_or(false))
    });
    if tests.is_empty() {
        return Ok(PlannedAudit::default());
    }
    let by_name: BTreeMap<String, &Address> = tests.iter().map(|address| (address.to_string(), address)).collect();
    let planned = prepare::test::plan(session, &tests)?;
    let step = |test: prepare::test::PlannedTest| AuditedStep {
        name: test.names.join(", "),
        targets: test.names.iter().filter_map(|name| by_name.get(name).copied().cloned()).collect(),
        step: test.step,
    };
    Ok(PlannedAudit { graph: planned.graph, steps: planned.tests.into_iter().map(step).collect() })
}

fn plan_calls(session: &mut Session, goal: &str, kinds: &[Kind]) -> Result<PlannedAudit, Error> {
    let enabled = match enabled_in(session, goal, kinds) {
        Err(Error::NoTool { .. }) => return Ok(PlannedAudit::default()),
        enabled => enabled?,
    };
    let graph = session.load_graph()?;
    let calls = calls::partition_calls(session, &enabled)?;
    if calls.is_empty() {
        return Ok(PlannedAudit::default());
    }
    let PlannedCalls { graph: actions, calls } = match goal {
        "check" => prepare::check::plan(session, &calls, false)?,
        _ => {
            let (contents, _) = calls::read_contents(session, &calls)?;
            planner::plan(session, goal, &calls, &contents)?
        }
    };
    let mut steps = Vec::new();
    for call in calls {
        let name = call.enabled.call.name.clone();
        steps.extend(call.batches.into_iter().map(|batch| AuditedStep {
            name: name.clone(),
            targets: owners(&graph, &batch.files),
            step: batch.step,
        }));
    }
    Ok(PlannedAudit { graph: actions, steps })
}

/// The targets that own files, without generators.
fn owners(graph: &TargetGraph, files: &[RelPath]) -> Vec<Address> {
    let is_generator = |address: &&Address| !graph.generated_by(address).is_empty();
    let all = files.iter().flat_map(|file| graph.owners(file).iter().filter(|address| !is_generator(address)));
    let mut owners: Vec<Address> = all.cloned().collect();
    owners.sort();
    owners.dedup();
    owners
}

fn plan_packages(session: &mut Session) -> Result<PlannedAudit, Error> {
    let graph = session.load_graph()?;
    let selected = session.select()?;
    let mut targets: Vec<Address> =
        selected.iter().flat_map(|address| dependencies::expand_generators(&graph, address)).collect();
    let is_package = |target: &crate::targets::Target| prepare::package::KINDS.contains(&target.kind.as_str());
    targets.retain(|address| graph.get(address).is_some_and(is_package));
    targets.sort();
    targets.dedup();
    if targets.is_empty() {
        return Ok(PlannedAudit::default());
    }
    let planned = prepare::package::plan(session, &targets)?;
    let step = |planned: prepare::package::PlannedPackage| AuditedStep {
        name: planned.address.to_string(),
        targets: vec![planned.address],
        step: planned.package.map(|package| package.step),
    };
    Ok(PlannedAudit { graph: planned.graph, steps: planned.packages.into_iter().map(step).collect() })
}
