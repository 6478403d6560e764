//! What became of the tests: read from the store, told on the screen, written below the distribution directory.

use std::path::PathBuf;

use crate::action::{Exit, Origin};
use crate::base::RelPath;
use crate::engine::executor::Results;
use crate::goals::test::prepare::PreparedTest;
use crate::goals::{Error, Session};
use crate::report::summary::{self, Output};
use crate::report::{TestResult, json, junit, test_result};
use crate::store::{Node, Store};

/// In the order of the tests.
pub fn results(session: &mut Session, tests: &[PreparedTest], outcomes: &Results) -> Result<Vec<TestResult>, Error> {
    let store = session.store()?;
    let skips_empty = session.config().flag("pytest", "allow_empty_test_collection");
    tests.iter().map(|test| result(&store, test, outcomes, skips_empty)).collect()
}

fn result(store: &Store, test: &PreparedTest, outcomes: &Results, skips_empty: bool) -> Result<TestResult, Error> {
    let address = [test.address.to_string()];
    let step = match &test.step {
        Ok(step) => step,
        Err(error) => return Ok(TestResult::not_run(&address, &whole(error))),
    };
    match outcomes.get(step) {
        Some(Ok(done)) => {
            let Some((origin, outcome)) = &done.outcome else {
                return Ok(TestResult::not_run(&address, "nothing ran"));
            };
            // A file without tests is only kept as a result where that is fine.
            let empty_was_fine = skips_empty || outcome.exit == Exit::Code(5) && *origin == Origin::Cached;
            let mut result = TestResult::new(&address, outcome, *origin, test.timeout, empty_was_fine);
            result.stdout = String::from_utf8_lossy(&store.get(outcome.stdout)?).into_owned();
            result.stderr = String::from_utf8_lossy(&store.get(outcome.stderr)?).into_owned();
            let report = RelPath::parse("junit.xml").expect("the path is clean");
            if let Some(Node::File { digest, .. }) = store.tree(done.tree)?.nodes.get(&report) {
                result.junit = Some(store.get(*digest)?);
            }
            Ok(result)
        }
        Some(Err(error)) => Ok(TestResult::not_run(&address, &error.whole())),
        None => Ok(TestResult::not_run(&address, "it was not started")),
    }
}

/// JUnit files, where `[test] report` asks for them.
pub fn write_reports(session: &Session, results: &[TestResult]) -> Result<(), Error> {
    if !session.config().flag("test", "report") {
        return Ok(());
    }
    let dir = session.config().text("test", "report_dir").map_or_else(
        || session.dist_dir().join("test/reports"),
        |dir| session.build_root().join(dir.replace("{distdir}", &session.dist_dir().to_string_lossy())),
    );
    Ok(junit::write(&dir, results)?)
}

/// What tests wrote below `extra-output/`, to `dist/test/<address>/`.
pub fn keep_extra_output(session: &mut Session, tests: &[PreparedTest], outcomes: &Results) -> Result<(), Error> {
    let store = session.store()?;
    let extra = RelPath::parse("extra-output").expect("the path is clean");
    for test in tests {
        let Some(Ok(done)) = test.step.as_ref().ok().and_then(|step| outcomes.get(step)) else { continue };
        let Some(tree) = store.subtree(done.tree, &extra)? else { continue };
        if store.tree(tree)?.nodes.is_empty() {
            continue;
        }
        let name = junit::file_name(&[test.address.to_string()]);
        let dir = session.dist_dir().join("test").join(name.trim_end_matches(".xml"));
        export(&store, tree, dir)?;
    }
    Ok(())
}

/// A copy that the user may change: images are read-only.
fn export(store: &Store, tree: crate::base::Digest, dir: PathBuf) -> Result<(), Error> {
    let fail = |path: &PathBuf| {
        let path = path.clone();
        move |source| Error::Output { path, source }
    };
    for (path, node) in store.tree(tree)?.nodes {
        let path = path.to_path(&dir);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(fail(&path))?;
        }
        if let Node::File { digest, .. } = node {
            std::fs::write(&path, store.get(digest)?).map_err(fail(&path))?;
        }
    }
    Ok(())
}

pub fn print(session: &Session, results: &[TestResult]) {
    let colour = session.terminal.colour;
    let output = Output::parse(session.config().text("test", "output").unwrap_or("failed"));
    for result in results.iter().filter(|result| output.shows(result)) {
        eprintln!("{}", summary::output_block(result, colour));
    }
    for result in results {
        eprintln!("{}", summary::summary_line(result, colour));
    }
    eprintln!("{}", summary::totals_line(results));
    if session.config().flag("test", "json") {
        println!("{}", json::render(results, test_result::exit_code(results)));
    }
}

/// A message and its causes, outermost first, and what to do.
fn whole(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text
}
