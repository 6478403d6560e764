//! Coverage reports, from what the tests measured. A process in a sandbox creates them; they are copied to
//! `[coverage-py] output_dir`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::action::{ActionGraph, Exit, Outcome, Source, Step};
use crate::base::{Digest, RelPath};
use crate::config::typed::{CoverageSettings, TestSettings};
use crate::engine::executor::Results;
use crate::goals::Error;
use crate::plan::coverage_run::{self, Format, MEASURED, UNIMPORTED, UNIMPORTED_IN_NAMESPACES};
use crate::prepare::test::PlannedTest;
use crate::prepare::test::coverage::Coverage;
use crate::report::junit::path_safe;
use crate::report::limits::PARSED_BYTES;
use crate::session::{self, Session, execute};
use crate::store::{Node, Store, Tree};

/// Writes the reports and prints their paths. False if coverage is below `fail_under`. `graph` has the steps that make what reports
/// need. They are part of the same graph as the process, so that none of them runs if the report is cached.
pub(super) fn report(
    session: &mut Session,
    coverage: &Coverage,
    mut graph: ActionGraph,
    tests: &[PlannedTest],
    outcomes: &Results,
) -> Result<bool, Error> {
    let store = session.services.open_store()?;
    let Some(data) = collect_data(&store, coverage, tests, outcomes)? else {
        session.ui.warn("no test measured coverage, so no coverage report is written");
        return Ok(true);
    };
    let data = Source::Tree(data);
    let action = coverage_run::action(coverage.images.clone(), coverage.sources, data, &coverage.options);
    let step = graph.add(Step::Run(Box::new(action)));
    let mut results = execute::execute(session, graph, &[step], false)?;
    let done = results.remove(&step).ok_or(session::Error::Interrupted)?.map_err(session::Error::Step)?;
    let (_, outcome) = done.outcome.ok_or(session::Error::Interrupted)?;
    let [stdout, stderr] = texts(&store, &outcome)?;
    match outcome.exit {
        Exit::Code(0 | coverage_run::TOO_LOW) => {}
        Exit::Interrupted => return Err(session::Error::Interrupted.into()),
        exit => return Err(Error::NoCoverageReport { exit, stderr }),
    }
    if !stdout.is_empty() {
        session.ui.text(&format!("\n{stdout}"));
    }
    let dir = output_dir(session);
    store.copy_out(done.tree, &dir)?;
    print_places(session, &coverage.options.formats, &dir);
    session.ui.text(&stderr);
    Ok(outcome.exit == Exit::Code(0))
}

/// The measurements of all tests, failed ones included, as a tree; `None` if there are none.
fn collect_data(
    store: &Store,
    coverage: &Coverage,
    tests: &[PlannedTest],
    outcomes: &Results,
) -> Result<Option<Digest>, Error> {
    let mut nodes: BTreeMap<RelPath, Node> = BTreeMap::new();
    for test in tests {
        let Some(Ok(done)) = test.step.as_ref().ok().and_then(|step| outcomes.get(step)) else { continue };
        for (path, node) in store.tree(done.tree)?.nodes {
            // A process that wrote several files adds suffixes.
            let suffix = path.as_str().strip_prefix("coverage");
            if let Some(suffix) = suffix.filter(|suffix| suffix.is_empty() || suffix.starts_with('.')) {
                let name = format!("{MEASURED}/{}{suffix}", path_safe(&test.names[0]));
                nodes.insert(RelPath::parse(&name)?, node);
            }
        }
    }
    if nodes.is_empty() {
        return Ok(None);
    }
    if coverage.options.unimported {
        let lists = [(UNIMPORTED, &coverage.also.regular), (UNIMPORTED_IN_NAMESPACES, &coverage.also.in_namespaces)];
        for (name, files) in lists {
            let text: String = files.iter().map(|file| format!("{file}\n")).collect();
            let node = Node::File { digest: store.put(text.as_bytes())?, executable: false };
            nodes.insert(RelPath::parse(name)?, node);
        }
    }
    Ok(Some(store.put_tree(&Tree { nodes })?))
}

fn texts(store: &Store, outcome: &Outcome) -> Result<[String; 2], Error> {
    Ok([store.excerpt(outcome.stdout, PARSED_BYTES)?, store.excerpt(outcome.stderr, PARSED_BYTES)?])
}

fn output_dir(session: &Session) -> PathBuf {
    session.context.output_path(&CoverageSettings::parse(session.config()).output_dir)
}

fn print_places(session: &Session, formats: &BTreeSet<Format>, dir: &std::path::Path) {
    let shown = session.ui.link(&session.context.display_path(dir), dir);
    for format in formats.iter().filter(|format| format.file().is_some()) {
        session.ui.summary(&format!("Wrote {} coverage report to `{shown}`", format.name()));
    }
    if TestSettings::parse(session.config()).open_coverage {
        // No browser is started: the user can click on the path.
        let readable = [Format::Html, Format::Xml, Format::Json, Format::Lcov];
        match readable.iter().find(|format| formats.contains(format)).and_then(|format| format.file()) {
            Some(file) => {
                let file = dir.join(file);
                session
                    .ui
                    .summary(&format!("Coverage report: {}", session.ui.link(&file.display().to_string(), &file)));
            }
            None => session.ui.warn("`--test-open-coverage`: `[coverage-py] report` has no format that can be opened"),
        }
    }
}
