//! Compares the records of two runs of the same machine, which share a store.

use std::collections::BTreeMap;

use crate::difference;
use crate::engine::{Record, RecordedResult, RecordedStep};
use crate::goals::Error;
use crate::goals::verify::conditions::Move;
use crate::goals::verify::outputs::{self, Outcomes, Side};
use crate::report::verification::{Counts, FileDifference, NotComparable, StepDifference};
use crate::store::Store;

/// The result of a comparison.
#[derive(Default)]
pub(super) struct Comparison {
    /// Numbers of steps by goal.
    pub counts: BTreeMap<String, Counts>,
    /// In the order in which the steps ran.
    pub differences: Vec<StepDifference>,
    /// Steps about which nothing can be concluded.
    pub not_comparable: Vec<NotComparable>,
    /// Whether the second run had errors.
    pub is_incomplete: bool,
}

/// Compares every step of the first run with the repeated one.
pub(super) fn records(store: &Store, first: &Record, second: &Record, moves: &[Move]) -> Result<Comparison, Error> {
    let mut comparison = Comparison::default();
    let mut others = OtherKeys::new(first, second, moves);
    for (key, step) in in_order(first) {
        if matches!(step.result, RecordedResult::Fetched(_)) {
            comparison.count(step).downloads += 1;
            continue;
        }
        match second.get(key) {
            Some(repeated) => {
                comparison.add(step, Side { store, result: &step.result }, Side { store, result: &repeated.result })?
            }
            None => match others.same_elsewhere(step) {
                Some(repeated) => comparison.add_relocated(step, store, repeated, moves)?,
                None => match others.same_name(step) {
                    Some(repeated) => comparison.add_other_key(step, repeated),
                    // Steps that write a lockfile, for example, which the second run finds.
                    None => comparison.not_comparable(step, "only the first run needed it"),
                },
            },
        }
    }
    Ok(comparison)
}

/// The steps of a record in the order in which they ran, with their keys.
pub(super) fn in_order(record: &Record) -> Vec<(&String, &RecordedStep)> {
    let mut steps: Vec<(&String, &RecordedStep)> = record.iter().collect();
    steps.sort_by_key(|(_, step)| step.position);
    steps
}

/// The steps of the second run whose keys the first run does not have.
struct OtherKeys<'r> {
    steps: Vec<&'r RecordedStep>,
    /// By goal and inputs, with the paths of the first run.
    by_inputs: BTreeMap<(&'r str, Vec<String>), &'r RecordedStep>,
}

impl<'r> OtherKeys<'r> {
    fn new(first: &Record, second: &'r Record, moves: &[Move]) -> OtherKeys<'r> {
        let others = in_order(second).into_iter().filter(|(key, _)| !first.contains_key(*key));
        let steps: Vec<&RecordedStep> = others.map(|(_, step)| step).collect();
        let undone = |step: &RecordedStep| step.inputs.iter().map(|line| Move::undo(moves, line)).collect();
        let by_inputs = steps.iter().map(|step| ((step.goal.as_str(), undone(step)), *step)).collect();
        OtherKeys { steps, by_inputs }
    }

    /// The step that would have the same inputs, if all directories had the same paths.
    fn same_elsewhere(&self, step: &RecordedStep) -> Option<&'r RecordedStep> {
        self.by_inputs.get(&(step.goal.as_str(), step.inputs.clone())).copied()
    }

    /// A step of the same goal with the same name, which is returned only once.
    fn same_name(&mut self, step: &RecordedStep) -> Option<&'r RecordedStep> {
        let found = self.steps.iter().position(|other| (&other.goal, &other.label) == (&step.goal, &step.label))?;
        Some(self.steps.remove(found))
    }
}

impl Comparison {
    /// The numbers of the goal of a step.
    pub(super) fn count(&mut self, step: &RecordedStep) -> &mut Counts {
        self.counts.entry(step.goal.clone()).or_default()
    }

    /// The numbers of all goals together.
    pub(super) fn total(&self) -> Counts {
        Counts::total(self.counts.values())
    }

    /// Compares the results of one step.
    pub(super) fn add(&mut self, step: &RecordedStep, first: Side<'_>, second: Side<'_>) -> Result<(), Error> {
        match outputs::compare(first, second, &step.measurements, &[])? {
            Outcomes::Equal => self.count(step).identical += 1,
            Outcomes::EqualApartFromMeasurements => self.count(step).measured += 1,
            Outcomes::NotComparable(reason) => self.not_comparable(step, &reason),
            Outcomes::Different(files, count) => self.add_difference(step, files, count),
        }
        Ok(())
    }

    /// Compares a step whose inputs name its own directory, such as a virtual environment for this machine.
    fn add_relocated(
        &mut self,
        step: &RecordedStep,
        store: &Store,
        repeated: &RecordedStep,
        moves: &[Move],
    ) -> Result<(), Error> {
        let [first, second] = [&step.result, &repeated.result].map(|result| Side { store, result });
        match outputs::compare(first, second, &step.measurements, moves)? {
            Outcomes::Equal | Outcomes::EqualApartFromMeasurements => self.count(step).relocated += 1,
            Outcomes::NotComparable(reason) => self.not_comparable(step, &reason),
            Outcomes::Different(files, count) => self.add_difference(step, files, count),
        }
        Ok(())
    }

    pub(super) fn not_comparable(&mut self, step: &RecordedStep, reason: &str) {
        self.count(step).not_comparable += 1;
        self.not_comparable.push(NotComparable { step: step.label.clone(), reason: reason.to_owned() });
    }

    pub(super) fn add_difference(&mut self, step: &RecordedStep, files: Vec<FileDifference>, count: usize) {
        self.count(step).different += 1;
        self.differences.push(StepDifference {
            goal: step.goal.clone(),
            step: step.label.clone(),
            needed_by: step.needed_by.0.clone(),
            needed_by_others: step.needed_by.1,
            files,
            file_count: count,
        });
    }

    /// The key must not depend on the conditions.
    fn add_other_key(&mut self, step: &RecordedStep, repeated: &RecordedStep) {
        let lines = |step: &RecordedStep| step.inputs.join("\n") + "\n";
        let diff = difference::diff_lines(&lines(step), &lines(repeated));
        let file = FileDifference { place: "inputs of the step".to_owned(), kind: "key".to_owned(), diff };
        self.add_difference(step, vec![file], 1);
    }
}

#[cfg(test)]
mod tests;
