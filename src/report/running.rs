//! Which steps run and since when. Pure: the time comes in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::action::StepId;

/// A step that runs for so long is mentioned, and again after each such time.
pub const LONG: Duration = Duration::from_secs(30);

struct Step {
    label: Arc<str>,
    since: Instant,
    /// How often it was mentioned.
    mentions: u32,
}

#[derive(Default)]
pub struct Running {
    steps: BTreeMap<StepId, Step>,
}

impl Running {
    pub fn start(&mut self, id: StepId, label: Arc<str>, now: Instant) {
        self.steps.insert(id, Step { label, since: now, mentions: 0 });
    }

    pub fn end(&mut self, id: StepId) {
        self.steps.remove(&id);
    }

    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// A line for each step that passed another `LONG` since it was last asked.
    pub fn mentions(&mut self, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        for step in self.steps.values_mut() {
            let elapsed = now.duration_since(step.since);
            let due = (elapsed.as_secs() / LONG.as_secs()) as u32;
            if due > step.mentions {
                step.mentions = due;
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
    fn a_long_step_is_mentioned_every_half_minute() {
        let start = Instant::now();
        let mut running = Running::default();
        running.start(StepId::new(0), "test a".into(), start);
        running.start(StepId::new(1), "test b".into(), start + Duration::from_secs(20));
        let mut at = |seconds| running.mentions(start + Duration::from_secs(seconds)).join("|");
        assert_eq!(at(29), "");
        assert_eq!(at(31), "Still running after 31 s: test a");
        assert_eq!(at(32), "");
        assert_eq!(at(61), "Still running after 61 s: test a|Still running after 41 s: test b");
        running.end(StepId::new(0));
        assert_eq!(running.len(), 1);
    }
}
