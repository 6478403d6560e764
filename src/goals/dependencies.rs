//! `dependencies`: what the selected targets depend on, directly or transitively.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::config::typed::DependenciesSettings;
use crate::goals::Error;
use crate::goals::output;
use crate::inference::Dependencies;
use crate::report;
use crate::session::{Session, Verdict};
use crate::targets::Address;

const GOAL: &str = "dependencies";

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let selected = session.select()?;
    let DependenciesSettings { transitive, closed, json } = DependenciesSettings::parse(session.config());
    let dependencies = session.infer_for(&selected.iter().cloned().collect())?;
    report_doubts(session, &dependencies, &selected, transitive)?;
    let of = |addresses: &[Address]| {
        let mut found: BTreeSet<String> = match transitive {
            true => dependencies.transitive(addresses).iter().map(Address::to_string).collect(),
            false => addresses.iter().flat_map(|it| dependencies.direct(it)).map(Address::to_string).collect(),
        };
        found.extend(addresses.iter().filter(|_| closed).map(Address::to_string));
        found
    };
    if json {
        let each: Map<String, Value> =
            selected.iter().map(|it| (it.to_string(), of(std::slice::from_ref(it)).into_iter().collect())).collect();
        output::text(session, GOAL, &(report::pretty(&each, 4) + "\n"))?;
    } else {
        // As in Pants, sorted as text; other goals sort by the parts of addresses.
        output::lines(session, GOAL, &of(&selected).into_iter().collect::<Vec<_>>())?;
    }
    Ok(Verdict::Good)
}

fn report_doubts(
    session: &mut Session,
    dependencies: &Dependencies,
    selected: &[Address],
    transitive: bool,
) -> Result<(), Error> {
    let mut asked: BTreeSet<Address> = selected.iter().cloned().collect();
    if transitive {
        asked.extend(dependencies.transitive(selected));
    }
    Ok(session.report_inference(dependencies, &asked)?)
}
