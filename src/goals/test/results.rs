//! The results of tests: read from the store, printed, and written to the directory for results.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use rayon::prelude::*;

use crate::base::{Digest, RelPath};
use crate::config::typed::{KeepSandboxes, TestSettings};
use crate::engine::executor::Results;
use crate::goals::Error;
use crate::plan::test_run::{EXTRA_OUTPUT, JUNIT};
use crate::prepare::test::PlannedTest;
use crate::report::limits::{JUNIT_BYTES, SHOWN_BYTES};
use crate::report::summary::{self, OutputMode};
use crate::report::test_totals::{self, TestTotals};
use crate::report::{Status, TestResult, github, json, junit, step_summary, test_case, test_result};
use crate::session::failure::{self, Failure};
use crate::session::{Session, Verdict};
use crate::store::{Node, Store};

/// Reads the results, in the order of the tests.
pub(super) fn results(
    session: &mut Session,
    tests: &[PlannedTest],
    outcomes: &Results,
) -> Result<Vec<TestResult>, Error> {
    let store = session.services.open_store()?;
    let settings = TestSettings::parse(session.config());
    let output = OutputMode::parse(&settings.output);
    // An output that nobody sees is not read, since there may be many and large ones.
    let needs_output = |result: &TestResult| output.shows(result) || settings.report || result.has_failed();
    let mut results =
        tests.par_iter().map(|test| result(&store, test, outcomes, &needs_output)).collect::<Result<Vec<_>, _>>()?;
    if settings.fail_fast && !session.services.was_interrupted() {
        for (test, result) in
            tests.iter().zip(&mut results).filter(|(test, _)| failure::was_stopped(&test.step, outcomes))
        {
            *result = TestResult {
                status: Status::Stopped,
                files: test.files.clone(),
                ..TestResult::not_run(&test.names, "")
            };
        }
    }
    if settings.show_all_batch_targets {
        results.iter_mut().for_each(|result| result.name = result.addresses.join(", "));
    }
    Ok(results)
}

fn result(
    store: &Store,
    test: &PlannedTest,
    outcomes: &Results,
    needs_output: &(dyn Fn(&TestResult) -> bool + Sync),
) -> Result<TestResult, Error> {
    let (done, origin, outcome) = match failure::ran(&test.step, outcomes) {
        Ok(ran) => ran,
        Err(failure) => {
            let files = test.files.clone();
            return Ok(TestResult { files, ..TestResult::not_run(&test.names, &failure.message) });
        }
    };
    let mut result = TestResult::new(&test.names, outcome, origin, test.timeout, test.empty_is_fine);
    result.files = test.files.clone();
    if needs_output(&result) {
        result.stdout = store.excerpt(outcome.stdout, SHOWN_BYTES)?;
        result.stderr = store.excerpt(outcome.stderr, SHOWN_BYTES)?;
    }
    let report = RelPath::parse(JUNIT).expect("the path is clean");
    if let Some(Node::File { digest, .. }) = store.tree(done.tree)?.nodes.get(&report) {
        match digest.size_bytes() {
            0..=JUNIT_BYTES => {
                let report = store.get(*digest)?;
                result.cases = test_case::parse(&report);
                result.junit = Some(report);
            }
            size => result.stderr += &too_large(store, *digest, size)?,
        }
    }
    Ok(result)
}

fn too_large(store: &Store, report: Digest, size_bytes: u64) -> Result<String, Error> {
    let path = store.blob_root().join(store.relative_blob_path(report)?);
    Ok(format!(
        "\n[the report of the test runner has {size_bytes} bytes and is not copied; it is in `{}`]\n",
        path.display()
    ))
}

/// Good, or bad with the exit code of the worst test. If every failed test did not run, and for the same kind of reason, that
/// kind is the verdict.
pub(super) fn verdict(tests: &[PlannedTest], outcomes: &Results, results: &[TestResult]) -> Verdict {
    let unstopped = tests.iter().zip(results).filter(|(_, result)| !result.was_stopped());
    let failures: Vec<Failure> = unstopped.filter_map(|(test, _)| failure::ran(&test.step, outcomes).err()).collect();
    let failed = results.iter().filter(|result| result.has_failed()).count();
    match failure::common_kind(&failures) {
        Some(kind) if failures.len() == failed => Verdict::Prevented(kind),
        _ => Verdict::from_exit_code(test_result::exit_code(results)),
    }
}

/// Writes JUnit files, if `[test] report` asks for them.
pub(super) fn write_reports(session: &Session, results: &[TestResult]) -> Result<(), Error> {
    let settings = TestSettings::parse(session.config());
    match settings.report {
        true => {
            let dir = session.context.output_path(&settings.report_dir);
            Ok(junit::write(&dir, results.iter().filter(|result| !result.was_stopped()))?)
        }
        false => Ok(()),
    }
}

/// Copies what tests wrote to `extra-output/` to `dist/test/<address>/`.
pub(super) fn keep_extra_output(session: &mut Session, tests: &[PlannedTest], outcomes: &Results) -> Result<(), Error> {
    let store = session.services.open_store()?;
    let extra = RelPath::parse(EXTRA_OUTPUT).expect("the path is clean");
    for test in tests {
        let Some(Ok(done)) = test.step.as_ref().ok().and_then(|step| outcomes.get(step)) else { continue };
        let Some(tree) = store.subtree(done.tree, &extra)? else { continue };
        if store.tree(tree)?.nodes.is_empty() {
            continue;
        }
        let name = junit::file_name(&test.names);
        let dir = session.context.dist_dir().join("test").join(name.trim_end_matches(".xml"));
        store.copy_out(tree, &dir)?;
    }
    Ok(())
}

/// Prints what the terminal did not show: why tests were not run, or were ended.
pub(super) fn print_debugged(session: &Session, results: &[TestResult]) {
    for result in results.iter().filter(|result| !result.was_not_run()) {
        if !matches!(result.status, Status::Passed | Status::Skipped | Status::Failed(_)) {
            session.ui.summary(&format!("{} failed ({})", result.name, result.status.reason()));
        }
    }
    for block in summary::not_run_blocks(results, session.ui.terminal.colour) {
        session.ui.summary(&block);
    }
}

/// Prints the output of tests, a line for each test, and the totals after the time `elapsed`.
pub(super) fn print(session: &Session, results: &[TestResult], elapsed: Duration) {
    let colour = session.ui.terminal.colour;
    let settings = TestSettings::parse(session.config());
    let output = OutputMode::parse(&settings.output);
    let has_output = |result: &&TestResult| !result.was_not_run() && !result.was_stopped();
    for result in results.iter().filter(|result| output.shows(result)).filter(has_output) {
        session.ui.summary(&summary::output_block(result, colour));
    }
    for result in results.iter().filter(|result| !result.was_not_run() && !result.was_stopped()) {
        let path = result.files.first().map(|file| session.build_root().join(file));
        let name = path.map_or_else(|| result.name.clone(), |path| session.ui.link(&result.name, &path));
        session.ui.summary(&summary::summary_line(&name, result, colour));
    }
    for block in summary::not_run_blocks(results, colour) {
        session.ui.summary(&block);
    }
    let remarks = [test_totals::slowest_block(results, settings.slowest), test_totals::flaky_block(results)];
    let remarks = remarks.into_iter().chain([test_totals::stopped_line(results)]);
    remarks.flatten().for_each(|block| session.ui.summary(&block));
    session.ui.summary(&TestTotals::of(results).coloured_line(elapsed, colour));
    if session.context.global().keep_sandboxes != KeepSandboxes::Never
        && let Some(text) = summary::shell_text(&session.context.global().bin_name, results)
    {
        session.ui.text(&format!("\n{text}"));
    }
    if settings.show_rerun_command.unwrap_or_else(|| session.environment().is_ci())
        && let Some(text) = summary::rerun_text(&session.context.global().bin_name, results)
    {
        session.ui.text(&format!("\n{text}"));
    }
}

/// In GitHub Actions, prints annotations and appends to the summary of the step.
pub(super) fn write_for_github(session: &Session, results: &[TestResult], elapsed: Duration) -> Result<(), Error> {
    if session.environment().var("GITHUB_ACTIONS") != Some("true") {
        return Ok(());
    }
    let annotations = results.iter().flat_map(github::test_annotations);
    annotations.take(MAX_ANNOTATIONS).for_each(|annotation| session.ui.summary(&annotation));
    let Some(path) = session.environment().var("GITHUB_STEP_SUMMARY").map(PathBuf::from) else { return Ok(()) };
    let text = step_summary::render(&session.context.global().bin_name, results, elapsed);
    // Other steps of the job have summaries in the same file.
    let written = OpenOptions::new().create(true).append(true).open(&path);
    let written = written.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| Error::Output { path, source })
}

/// GitHub shows the first 50 annotations of a job.
const MAX_ANNOTATIONS: usize = 50;

/// Prints results as JSON, if that is asked for.
pub(super) fn print_json(session: &Session, results: &[TestResult], verdict: Verdict) -> Result<(), Error> {
    match TestSettings::parse(session.config()).json {
        true => Ok(session.ui.print(&json::render_tests(results, session.exit_code(verdict)))?),
        false => Ok(()),
    }
}
