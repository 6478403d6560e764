//! The recorded steps of a checkout, in the order of the runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::action::{StepOrigin, StepRecord};
use crate::base::Digest;
use crate::goals::Error;
use crate::goals::log::portable::PortableRun;
use crate::report::run_list;
use crate::report::why::RunName;
use crate::session::records::{self, Records};

/// A step of a recorded run.
#[derive(Clone)]
pub(in crate::goals) struct Occurrence {
    /// The run.
    pub run: RunName,
    /// The goal.
    pub goal: String,
    /// Whether nothing had changed since the run that the step belongs to.
    pub reused: bool,
    /// All steps of the goal.
    pub list: Arc<Vec<StepRecord>>,
    /// The position of the step in the list.
    pub at: usize,
}

impl Occurrence {
    /// The step.
    pub(in crate::goals) fn step(&self) -> &StepRecord {
        &self.list[self.at]
    }

    /// The key of the step.
    pub(in crate::goals) fn key(&self) -> Option<Digest> {
        self.step().cache.key
    }

    /// The run, for people.
    pub(in crate::goals) fn shown_run(&self) -> &str {
        &self.run.shown
    }

    /// Whether the other is the same step of another run.
    pub(in crate::goals) fn is_like(&self, other: &Occurrence) -> bool {
        self.goal == other.goal && self.step().label == other.step().label
    }

    /// Whether the step has one of these names: its label, what it works on, or the package that it builds. No name selects
    /// every step that a goal asked for.
    fn matches(&self, names: &BTreeSet<String>) -> bool {
        let step = self.step();
        if names.is_empty() {
            return step.requested && step.cache.key.is_some();
        }
        names.contains(&step.label)
            || step.subjects.iter().any(|subject| names.contains(subject))
            || step.label.strip_prefix("package ").is_some_and(|address| names.contains(address))
    }
}

/// All recorded steps, those of the last run first.
pub(in crate::goals) struct History {
    steps: Vec<Occurrence>,
}

impl History {
    /// Reads all records. Those that cannot be read are left out.
    pub(in crate::goals) fn load(records: &Records) -> Result<History, Error> {
        let mut steps = Vec::new();
        for number in records.numbers()? {
            let record = match records.record(number) {
                Err(records::Error::Unreadable(_)) => continue,
                record => record?,
            };
            let run = RunName {
                number,
                started: run_list::utc_time(record.started_ms),
                shown: format!("run {number}, {}", run_list::local_time(record.started_ms, &TimeZone::system())),
            };
            for part in records.steps(&record)? {
                let Some(list) = part.steps else { continue };
                steps.extend((0..list.len()).map(|at| Occurrence {
                    run: run.clone(),
                    goal: part.goal.clone(),
                    reused: part.reused,
                    list: list.clone(),
                    at,
                }));
            }
        }
        Ok(History { steps })
    }

    /// Whether a step has this label.
    pub(in crate::goals) fn has_label(&self, label: &str) -> bool {
        self.steps.iter().any(|step| step.step().label == label)
    }

    /// The steps of the last run that goals asked for or that were carried out.
    pub(in crate::goals) fn last_run(&self) -> Vec<&Occurrence> {
        let last = self.steps.first().map(|step| step.run.number);
        let is_shown = |step: &&Occurrence| step.step().requested || step.step().origin != StepOrigin::Cached;
        self.steps.iter().filter(|step| Some(step.run.number) == last).filter(is_shown).collect()
    }

    /// Of each step with one of these names, the last occurrence.
    pub(in crate::goals) fn last_of(&self, names: &BTreeSet<String>) -> Vec<&Occurrence> {
        let mut found: Vec<&Occurrence> = Vec::new();
        for step in self.steps.iter().filter(|step| step.matches(names)) {
            if !found.iter().any(|known| known.is_like(step)) {
                found.push(step);
            }
        }
        found
    }

    /// The steps of a run with one of these names.
    pub(in crate::goals) fn of_run(&self, run: u64, names: &BTreeSet<String>) -> Vec<&Occurrence> {
        self.steps.iter().filter(|step| step.run.number == run && step.matches(names)).collect()
    }

    /// The last occurrence of a step of another machine.
    pub(in crate::goals) fn last_like(&self, other: &Occurrence) -> Option<&Occurrence> {
        self.steps.iter().find(|step| step.is_like(other))
    }

    /// The occurrences of the same step in earlier runs, the nearest first. A step whose batch of files changed has another
    /// label; then those of the same goal that work on some of the same files.
    pub(in crate::goals) fn earlier(&self, step: &Occurrence) -> Vec<&Occurrence> {
        let earlier = || self.steps.iter().filter(|other| other.run.number < step.run.number && other.key().is_some());
        let like: Vec<&Occurrence> = earlier().filter(|other| other.is_like(step)).collect();
        if !like.is_empty() {
            return like;
        }
        let own: BTreeSet<&String> = step.step().subjects.iter().collect();
        let tool = |label: &str| label.split_once(": ").map(|(tool, _)| tool.to_owned());
        let is_near = |other: &&Occurrence| {
            other.goal == step.goal
                && tool(&other.step().label) == tool(&step.step().label)
                && other.step().subjects.iter().any(|subject| own.contains(subject))
        };
        earlier().filter(is_near).collect()
    }
}

/// The step of a bundle.
pub(in crate::goals) fn of_bundle(step: StepRecord, goal: String, file: &str) -> Occurrence {
    let run = RunName { number: 0, started: String::new(), shown: format!("the bundle `{file}`") };
    Occurrence { run, goal, reused: false, list: Arc::new(vec![step]), at: 0 }
}

/// The steps with one of these names in a record of another machine.
pub(in crate::goals) fn foreign(record: &PortableRun, file: &str, names: &BTreeSet<String>) -> Vec<Occurrence> {
    let run = RunName {
        number: record.run,
        started: run_list::utc_time(record.record.started_ms),
        shown: format!("run {} of `{file}`", record.run),
    };
    let mut found = Vec::new();
    for part in &record.parts {
        let list = Arc::new(part.steps.clone());
        found.extend((0..list.len()).map(|at| Occurrence {
            run: run.clone(),
            goal: part.goal.clone(),
            reused: part.reused,
            list: list.clone(),
            at,
        }));
    }
    found.retain(|step| step.matches(names));
    found
}
