//! What processes print, where the user asked to see it. Failures are reported with the steps that need them.

use super::{Execution, STDERR_BYTES};
use crate::action::{Event, Outcome, Policy};

impl Execution {
    /// Reports the standard streams of a process that has run and succeeded.
    pub(super) fn show_output(&self, policy: &Policy, outcome: &Outcome) {
        if !policy.show_output || self.engine.shows_output || !policy.is_success(outcome.exit) {
            return;
        }
        let read = |stream| self.engine.store.excerpt(stream, STDERR_BYTES).unwrap_or_default();
        let text = [outcome.stdout, outcome.stderr].map(read).concat();
        if !text.is_empty() {
            (self.events)(Event::Output { label: policy.label.as_str().into(), text });
        }
    }
}
