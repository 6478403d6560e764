//! The record of a run: its steps, their keys, and where each result came from, for questions that are asked later. How records
//! are stored is in `store::checkout::runs`; which runs leave one is decided in `session`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::outcome::{Exit, Outcome};
use crate::base::Digest;

/// Must be raised when the form or the meaning of a record changes. Records of other versions are not read.
pub const RECORD_VERSION: u32 = 1;

/// One run of the program in one checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// The version of the program.
    pub program: String,
    /// When the run started, in milliseconds since 1970-01-01 UTC.
    pub started_ms: u64,
    /// Wall clock time.
    pub wall_ms: u64,
    /// What the run was asked to do, by the names of the command line.
    pub goals: Vec<String>,
    /// What it was asked to work on, as written on the command line.
    pub specs: Vec<String>,
    /// The exit code of the process.
    pub exit_code: u8,
    /// Whether the user interrupted the run.
    pub interrupted: bool,
    /// Whether the run has not ended: it is in progress, or was killed. Then there are no steps, no time and no exit code.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
    /// The steps, in groups.
    pub parts: Vec<RunPart>,
}

/// The steps of one goal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPart {
    /// The goal.
    pub goal: String,
    /// The digest of the list of steps. Runs with equal steps share one list.
    pub steps: Digest,
    /// Whether nothing had changed since the run that these steps belong to, so that nothing was planned again.
    pub reused: bool,
    /// The number of steps.
    pub counts: StepCounts,
}

/// The number of steps by the origin of their results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCounts {
    /// Steps that were carried out, those that failed included.
    pub executed: usize,
    /// Requested steps whose results were known.
    pub cached: usize,
    /// Steps without a result or with an unsuccessful one.
    pub failed: usize,
}

/// What kind of step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// A download.
    Fetch,
    /// A process in a sandbox.
    Run,
    /// A tree that is computed from other trees.
    Derive,
}

/// Where the result of a step came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepOrigin {
    /// The step was carried out.
    Executed,
    /// The result was in the cache.
    Cached,
    /// No process had to run, because each file is known to have no findings.
    Clean,
    /// There is no result: the step, or one that it needs, could not be carried out.
    None,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step's name in progress and errors.
    pub label: String,
    /// What it works on, such as addresses of targets or paths of files; empty where the label says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// What kind of step it is.
    pub kind: StepKind,
    /// Whether the goal asked for this step, as opposed to a step that only others need.
    pub requested: bool,
    /// Where the result came from.
    pub origin: StepOrigin,
    /// Whether the result came from another machine: a worker of a remote execution server, or the cache of a server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remote: bool,
    /// How the cache was used.
    pub cache: CacheUse,
    /// How a process ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// Whether the step has a result that counts as a success.
    pub success: bool,
    /// Why there is no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The wall clock time of a process, also if its result was cached, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u64>,
    /// The tree of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Digest>,
    /// The blobs of standard output and standard error of a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<[Digest; 2]>,
    /// The positions of the steps in the same list whose outputs this one takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<usize>,
}

/// How the cache was used for a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheUse {
    /// The action key of a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Digest>,
    /// The key under which the outcome is stored, if a process ran only on the files that were not known to be clean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_key: Option<Digest>,
    /// Whether the cache was asked for the result.
    pub read: bool,
    /// Whether a new result was stored for later runs.
    pub written: bool,
}

impl StepRecord {
    /// A step without a result.
    pub fn new(label: String, kind: StepKind, requested: bool) -> StepRecord {
        StepRecord {
            label,
            subjects: Vec::new(),
            kind,
            requested,
            origin: StepOrigin::None,
            remote: false,
            cache: CacheUse::default(),
            exit: None,
            success: false,
            error: None,
            wall_ms: None,
            output: None,
            streams: None,
            needs: Vec::new(),
        }
    }

    /// Adds the outcome of a process.
    pub fn set_outcome(&mut self, outcome: &Outcome) {
        self.exit = Some(outcome.exit);
        self.wall_ms = Some(milliseconds(outcome.wall));
        self.output = Some(outcome.output);
        self.streams = Some([outcome.stdout, outcome.stderr]);
    }
}

impl StepCounts {
    /// Counts the steps of a list.
    pub fn of(steps: &[StepRecord]) -> StepCounts {
        let count = |matches: &dyn Fn(&StepRecord) -> bool| steps.iter().filter(|step| matches(step)).count();
        StepCounts {
            executed: count(&|step| step.origin == StepOrigin::Executed),
            cached: count(&|step| step.requested && matches!(step.origin, StepOrigin::Cached | StepOrigin::Clean)),
            failed: count(&|step| !step.success),
        }
    }
}

/// Whole milliseconds.
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_record_survives_its_json_form() {
        let mut step = StepRecord::new("src/app_test.py:tests".to_owned(), StepKind::Run, true);
        let short = serde_json::to_string(&step).unwrap();
        assert!(!short.contains("error") && !short.contains("needs"), "{short}");
        assert_eq!(serde_json::from_str::<StepRecord>(&short).unwrap(), step);
        step.cache.key = Some(Digest::of(b"key"));
        step.needs = vec![1, 2];
        step.exit = Some(Exit::Code(1));
        let long = serde_json::to_string(&step).unwrap();
        assert_eq!(serde_json::from_str::<StepRecord>(&long).unwrap(), step);
    }

    #[test]
    fn steps_are_counted_by_the_origin_of_their_results() {
        let step = |requested, origin, success| StepRecord {
            origin,
            success,
            ..StepRecord::new("step".to_owned(), StepKind::Run, requested)
        };
        let steps = [
            step(true, StepOrigin::Executed, false),
            step(false, StepOrigin::Executed, true),
            step(true, StepOrigin::Clean, true),
            step(false, StepOrigin::Cached, true),
            step(true, StepOrigin::None, false),
        ];
        assert_eq!(StepCounts::of(&steps), StepCounts { executed: 2, cached: 1, failed: 2 });
    }
}
