//! `dependencies`: what the selected targets depend on, directly or transitively.

use std::collections::BTreeSet;

use crate::goals::{Error, Session, Verdict};
use crate::target::Address;

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let selected = session.selected()?;
    let transitive = session.config().flag("dependencies", "transitive");
    let closed = session.config().flag("dependencies", "closed");
    let dependencies = session.dependencies()?;
    let mut found: BTreeSet<Address> = match transitive {
        true => dependencies.transitive(&selected).into_iter().collect(),
        false => selected.iter().flat_map(|address| dependencies.direct(address)).cloned().collect(),
    };
    let mut asked: BTreeSet<Address> = selected.iter().cloned().collect();
    if transitive {
        asked.extend(found.iter().cloned());
    }
    session.tell_doubts(&dependencies, &asked)?;
    if closed {
        found.extend(selected);
    }
    let lines = found.iter().map(ToString::to_string).collect::<Vec<_>>();
    session.output("dependencies", &lines)?;
    Ok(Verdict::Good)
}
