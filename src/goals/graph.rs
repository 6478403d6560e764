//! `graph`: draws the selected targets and their dependencies. Pants does not have this goal.

use std::collections::BTreeSet;

use crate::config::typed::{GraphFormat, GraphSettings};
use crate::goals::Error;
use crate::goals::output;
use crate::inference::Dependencies;
use crate::report;
use crate::report::graph::{Drawing, Node};
use crate::session::{Session, Verdict};
use crate::targets::{Address, TargetGraph};

const GOAL: &str = "graph";

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = GraphSettings::parse(session.config());
    let selected = session.select()?;
    let (graph, dependencies) = (session.load_graph()?, session.infer_all()?);
    let drawn: BTreeSet<Address> = match settings.transitive {
        true => dependencies.transitive(&selected).into_iter().chain(selected.iter().cloned()).collect(),
        false => selected.iter().cloned().collect(),
    };
    session.report_inference(&dependencies, &drawn)?;
    let picture = picture(&graph, &dependencies, &selected, &drawn);
    let text = match settings.format {
        GraphFormat::Html => report::graph::html(&picture),
        GraphFormat::Json => report::pretty(&report::graph::json(&picture), 2) + "\n",
        GraphFormat::Dot => report::graph::dot(&picture),
    };
    output::text(session, GOAL, &text)?;
    Ok(Verdict::Good)
}

/// The targets in `drawn` with their edges, and the targets at the ends of those.
fn picture(
    graph: &TargetGraph,
    dependencies: &Dependencies,
    selected: &[Address],
    drawn: &BTreeSet<Address>,
) -> Drawing {
    let selected: BTreeSet<&Address> = selected.iter().collect();
    let node = |address: &Address, to: Vec<String>| Node {
        kind: graph.get(address).map(|target| target.kind.clone()).unwrap_or_default(),
        selected: selected.contains(address),
        to,
    };
    let mut picture = Drawing::default();
    for address in drawn {
        let direct = dependencies.in_pants_order(graph, address);
        for other in direct.iter().filter(|other| !drawn.contains(**other)) {
            picture.nodes.insert(other.to_string(), node(other, Vec::new()));
        }
        let to = direct.into_iter().map(Address::to_string).collect();
        picture.nodes.insert(address.to_string(), node(address, to));
    }
    picture
}
