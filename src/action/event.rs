//! Progress of steps, as the engine reports it. How it looks on a screen is decided in `report`.

use std::sync::Arc;

use crate::action::graph::StepId;
use crate::action::outcome::{Origin, Outcome};

/// What happened to a step.
#[derive(Clone, Debug)]
pub enum Event {
    Started {
        id: StepId,
        label: Arc<str>,
    },
    /// A process that was asked for ended, or its cached outcome was found.
    Finished {
        id: StepId,
        label: Arc<str>,
        origin: Origin,
        outcome: Outcome,
    },
    /// A step that others need ended.
    Done {
        id: StepId,
        label: Arc<str>,
    },
    /// The step could not be carried out. The message includes its causes.
    Failed {
        id: StepId,
        label: Arc<str>,
        message: String,
    },
}
