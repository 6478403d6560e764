//! The record of a step that has ended in any way. Records are collected and stored in `session`.

use crate::action::{Origin, Outcome, Step, StepKind, StepRecord};
use crate::engine::{Error, StepResult};

/// The record of a step with this result. `is_success` answers whether an outcome counts as a success.
pub(super) fn record(
    step: &Step,
    requested: bool,
    result: Result<&StepResult, &Error>,
    is_success: impl Fn(&Outcome) -> bool,
) -> StepRecord {
    let (kind, subjects) = match step {
        Step::Fetch(_) => (StepKind::Fetch, Vec::new()),
        Step::Derive(_) => (StepKind::Derive, Vec::new()),
        Step::Run(action) => (StepKind::Run, action.policy.subjects.clone()),
    };
    let mut record = StepRecord { subjects, ..StepRecord::new(step.label().to_owned(), kind, requested) };
    match result {
        Err(error) => record.error = Some(error.whole()),
        Ok(result) => {
            (record.origin, record.cache) = result.source;
            record.output = Some(result.tree);
            record.success = result.outcome.as_ref().is_none_or(|(_, outcome)| is_success(outcome));
            if let Some((origin, outcome)) = &result.outcome {
                record.remote = matches!(origin, Origin::RanRemotely | Origin::CachedRemotely);
                record.set_outcome(outcome);
            }
        }
    }
    record
}
