//! What runs now, and since when. Pure: the current time is an argument.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::action::StepId;

/// What runs is reported once for each interval of this length.
pub(super) const NOTICE_INTERVAL: Duration = Duration::from_secs(30);

/// Something that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// A step.
    Step(StepId),
    /// What the run does outside of steps. Phases are nested, and this is the depth.
    Phase(usize),
}

struct Start {
    label: Arc<str>,
    started: Instant,
    /// The number of notices so far.
    notices: u32,
}

/// The tasks that are running now.
#[derive(Default)]
pub(super) struct Running {
    tasks: BTreeMap<Task, Start>,
}

impl Running {
    /// Records that a task started.
    pub(super) fn start(&mut self, task: Task, label: Arc<str>, now: Instant) {
        self.tasks.insert(task, Start { label, started: now, notices: 0 });
    }

    /// Records that a task ended; a no-op for a task that did not start.
    pub(super) fn end(&mut self, task: Task) {
        self.tasks.remove(&task);
    }

    /// Records that all steps ended.
    pub(super) fn end_steps(&mut self) {
        self.tasks.retain(|task, _| !matches!(task, Task::Step(_)));
    }

    /// The number of running steps.
    pub(super) fn count_steps(&self) -> usize {
        self.tasks.keys().filter(|task| matches!(task, Task::Step(_))).count()
    }

    /// A line for each task that has run for another [`NOTICE_INTERVAL`] since the last call. A phase that waits for running
    /// steps is not reported.
    pub(super) fn long_running_notices(&mut self, now: Instant) -> Vec<String> {
        let waits_for_steps = self.count_steps() > 0;
        let mut lines = Vec::new();
        for (task, start) in &mut self.tasks {
            let elapsed = now.duration_since(start.started);
            let due = (elapsed.as_secs() / NOTICE_INTERVAL.as_secs()) as u32;
            let is_due = due > start.notices;
            start.notices = due;
            if is_due && !(waits_for_steps && matches!(task, Task::Phase(_))) {
                lines.push(format!("Still running after {} s: {}", elapsed.as_secs(), start.label));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_running_task_is_reported_every_half_minute() {
        let start = Instant::now();
        let mut running = Running::default();
        running.start(Task::Step(StepId::new(0)), "test a".into(), start);
        running.start(Task::Phase(0), "preparing".into(), start + Duration::from_secs(20));
        let mut at = |seconds| running.long_running_notices(start + Duration::from_secs(seconds)).join("|");
        assert_eq!(at(29), "");
        assert_eq!(at(31), "Still running after 31 s: test a");
        assert_eq!(at(32), "");
        assert_eq!(at(61), "Still running after 61 s: test a", "the phase waits for the step");
        assert_eq!(running.count_steps(), 1);
        running.end_steps();
        assert_eq!((running.count_steps(), running.tasks.len()), (0, 1));
        let mut at = |seconds| running.long_running_notices(start + Duration::from_secs(seconds)).join("|");
        assert_eq!(at(62), "", "the phase was due while the step ran");
        assert_eq!(at(81), "Still running after 61 s: preparing");
        running.end(Task::Phase(0));
        assert!(running.tasks.is_empty());
    }
}
