//! `py-constraints`: the interpreters on which the selected targets and their dependencies can run.

use crate::config::typed::{PyConstraintsSettings, PythonSettings};
use crate::goals::Error;
use crate::goals::output;
use crate::inference::constraints::{InterpreterConstraints, merge, to_text};
use crate::session::{Session, Verdict};
use crate::targets::{Address, Target};

const GOAL: &str = "py-constraints";
const BACKEND: &str = "pants.backend.python.mixed_interpreter_constraints";

/// The default of Pants 2.17, for repositories that set none.
const DEFAULT: &str = "CPython<4,>=3.7";

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    if !session.context.global().backend_packages.iter().any(|enabled| enabled == BACKEND) {
        return Err(Error::NeedsBackend { goal: GOAL, backend: BACKEND });
    }
    let settings = PyConstraintsSettings::parse(session.config());
    if settings.summary && !session.context.specs.is_empty() {
        return Err(Error::SummaryOfAll);
    }
    let selected = session.select()?;
    let (graph, dependencies) = (session.load_graph()?, session.infer_all()?);
    let python = PythonSettings::parse(session.config());
    let mut default: Vec<&str> = python.interpreter_constraints.iter().map(String::as_str).collect();
    if default.is_empty() {
        default.push(DEFAULT);
    }
    let interpreters = InterpreterConstraints { graph: &graph, dependencies: &dependencies, default };
    let text = match settings.summary {
        true => summary(&interpreters)?,
        false => table(&interpreters, &selected)?,
    };
    if text.is_empty() {
        session.ui.warn("the command line selects no target that runs on a Python interpreter");
    }
    output::text(session, GOAL, &text)?;
    Ok(Verdict::Good)
}

fn table(interpreters: &InterpreterConstraints<'_>, selected: &[Address]) -> Result<String, Error> {
    let found = interpreters.group_closure(selected);
    if found.is_empty() {
        return Ok(String::new());
    }
    let mut out = format!("Final merged constraints: {}\n", to_text(&merge(found.keys())?));
    if selected.len() > 1 {
        out += "  (The interpreters on which all of these could run together, even if they never do.\n  \
                `py-constraints --summary` lists each target.)";
    }
    for (constraints, addresses) in &found {
        out += &format!("\n{}\n", to_text(constraints));
        let mut addresses: Vec<&Address> = addresses.iter().collect();
        addresses.sort_by(|left, right| left.list_order(right));
        addresses.iter().for_each(|address| out += &format!("  {address}\n"));
    }
    Ok(out)
}

/// A row for every target of the repository, as CSV.
fn summary(interpreters: &InterpreterConstraints<'_>) -> Result<String, Error> {
    let mut out = "Target,Constraints,Transitive Constraints,# Dependencies,# Dependents\r\n".to_owned();
    let mut targets: Vec<&Target> = interpreters.graph.targets().collect();
    targets.sort_by(|left, right| left.address.list_order(&right.address));
    for target in targets {
        let Some(own) = interpreters.for_target(target) else { continue };
        let address = std::slice::from_ref(&target.address);
        let all = merge(interpreters.group_closure(address).keys())?;
        let needed = interpreters.dependencies.transitive_without_special(address).len();
        let dependents = interpreters.dependencies.transitive_dependents(address).len();
        let fields = [target.address.to_string(), to_text(&own), to_text(&all)].map(|field| quoted(&field));
        out += &format!("{},{needed},{dependents}\r\n", fields.join(","));
    }
    Ok(out)
}

fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}
