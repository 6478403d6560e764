//! `roots`: prints the source roots of the repository, one on each line.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::goals::Error;
use crate::goals::output;
use crate::session::{Session, Verdict};

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let graph = session.load_graph()?;
    let roots = session.find_source_roots()?.roots(graph.files().iter());
    // As in Pants, sorted as text.
    let printed: BTreeSet<String> = roots.iter().map(RelPath::to_string).collect();
    output::lines(session, "roots", &printed.into_iter().collect::<Vec<_>>())?;
    Ok(Verdict::Good)
}
