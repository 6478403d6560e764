//! The result of one test process: of a test file or of a batch of test files.

use std::time::Duration;

use crate::action::{Exit, Origin, Outcome};
use crate::report::Status;
use crate::report::test_case::TestCase;

/// The result of one test process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The address, or `a/b_test.py:t and 2 other files` if several shared a process.
    pub name: String,
    /// The address of every test file, sorted.
    pub addresses: Vec<String>,
    /// The file of each address, in the same order; empty if they are not known.
    pub files: Vec<String>,
    /// How the process ended.
    pub status: Status,
    /// `None` if nothing ran.
    pub origin: Option<Origin>,
    /// The wall-clock time of the process.
    pub wall: Duration,
    /// The number of attempts, at least 1.
    pub attempts: u32,
    /// The process's standard output.
    pub stdout: String,
    /// The process's standard error.
    pub stderr: String,
    /// What the user can do about a failure, one line each.
    pub notes: Vec<String>,
    /// The JUnit report that the test runner wrote.
    pub junit: Option<Vec<u8>>,
    /// The tests of this report; `None` if there is none or it cannot be read.
    pub cases: Option<Vec<TestCase>>,
}

impl TestResult {
    /// Makes a result without output from an outcome. With `skips_empty`, a process that collected no tests is skipped rather
    /// than failed.
    pub fn new(
        addresses: &[String],
        outcome: &Outcome,
        origin: Origin,
        timeout: Option<Duration>,
        skips_empty: bool,
    ) -> TestResult {
        TestResult {
            status: status(outcome.exit, timeout.unwrap_or(outcome.wall), skips_empty),
            origin: Some(origin),
            wall: outcome.wall,
            attempts: outcome.attempts,
            ..TestResult::not_run(addresses, "")
        }
    }

    /// Makes the result of tests that were not run, for the reason in `message`.
    pub fn not_run(addresses: &[String], message: &str) -> TestResult {
        TestResult {
            name: name(addresses),
            addresses: addresses.to_vec(),
            files: Vec::new(),
            status: Status::NotRun(message.to_owned()),
            origin: None,
            wall: Duration::ZERO,
            attempts: 1,
            stdout: String::new(),
            stderr: String::new(),
            notes: Vec::new(),
            junit: None,
            cases: None,
        }
    }

    /// True if the process did not run.
    pub fn was_not_run(&self) -> bool {
        matches!(self.status, Status::NotRun(_))
    }

    /// True if the tests passed only when they were repeated.
    pub fn is_flaky(&self) -> bool {
        self.status == Status::Passed && self.attempts > 1
    }

    /// True if the failure of another process prevented or ended this one.
    pub fn was_stopped(&self) -> bool {
        self.status == Status::Stopped
    }

    /// True unless the tests passed, were skipped, or were stopped by the failure of others.
    pub fn has_failed(&self) -> bool {
        !self.status.is_done() && !self.was_stopped()
    }
}

/// The name of a result: its address, or the first of several and their number.
pub fn name(addresses: &[String]) -> String {
    match addresses {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first, others @ ..] => format!("{first} and {} other files", others.len()),
    }
}

/// The exit code of pytest if no tests were collected (`pytest.ExitCode.NO_TESTS_COLLECTED`).
const NOTHING_COLLECTED: i32 = 5;

fn status(exit: Exit, timeout: Duration, skips_empty: bool) -> Status {
    match Status::from_exit(exit, &[], timeout) {
        Status::Failed(NOTHING_COLLECTED) if skips_empty => Status::Skipped,
        status => status,
    }
}

/// The exit code of the whole run, the same as with Pants: the one with the largest absolute value, and of several the one
/// of the last name.
pub fn exit_code(results: &[TestResult]) -> i32 {
    let worst = results.iter().filter(|result| result.has_failed());
    worst
        .max_by_key(|result| (result.status.exit_code().abs(), &result.name))
        .map_or(0, |worst| worst.status.exit_code())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn result(name: &str, status: Status) -> TestResult {
        TestResult {
            status,
            origin: Some(Origin::Ran),
            wall: Duration::from_millis(1234),
            ..TestResult::not_run(&[name.to_owned()], "")
        }
    }

    #[test]
    fn the_exit_code_with_the_largest_absolute_value_wins() {
        let check = |statuses: &[Status], expected| {
            let results: Vec<TestResult> = statuses.iter().map(|status| result("a", status.clone())).collect();
            assert_eq!(exit_code(&results), expected, "{statuses:?}");
        };
        check(&[], 0);
        check(&[Status::Passed, Status::Skipped], 0);
        check(&[Status::Failed(2), Status::Failed(1), Status::Passed], 2);
        check(&[Status::Failed(1), Status::TimedOut { after: Duration::ZERO }], -15);
    }

    #[test]
    fn a_run_without_tests_fails_unless_empty_runs_are_skipped() {
        assert_eq!(status(Exit::Code(5), Duration::ZERO, false), Status::Failed(5));
        assert_eq!(status(Exit::Code(5), Duration::ZERO, true), Status::Skipped);
    }
}
