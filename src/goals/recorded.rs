//! The steps of a goal that was carried out, for goals that say more about them.

use std::collections::BTreeMap;

use crate::action::StepId;
use crate::goals::call_results::CallResults;
use crate::prepare::calls::PlannedCall;
use crate::report::junit::path_safe;
use crate::session::{Execution, Verdict};

/// The steps of a goal.
pub(super) struct Recorded {
    pub verdict: Verdict,
    /// Those that were planned.
    pub steps: Vec<RecordedStep>,
    /// Their graph and results, if the session records them and any were carried out.
    pub execution: Option<Execution>,
}

/// One step of a goal.
pub(super) struct RecordedStep {
    /// A file name without suffix that no other step of the goal has.
    pub name: String,
    /// The addresses of the targets, or the name of the tool.
    pub targets: Vec<String>,
    /// The sections of the settings that matter to the step in particular.
    pub sections: Vec<String>,
    /// Whether it succeeded, without findings and without files that a formatter would change.
    pub passed: bool,
    pub step: StepId,
}

impl Recorded {
    /// Nothing was carried out.
    pub(super) fn without_steps(verdict: Verdict) -> Recorded {
        Recorded { verdict, steps: Vec::new(), execution: None }
    }
}

/// The processes of calls of tools, numbered where a tool has several.
pub(super) fn steps_of_calls(calls: &[PlannedCall], results: &CallResults) -> Vec<RecordedStep> {
    let mut steps = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in calls {
        let tool = call.enabled.call.name.as_str();
        for batch in &call.batches {
            let number = counts.entry(tool).or_default();
            let runs = results.tools.get(tool).map_or(&[][..], |result| &result.runs);
            let name = match runs.len() {
                0 | 1 => path_safe(tool),
                _ => format!("{}-{}", path_safe(tool), *number + 1),
            };
            let passed = runs.get(*number).is_some_and(|run| run.status.exit_code() == 0 && run.changed.is_empty());
            *number += 1;
            let (targets, sections) = (vec![tool.to_owned()], vec![call.enabled.tool.scope.clone()]);
            let step = batch.step.as_ref().ok().copied();
            steps.extend(step.map(|step| RecordedStep { name, targets, sections, passed, step }));
        }
    }
    steps
}
