//! Finds the step whose sandbox a shell opens: the one that a goal would run for the selected targets, planned as that goal
//! plans it.

use crate::action::{Action, ActionGraph, Step, StepId};
use crate::config::typed::RunSettings;
use crate::plan::program_run;
use crate::prepare::calls::quality::enabled_in;
use crate::prepare::calls::{self, planner};
use crate::prepare::run::{RUNNABLE, RUNNABLE_IN_PANTS};
use crate::prepare::{self, Error};
use crate::session::failure::Failure;
use crate::session::{Session, selection};
use crate::targets::kind;
use crate::tools::Kind;

/// The goals with steps, in the order in which they are tried, and the kinds of tools that they run.
const GOALS: [(&str, &[Kind]); 6] = [
    ("test", &[]),
    ("lint", &[Kind::Linter, Kind::Fixer, Kind::Formatter]),
    ("check", &[Kind::Checker]),
    ("fix", &[Kind::Fixer, Kind::Formatter]),
    ("fmt", &[Kind::Formatter]),
    ("run", &[]),
];

/// The step of a goal.
pub struct PlannedStep {
    /// The steps.
    graph: ActionGraph,
    /// The step of the goal.
    step: StepId,
    /// The goal.
    pub goal: String,
    /// The number of steps that the goal would run for the selected targets, as far as they were planned.
    pub count: usize,
}

impl PlannedStep {
    /// The action of the step.
    pub fn action(&self) -> &Action {
        match self.graph.step(self.step) {
            Step::Run(action) => action,
            _ => unreachable!("the steps of goals are processes"),
        }
    }

    /// The graph with a shell in the sandbox of the step, or a command.
    pub fn with_shell(mut self, command: &[String], terminal: Option<&str>) -> (ActionGraph, StepId) {
        let shell = program_run::shell(self.action(), command, terminal);
        let step = self.graph.add(Step::Run(Box::new(shell)));
        (self.graph, step)
    }
}

/// The first step of `wanted`, a goal and perhaps the name of a tool (`lint:ruff`); by default, of the first goal that has one.
pub fn plan(session: &mut Session, wanted: Option<&str>) -> Result<PlannedStep, Error> {
    let (goal, tool) = match wanted.map(|wanted| wanted.split_once(':').unwrap_or((wanted, ""))) {
        Some((goal, tool)) => (Some(goal), Some(tool).filter(|tool| !tool.is_empty())),
        None => (None, None),
    };
    if let Some(goal) = goal.filter(|goal| GOALS.iter().all(|(known, _)| known != goal)) {
        return Err(Error::NoSuchGoal {
            goal: goal.to_owned(),
            known: GOALS.map(|(known, _)| known.to_owned()).to_vec(),
        });
    }
    let mut failure = None;
    for (name, kinds) in GOALS.iter().filter(|(name, _)| goal.is_none_or(|goal| goal == *name)) {
        let planned = match *name {
            "test" => plan_test(session),
            "run" => plan_run(session),
            name => plan_call(session, name, kinds, tool),
        };
        match planned {
            Ok(Some(planned)) => return Ok(planned),
            Ok(None) => {}
            Err(error) if goal.is_some() || !matches!(error, Error::NoTool { .. }) => return Err(error),
            Err(error) => failure = Some(error),
        }
    }
    let none = |goal: &str| Error::NoStep { goals: format!("`{goal}`") };
    Err(match goal {
        Some(goal) => failure.unwrap_or_else(|| none(wanted.unwrap_or(goal))),
        None => Error::NoStep { goals: "any goal".to_owned() },
    })
}

fn plan_test(session: &mut Session) -> Result<Option<PlannedStep>, Error> {
    let graph = session.load_graph()?;
    let mut tests = selection::with_generated(session)?;
    tests.retain(|address| graph.get(address).is_some_and(|target| target.kind == kind::PYTHON_TEST));
    let Some(first) = tests.first() else { return Ok(None) };
    let planned = prepare::test::plan(session, std::slice::from_ref(first))?;
    let step = planned.tests.into_iter().next().map(|test| test.step);
    step.map(|step| planned_step(planned.graph, step, "test", tests.len())).transpose()
}

fn plan_run(session: &mut Session) -> Result<Option<PlannedStep>, Error> {
    let graph = session.load_graph()?;
    let selected = selection::with_generated(session)?;
    let mut runnable: Vec<_> = selected.iter().filter_map(|address| graph.get(address)).collect();
    runnable.retain(|target| RUNNABLE_IN_PANTS.iter().chain(&RUNNABLE).any(|kind| *kind == target.kind));
    // A file is often also the entry point of binaries.
    let Some(target) = runnable.iter().min_by_key(|target| target.sources.is_empty()) else { return Ok(None) };
    let address = target.address.clone();
    let program = prepare::run::program(session, &address)?;
    let args = RunSettings::parse(session.config()).args;
    let planned = program.plan_in_sandbox(session, &args)?;
    planned_step(planned.graph, Ok(planned.step), "run", 1).map(Some)
}

fn plan_call(
    session: &mut Session,
    goal: &str,
    kinds: &[Kind],
    tool: Option<&str>,
) -> Result<Option<PlannedStep>, Error> {
    let mut enabled = enabled_in(session, goal, kinds)?;
    if let Some(tool) = tool {
        let known = enabled.iter().map(|enabled| enabled.call.name.clone()).collect();
        enabled.retain(|enabled| enabled.names().any(|name| name == tool));
        if enabled.is_empty() {
            return Err(Error::NoSuchTool { goal: goal.to_owned(), name: tool.to_owned(), known });
        }
    }
    let calls = calls::partition_calls(session, &enabled)?;
    let Some(first) = calls.first() else { return Ok(None) };
    let first = std::slice::from_ref(first);
    let planned = match goal {
        "check" => prepare::check::plan(session, first, false)?,
        _ => {
            let (contents, _) = calls::read_contents(session, first)?;
            planner::plan(session, goal, first, &contents)?
        }
    };
    let mut batches: Vec<_> = planned.calls.into_iter().flat_map(|call| call.batches).map(|batch| batch.step).collect();
    let count = batches.len();
    if batches.is_empty() {
        return Ok(None);
    }
    planned_step(planned.graph, batches.swap_remove(0), goal, count).map(Some)
}

fn planned_step(
    graph: ActionGraph,
    step: Result<StepId, Failure>,
    goal: &str,
    count: usize,
) -> Result<PlannedStep, Error> {
    Ok(PlannedStep { graph, step: step.map_err(Error::Failed)?, goal: goal.to_owned(), count })
}
