//! One line of a test run: a test file, or a batch of them, and how it went.

use std::time::Duration;

use crate::action::{Exit, Origin, Outcome};
use crate::report::Status;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The address, or `a/b_test.py:t and 2 other files` where several shared a process.
    pub name: String,
    /// Of every file, sorted.
    pub addresses: Vec<String>,
    pub status: Status,
    /// `None` where nothing ran.
    pub origin: Option<Origin>,
    pub wall: Duration,
    /// From 1.
    pub attempts: u32,
    pub stdout: String,
    pub stderr: String,
    /// The report that the test runner wrote, byte for byte.
    pub junit: Option<Vec<u8>>,
}

impl TestResult {
    /// Of one file or a batch. `skips_empty` says that a run without tests is fine.
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

    pub fn not_run(addresses: &[String], message: &str) -> TestResult {
        TestResult {
            name: name(addresses),
            addresses: addresses.to_vec(),
            status: Status::NotRun(message.to_owned()),
            origin: None,
            wall: Duration::ZERO,
            attempts: 1,
            stdout: String::new(),
            stderr: String::new(),
            junit: None,
        }
    }

    pub fn was_not_run(&self) -> bool {
        matches!(self.status, Status::NotRun(_))
    }

    pub fn has_failed(&self) -> bool {
        !self.status.is_done()
    }
}

/// What people call a result: the address, or the first of several.
pub fn name(addresses: &[String]) -> String {
    match addresses {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first, others @ ..] => format!("{first} and {} other files", others.len()),
    }
}

/// pytest's exit code for "no tests were collected".
const NOTHING_COLLECTED: i32 = 5;

/// `skips_empty` says that a run without tests is fine.
fn status(exit: Exit, timeout: Duration, skips_empty: bool) -> Status {
    match Status::of(exit, &[], timeout) {
        Status::Failed(NOTHING_COLLECTED) if skips_empty => Status::Skipped,
        status => status,
    }
}

/// The exit code of the whole run, as Pants reckons it: sorted by size and name, the last that is not 0.
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
    fn the_largest_exit_code_wins() {
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
    fn a_run_without_tests_fails_unless_that_is_allowed() {
        assert_eq!(status(Exit::Code(5), Duration::ZERO, false), Status::Failed(5));
        assert_eq!(status(Exit::Code(5), Duration::ZERO, true), Status::Skipped);
    }
}
