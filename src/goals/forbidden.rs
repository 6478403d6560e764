//! Dependencies that visibility rules forbid or warn of. What the rules say is `target`'s to know.

use std::collections::BTreeSet;

use crate::goals::{Error, Session};
use crate::python::Dependencies;
use crate::target::{Address, Diagnostic, Kind, Target};

/// Tells of every such dependency of these targets; an error if one is forbidden.
pub fn check(session: &mut Session, dependencies: &Dependencies, about: &BTreeSet<Address>) -> Result<(), Error> {
    let graph = session.graph()?;
    if graph.visibility().is_empty() || !session.config().flag("visibility", "enforce") {
        return Ok(());
    }
    // As in Pants: that a generator depends on what it generates is nobody's wish.
    let is_generator = |from: &&Target| Kind::of(&from.kind).is_some_and(Kind::is_generator);
    let asked = about.iter().filter_map(|address| graph.get(address)).filter(|from| !is_generator(from));
    let rulings = asked.flat_map(|from| {
        let to = dependencies.named(&from.address).filter_map(|to| graph.get(to));
        to.filter_map(|to| graph.visibility().ruling(&graph, from, to))
    });
    let rulings: Vec<Diagnostic> = rulings.collect();
    rulings.iter().for_each(|ruling| session.tell_diagnostic(ruling));
    match rulings.iter().filter(|ruling| ruling.is_error()).count() {
        0 => Ok(()),
        count => Err(Error::Forbidden(count)),
    }
}
