//! `dependents`: which targets depend on the selected ones, directly or transitively.

use serde_json::{Map, Value};

use crate::config::typed::DependentsSettings;
use crate::goals::Error;
use crate::goals::output;
use crate::inference::Dependencies;
use crate::report;
use crate::session::{Session, Verdict};
use crate::targets::{Address, TargetGraph};

const GOAL: &str = "dependents";

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let selected = session.select()?;
    let DependentsSettings { transitive, closed, json } = DependentsSettings::parse(session.config());
    let query = Query { transitive, closed };
    let (graph, dependencies) = (session.load_graph()?, session.infer_all()?);
    let found = query.find(&graph, &dependencies, &selected);
    // Targets that could not be loaded may depend on anything.
    session.report_load_errors(|_| true);
    session.report_inference(&dependencies, &found.iter().chain(&selected).cloned().collect())?;
    if json {
        let each = |address: &Address| {
            let found = query.find(&graph, &dependencies, std::slice::from_ref(address));
            let mut found: Vec<String> = found.iter().map(Address::to_string).collect();
            found.sort();
            (address.to_string(), Value::from(found))
        };
        let each: Map<String, Value> = selected.iter().map(each).collect();
        output::text(session, GOAL, &(report::pretty(&each, 4) + "\n"))?;
    } else {
        output::addresses(session, GOAL, &found)?;
    }
    Ok(Verdict::Good)
}

/// The flags of the goal.
struct Query {
    transitive: bool,
    closed: bool,
}

impl Query {
    /// The dependents, in the order of lists.
    fn find(&self, graph: &TargetGraph, dependencies: &Dependencies, addresses: &[Address]) -> Vec<Address> {
        let targets = self.expand(graph, addresses);
        let found = match self.transitive {
            true => dependencies.transitive_dependents(&targets),
            false => dependencies.dependents_of_all(&targets),
        };
        let mut found: Vec<Address> = found.into_iter().cloned().collect();
        if self.closed {
            found.extend(targets);
        }
        found.sort_by(Address::list_order);
        found.dedup();
        found
    }

    /// The targets whose dependents are asked for. No target imports a generator, so with `transitive` a generator stands for
    /// its files. Pants prints only targets that name the generator, which are usually none; without `transitive`, so does
    /// this goal.
    fn expand(&self, graph: &TargetGraph, addresses: &[Address]) -> Vec<Address> {
        let mut targets = addresses.to_vec();
        if self.transitive {
            targets.extend(addresses.iter().flat_map(|address| graph.generated_by(address)).cloned());
        }
        targets
    }
}
