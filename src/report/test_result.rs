//! One line of a test run: a test file, or a batch of them, and how it went.

use std::time::Duration;

use crate::action::{Exit, Origin, Outcome};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Passed,
    /// No tests were collected, and that is allowed.
    Skipped,
    /// The test runner's exit code.
    Failed(i32),
    Killed {
        signal: i32,
    },
    TimedOut {
        after: Duration,
    },
    OutOfMemory,
    Interrupted,
    /// The step never started or could not be carried out; the message is whole.
    NotRun(String),
}

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
    /// Of one file or a batch. `skips_empty` says that a run without tests (pytest's exit code 5) is fine.
    pub fn new(
        addresses: &[String],
        outcome: &Outcome,
        origin: Origin,
        timeout: Option<Duration>,
        skips_empty: bool,
    ) -> TestResult {
        TestResult {
            name: name(addresses),
            addresses: addresses.to_vec(),
            status: Status::of(outcome.exit, timeout.unwrap_or(outcome.wall), skips_empty),
            origin: Some(origin),
            wall: outcome.wall,
            attempts: outcome.attempts,
            stdout: String::new(),
            stderr: String::new(),
            junit: None,
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
        !matches!(self.status, Status::Passed | Status::Skipped)
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

impl Status {
    fn of(exit: Exit, timeout: Duration, skips_empty: bool) -> Status {
        match exit {
            Exit::Code(0) => Status::Passed,
            Exit::Code(NOTHING_COLLECTED) if skips_empty => Status::Skipped,
            Exit::Code(code) => Status::Failed(code),
            Exit::Signal(signal) => Status::Killed { signal },
            Exit::TimedOut => Status::TimedOut { after: timeout },
            Exit::OutOfMemory => Status::OutOfMemory,
            Exit::Interrupted => Status::Interrupted,
        }
    }

    /// As Pants reports it: a time-out is -15, as if ended by SIGTERM, and any other signal is negative too.
    pub fn exit_code(&self) -> i32 {
        match self {
            Status::Passed | Status::Skipped => 0,
            Status::Failed(code) => *code,
            Status::Killed { signal } => -signal,
            Status::TimedOut { .. } => -15,
            Status::OutOfMemory => -9,
            Status::Interrupted | Status::NotRun(_) => 1,
        }
    }

    /// One word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Passed => "passed",
            Status::Skipped => "skipped",
            Status::Failed(_) => "failed",
            Status::Killed { .. } => "killed",
            Status::TimedOut { .. } => "timed-out",
            Status::OutOfMemory => "out-of-memory",
            Status::Interrupted => "interrupted",
            Status::NotRun(_) => "not-run",
        }
    }

    /// Why it did not pass, in words for people; empty where it passed.
    pub fn reason(&self) -> String {
        match self {
            Status::Passed => String::new(),
            Status::Skipped => "no tests were collected".to_owned(),
            Status::Failed(code) => format!("exit code {code}"),
            Status::Killed { signal } => format!("killed by signal {signal}"),
            Status::TimedOut { after } => format!("exceeded its timeout of {:.1} seconds", after.as_secs_f64()),
            Status::OutOfMemory => "killed because its memory limit was reached".to_owned(),
            Status::Interrupted => "interrupted".to_owned(),
            Status::NotRun(message) => message.clone(),
        }
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
        assert_eq!(Status::of(Exit::Code(5), Duration::ZERO, false), Status::Failed(5));
        assert_eq!(Status::of(Exit::Code(5), Duration::ZERO, true), Status::Skipped);
    }
}
