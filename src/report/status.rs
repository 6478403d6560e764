//! How a process of a test runner or a tool ended, in the words of all reports. What it said is not here.

use std::time::Duration;

use serde::Serialize;

use crate::action::{Exit, Origin};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Passed,
    /// No tests were collected, and that is allowed.
    Skipped,
    /// It did its work and found something.
    Found(i32),
    /// Of a test runner: tests failed. Of a tool: it did not do its work, since it could not read its settings, say.
    Failed(i32),
    Killed {
        signal: i32,
    },
    TimedOut {
        after: Duration,
    },
    OutOfMemory,
    Interrupted,
    /// The process never started or could not be carried out; the message is whole.
    NotRun(String),
}

impl Status {
    /// `finding_codes` are those of a run that did its work and found something.
    pub fn of(exit: Exit, finding_codes: &[i32], timeout: Duration) -> Status {
        match exit {
            Exit::Code(0) => Status::Passed,
            Exit::Code(code) if finding_codes.contains(&code) => Status::Found(code),
            Exit::Code(code) => Status::Failed(code),
            Exit::Signal(signal) => Status::Killed { signal },
            Exit::TimedOut => Status::TimedOut { after: timeout },
            Exit::OutOfMemory => Status::OutOfMemory,
            Exit::Interrupted => Status::Interrupted,
        }
    }

    /// Whether the work was done, whatever was found.
    pub fn is_done(&self) -> bool {
        matches!(self, Status::Passed | Status::Skipped | Status::Found(_))
    }

    /// As Pants reports it: a time-out is -15, as if ended by SIGTERM, and any other signal is negative too.
    pub fn exit_code(&self) -> i32 {
        match self {
            Status::Passed | Status::Skipped => 0,
            Status::Found(code) | Status::Failed(code) => *code,
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
            Status::Found(_) => "found",
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
            Status::Found(code) | Status::Failed(code) => format!("exit code {code}"),
            Status::Killed { signal } => format!("killed by signal {signal}"),
            Status::TimedOut { after } => format!("exceeded its timeout of {:.1} seconds", after.as_secs_f64()),
            Status::OutOfMemory => "killed because its memory limit was reached".to_owned(),
            Status::Interrupted => "interrupted".to_owned(),
            Status::NotRun(message) => message.clone(),
        }
    }
}

/// A status as JSON documents have it, with what the process took.
#[derive(Serialize)]
pub struct Ending {
    /// One of `Status::word`.
    status: &'static str,
    exit_code: i32,
    reason: Option<String>,
    seconds: f64,
    /// `ran`, `cached`, or null where nothing ran.
    origin: Option<Origin>,
}

impl Ending {
    pub fn of(status: &Status, wall: Duration, origin: Option<Origin>) -> Ending {
        Ending {
            status: status.word(),
            exit_code: status.exit_code(),
            reason: (*status != Status::Passed).then(|| status.reason()),
            seconds: (wall.as_secs_f64() * 1000.0).round() / 1000.0,
            origin,
        }
    }
}

/// ` in 1.23s (cached locally)`; empty where nothing ran.
pub fn elapsed(wall: Duration, origin: Option<Origin>) -> String {
    match origin {
        Some(Origin::Ran) => format!(" in {:.2}s", wall.as_secs_f64()),
        Some(Origin::Cached) => format!(" in {:.2}s (cached locally)", wall.as_secs_f64()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_codes_mean_findings_the_caller_says() {
        let of = |code| Status::of(Exit::Code(code), &[1], Duration::ZERO);
        assert_eq!([of(0), of(1), of(2)], [Status::Passed, Status::Found(1), Status::Failed(2)]);
    }
}
