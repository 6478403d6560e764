//! How a process of a test runner or tool ended, with the words that all reports use. Its output is not stored here.

use std::time::Duration;

use serde::Serialize;

use crate::action::{Exit, Origin};

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Exit code 0.
    Passed,
    /// No tests were collected, and that is allowed.
    Skipped,
    /// A tool completed and reported findings; the exit code.
    Found(i32),
    /// Tests failed, or a tool did not complete, for example because of invalid settings; the exit code.
    Failed(i32),
    /// A signal ended the process.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// The process exceeded its timeout and was killed.
    TimedOut {
        /// The timeout.
        after: Duration,
    },
    /// The process reached its memory limit and was killed.
    OutOfMemory,
    /// The process ended as if it had succeeded, but did not write its report.
    NoReport,
    /// The user interrupted the run.
    Interrupted,
    /// The process was not started or was ended, because another one had failed and the user wanted no more.
    Stopped,
    /// The process did not start or its result could not be captured; the complete message.
    NotRun(String),
}

impl Status {
    /// Classifies an exit. `finding_codes` are the exit codes of a tool that completed with findings.
    pub fn from_exit(exit: Exit, finding_codes: &[i32], timeout: Duration) -> Status {
        match exit {
            Exit::Code(0) => Status::Passed,
            Exit::Code(code) if finding_codes.contains(&code) => Status::Found(code),
            Exit::Code(code) => Status::Failed(code),
            Exit::Signal(signal) => Status::Killed { signal },
            Exit::TimedOut => Status::TimedOut { after: timeout },
            Exit::OutOfMemory => Status::OutOfMemory,
            Exit::MissingOutput => Status::NoReport,
            Exit::Interrupted => Status::Interrupted,
        }
    }

    /// True if the process completed, with or without findings.
    pub fn is_done(&self) -> bool {
        matches!(self, Status::Passed | Status::Skipped | Status::Found(_))
    }

    /// The exit code that Pants reports: a timeout is -15, as for SIGTERM, and any other signal is its negative number.
    pub fn exit_code(&self) -> i32 {
        match self {
            Status::Passed | Status::Skipped | Status::Stopped => 0,
            Status::Found(code) | Status::Failed(code) => *code,
            Status::Killed { signal } => -signal,
            Status::TimedOut { .. } => -15,
            Status::OutOfMemory => -9,
            Status::NoReport | Status::Interrupted | Status::NotRun(_) => 1,
        }
    }

    /// The name in JSON and XML.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Passed => "passed",
            Status::Skipped => "skipped",
            Status::Found(_) => "found",
            Status::Failed(_) => "failed",
            Status::Killed { .. } => "killed",
            Status::TimedOut { .. } => "timed-out",
            Status::OutOfMemory => "out-of-memory",
            Status::NoReport => "no-report",
            Status::Interrupted => "interrupted",
            Status::Stopped => "stopped",
            Status::NotRun(_) => "not-run",
        }
    }

    /// Why the process did not pass, for people; empty if it passed.
    pub fn reason(&self) -> String {
        match self {
            Status::Passed => String::new(),
            Status::Skipped => "no tests were collected".to_owned(),
            Status::Found(code) | Status::Failed(code) => format!("exit code {code}"),
            Status::Killed { signal } => format!("killed by signal {signal}"),
            Status::TimedOut { after } => format!("exceeded its timeout of {:.1} seconds", after.as_secs_f64()),
            Status::OutOfMemory => "killed because its memory limit was reached".to_owned(),
            Status::NoReport => "ended before it wrote its report".to_owned(),
            Status::Interrupted => "interrupted".to_owned(),
            Status::Stopped => "stopped after the first failure".to_owned(),
            Status::NotRun(message) => message.clone(),
        }
    }
}

/// The fields about a status in JSON documents.
#[derive(Serialize)]
pub(super) struct StatusFields {
    /// See [`Status::name`].
    status: &'static str,
    exit_code: i32,
    reason: Option<String>,
    seconds: f64,
    /// `ran`, `cached`, or null if nothing ran.
    origin: Option<Origin>,
}

impl StatusFields {
    /// Rounds the time to milliseconds.
    pub(super) fn new(status: &Status, wall: Duration, origin: Option<Origin>) -> StatusFields {
        StatusFields {
            status: status.name(),
            exit_code: status.exit_code(),
            reason: (*status != Status::Passed).then(|| status.reason()),
            seconds: (wall.as_secs_f64() * 1000.0).round() / 1000.0,
            origin,
        }
    }
}

/// Renders ` in 1.23s (cached locally)`; empty if nothing ran.
pub(super) fn elapsed(wall: Duration, origin: Option<Origin>) -> String {
    match origin {
        Some(Origin::Ran) => format!(" in {:.2}s", wall.as_secs_f64()),
        Some(Origin::RanRemotely) => format!(" in {:.2}s (ran remotely)", wall.as_secs_f64()),
        Some(Origin::Cached) => format!(" in {:.2}s (cached locally)", wall.as_secs_f64()),
        Some(Origin::CachedRemotely) => format!(" in {:.2}s (cached remotely)", wall.as_secs_f64()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_specifies_the_exit_codes_of_findings() {
        let status = |code| Status::from_exit(Exit::Code(code), &[1], Duration::ZERO);
        assert_eq!([status(0), status(1), status(2)], [Status::Passed, Status::Found(1), Status::Failed(2)]);
    }
}
