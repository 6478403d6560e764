//! What became of the tests: read from the store, told on the screen, written below the distribution directory.

use std::path::{Path, PathBuf};

use crate::base::{Digest, RelPath};
use crate::engine::executor::Results;
use crate::goals::test::prepare::{self, PreparedTest};
use crate::goals::{Error, Session};
use crate::report::summary::{self, Output};
use crate::report::{TestResult, json, junit, test_result};
use crate::store::{Node, Store};

/// In the order of the tests.
pub fn results(session: &mut Session, tests: &[PreparedTest], outcomes: &Results) -> Result<Vec<TestResult>, Error> {
    let store = session.store()?;
    let skips_empty = prepare::skips_empty(session.config());
    let mut results =
        tests.iter().map(|test| result(&store, test, outcomes, skips_empty)).collect::<Result<Vec<_>, _>>()?;
    if session.config().flag("test", "show_all_batch_targets") {
        results.iter_mut().for_each(|result| result.name = result.addresses.join(", "));
    }
    Ok(results)
}

fn result(store: &Store, test: &PreparedTest, outcomes: &Results, skips_empty: bool) -> Result<TestResult, Error> {
    let addresses = names(test);
    let step = match &test.step {
        Ok(step) => step,
        Err(error) => return Ok(TestResult::not_run(&addresses, &whole(error))),
    };
    match outcomes.get(step) {
        Some(Ok(done)) => {
            let Some((origin, outcome)) = &done.outcome else {
                return Ok(TestResult::not_run(&addresses, "nothing ran"));
            };
            let mut result = TestResult::new(&addresses, outcome, *origin, test.timeout, skips_empty);
            result.stdout = String::from_utf8_lossy(&store.get(outcome.stdout)?).into_owned();
            result.stderr = String::from_utf8_lossy(&store.get(outcome.stderr)?).into_owned();
            let report = RelPath::parse("junit.xml").expect("the path is clean");
            if let Some(Node::File { digest, .. }) = store.tree(done.tree)?.nodes.get(&report) {
                result.junit = Some(store.get(*digest)?);
            }
            Ok(result)
        }
        Some(Err(error)) => Ok(TestResult::not_run(&addresses, &error.whole())),
        None => Ok(TestResult::not_run(&addresses, "it was not started")),
    }
}

fn names(test: &PreparedTest) -> Vec<String> {
    test.addresses.iter().map(ToString::to_string).collect()
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
        let name = junit::file_name(&names(test));
        let dir = session.dist_dir().join("test").join(name.trim_end_matches(".xml"));
        export(&store, tree, &dir)?;
    }
    Ok(())
}

/// A copy that the user may change: images are read-only.
pub fn export(store: &Store, tree: Digest, dir: &Path) -> Result<(), Error> {
    let fail = |path: &PathBuf| {
        let path = path.clone();
        move |source| Error::Output { path, source }
    };
    for (path, node) in store.tree(tree)?.nodes {
        let path = path.to_path(dir);
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
