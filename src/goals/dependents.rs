//! `dependents`: which targets depend on the selected ones, directly or transitively.

use serde_json::{Map, Value};

use crate::config::typed::DependentsSettings;
use crate::goals::output;
use crate::inference::Dependencies;
use crate::report;
use crate::session::{Error, Session, Verdict};
use crate::targets::{Address, TargetGraph};

const GOAL: &str = "dependents";

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let selected = session.select()?;
    let DependentsSettings { transitive, closed, json } = DependentsSettings::parse(session.config());
    let asked = Mode { transitive, closed };
    let (graph, dependencies) = (session.load_graph()?, session.infer_all()?);
    let found = asked.of(&graph, &dependencies, &selected);
    // What is not declared may depend on anything.
    session.report_load_errors(|_| true);
    session.report_inference(&dependencies, &found.iter().chain(&selected).cloned().collect())?;
    if json {
        let each = |address: &Address| {
            let found = asked.of(&graph, &dependencies, std::slice::from_ref(address));
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

/// What the flags ask for.
struct Mode {
    transitive: bool,
    closed: bool,
}

impl Mode {
    /// In the order of lists.
    fn of(&self, graph: &TargetGraph, dependencies: &Dependencies, addresses: &[Address]) -> Vec<Address> {
        let meant = self.meant(graph, addresses);
        let found = match self.transitive {
            true => dependencies.transitive_dependents(&meant),
            false => dependencies.dependents_of_all(&meant),
        };
        let mut found: Vec<Address> = found.into_iter().cloned().collect();
        if self.closed {
            found.extend(meant);
        }
        found.sort_by(Address::list_order);
        found.dedup();
        found
    }

    /// Nobody imports a generator: whoever asks for all that depends on one means its files. Pants answers with what
    /// names the generator itself, which is usually nothing; so does the question for direct dependents here.
    fn meant(&self, graph: &TargetGraph, addresses: &[Address]) -> Vec<Address> {
        let mut meant = addresses.to_vec();
        if self.transitive {
            meant.extend(addresses.iter().flat_map(|address| graph.generated_by(address)).cloned());
        }
        meant
    }
}
