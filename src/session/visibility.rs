//! Dependencies that visibility rules forbid or warn about. The rules themselves are in `targets`.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::config::typed::VisibilitySettings;
use crate::inference::Dependencies;
use crate::inference::target_index::TargetId;
use crate::session::{Error, Session};
use crate::targets::visibility::Endpoint;
use crate::targets::{Address, Diagnostic, Kind, Target};

/// Reports every such dependency of these targets; an error if one is forbidden.
pub(super) fn check(
    session: &mut Session,
    dependencies: &Dependencies,
    about: &BTreeSet<Address>,
) -> Result<(), Error> {
    let graph = session.load_graph()?;
    if graph.visibility().is_empty() || !VisibilitySettings::parse(session.config()).enforce {
        return Ok(());
    }
    let ends: Vec<OnceLock<Option<Endpoint>>> = (0..dependencies.len()).map(|_| OnceLock::new()).collect();
    let end = |number: TargetId| {
        let found = || graph.get(dependencies.address(number)).map(|target| graph.visibility().end(&graph, target));
        ends[number as usize].get_or_init(found).as_ref()
    };
    // As in Pants: nobody wrote the dependencies of a generator on what it generates.
    let is_generator = |from: &Target| Kind::find(&from.kind).is_some_and(Kind::is_generator);
    let asked: Vec<TargetId> = about
        .iter()
        .filter(|address| graph.get(address).is_some_and(|from| !is_generator(from)))
        .filter_map(|address| dependencies.id(address))
        .collect();
    let of = |from: &TargetId| {
        let to = dependencies.unexpanded(*from).iter().filter_map(|to| end(*to));
        end(*from).map(|from| to.filter_map(|to| from.check_dependency(to)).collect::<Vec<_>>()).unwrap_or_default()
    };
    let rulings: Vec<Diagnostic> = asked.par_iter().flat_map_iter(of).collect();
    rulings.iter().for_each(|ruling| session.ui.report_diagnostic(ruling));
    match rulings.iter().filter(|ruling| ruling.is_error()).count() {
        0 => Ok(()),
        count => Err(Error::Forbidden(count)),
    }
}
