//! `graph`: the selected targets and what they depend on, as a picture. Only Waders has it.

use std::collections::BTreeSet;

use crate::goals::output;
use crate::inference::Dependencies;
use crate::report;
use crate::report::graph::{Node, Picture};
use crate::session::{Error, Session, Verdict};
use crate::targets::{Address, TargetGraph};

const GOAL: &str = "graph";

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let selected = session.select()?;
    let (graph, dependencies) = (session.load_graph()?, session.infer_all()?);
    let drawn: BTreeSet<Address> = match session.config().flag(GOAL, "transitive") {
        true => dependencies.transitive(&selected).into_iter().chain(selected.iter().cloned()).collect(),
        false => selected.iter().cloned().collect(),
    };
    session.report_inference(&dependencies, &drawn)?;
    let picture = picture(&graph, &dependencies, &selected, &drawn);
    let text = match session.config().text(GOAL, "format") {
        Some("html") => report::graph::html(&picture),
        Some("json") => report::pretty(&report::graph::json(&picture), 2) + "\n",
        _ => report::graph::dot(&picture),
    };
    output::text(session, GOAL, &text)?;
    Ok(Verdict::Good)
}

/// What is drawn has its edges; where they lead is drawn too.
fn picture(
    graph: &TargetGraph,
    dependencies: &Dependencies,
    selected: &[Address],
    drawn: &BTreeSet<Address>,
) -> Picture {
    let selected: BTreeSet<&Address> = selected.iter().collect();
    let node = |address: &Address, to: Vec<String>| Node {
        kind: graph.get(address).map(|target| target.kind.clone()).unwrap_or_default(),
        selected: selected.contains(address),
        to,
    };
    let mut picture = Picture::default();
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
