//! The running steps and their start times. Pure: the current time is an argument.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::action::StepId;

/// Running steps are reported once for each interval of this length.
pub const NOTICE_INTERVAL: Duration = Duration::from_secs(30);

struct Step {
    label: Arc<str>,
    started: Instant,
    /// The number of notices so far.
    notices: u32,
}

/// The steps that are running now.
#[derive(Default)]
pub struct Running {
    steps: BTreeMap<StepId, Step>,
}

impl Running {
    /// Records that a step started.
    pub fn start(&mut self, id: StepId, label: Arc<str>, now: Instant) {
        self.steps.insert(id, Step { label, started: now, notices: 0 });
    }

    /// Records that a step ended; a no-op for a step that did not start.
    pub fn end(&mut self, id: StepId) {
        self.steps.remove(&id);
    }

    /// The number of running steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// A line for each step that has run for another [`NOTICE_INTERVAL`] since the last call.
    pub fn long_running_notices(&mut self, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        for step in self.steps.values_mut() {
            let elapsed = now.duration_since(step.started);
            let due = (elapsed.as_secs() / NOTICE_INTERVAL.as_secs()) as u32;
            if due > step.notices {
                step.notices = due;
                lines.push(format!("Still running after {} s: {}", elapsed.as_secs(), step.label));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_running_step_is_reported_every_half_minute() {
        let start = Instant::now();
        let mut running = Running::default();
        running.start(StepId::new(0), "test a".into(), start);
        running.start(StepId::new(1), "test b".into(), start + Duration::from_secs(20));
        let mut at = |seconds| running.long_running_notices(start + Duration::from_secs(seconds)).join("|");
        assert_eq!(at(29), "");
        assert_eq!(at(31), "Still running after 31 s: test a");
        assert_eq!(at(32), "");
        assert_eq!(at(61), "Still running after 61 s: test a|Still running after 41 s: test b");
        running.end(StepId::new(0));
        assert_eq!(running.len(), 1);
    }
}
