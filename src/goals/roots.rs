//! `roots`: the source roots of the repository, one a line.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::goals::output;
use crate::session::{Error, Session, Verdict};

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let graph = session.load_graph()?;
    let roots = session.find_source_roots()?.roots(graph.files().iter());
    // Sorted as texts, as Pants does.
    let printed: BTreeSet<String> = roots.iter().map(RelPath::to_string).collect();
    output::lines(session, "roots", &printed.into_iter().collect::<Vec<_>>())?;
    Ok(Verdict::Good)
}
