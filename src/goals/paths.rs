//! `paths`: the dependency paths from one target to another. Each end may be several targets.

use crate::config::typed::PathsSettings;
use crate::goals::Error;
use crate::goals::output;
use crate::inference::Paths;
use crate::report;
use crate::session::{Session, Verdict};
use crate::targets::{self, Address, TargetGraph};

const GOAL: &str = "paths";

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = PathsSettings::parse(session.config());
    let graph = session.load_graph()?;
    // A path may lead through targets that could not be loaded.
    session.report_load_errors(|_| true);
    let (from, to) =
        (select_end(session, &graph, settings.from, "from")?, select_end(session, &graph, settings.to, "to")?);
    let dependencies = session.infer_all()?;
    let mut paths = Paths::new(&graph, &dependencies);
    let mut found: Vec<Vec<String>> = Vec::new();
    for from in &from {
        for to in &to {
            found.extend(paths.between(from, to).iter().map(|path| path.iter().map(ToString::to_string).collect()));
        }
    }
    output::text(session, GOAL, &(report::pretty(&found, 2) + "\n"))?;
    Ok(Verdict::Good)
}

/// The targets that `--from` or `--to` names; a generator is replaced by what it generates.
fn select_end(
    session: &Session,
    graph: &TargetGraph,
    spec: Option<String>,
    option: &'static str,
) -> Result<Vec<Address>, Error> {
    let spec = spec.ok_or(Error::NoEnd(option))?;
    let root = session.build_root().to_string_lossy();
    let selected = targets::select(graph, &[spec], &session.context.cwd()?, &root)?;
    let (generators, mut meant): (Vec<Address>, Vec<Address>) =
        selected.into_iter().partition(|address| !graph.generated_by(address).is_empty());
    for generated in generators.iter().flat_map(|generator| graph.generated_by(generator)) {
        if !meant.contains(generated) {
            meant.push(generated.clone());
        }
    }
    Ok(meant)
}
