//! Progress of steps, as the engine reports it. How events are displayed is decided in `report`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::action::graph::StepId;
use crate::action::outcome::{Origin, Outcome};
use crate::action::record::StepRecord;

/// A change in the progress of a step.
#[derive(Clone, Debug)]
pub enum Event {
    /// A process or download started.
    Started {
        /// The step.
        id: StepId,
        /// The step's name.
        label: Arc<str>,
    },
    /// The process of a requested step ended, or its cached outcome was found.
    Finished {
        /// The step.
        id: StepId,
        /// The step's name.
        label: Arc<str>,
        /// Whether the outcome was cached.
        origin: Origin,
        /// The outcome of the process.
        outcome: Outcome,
    },
    /// A step that only other steps need ended, or one without a process.
    Done {
        /// The step.
        id: StepId,
        /// The step's name.
        label: Arc<str>,
    },
    /// A running process printed a line, and the user asked to see it at once.
    Line {
        /// The step's name.
        label: Arc<str>,
        /// The line, without its end.
        text: String,
    },
    /// What a process printed, which the user asked to see.
    Output {
        /// The step's name.
        label: Arc<str>,
        /// Its standard output and standard error.
        text: String,
    },
    /// The inputs and outputs of a step were preserved for inspection.
    Preserved {
        /// The step's name.
        label: Arc<str>,
        /// The directory that contains them.
        path: PathBuf,
    },
    /// The step could not be carried out.
    Failed {
        /// The step.
        id: StepId,
        /// The step's name.
        label: Arc<str>,
        /// The error with its causes.
        message: String,
    },
    /// The step was not carried out, because a step that it needs failed or the user interrupted the run.
    Dropped {
        /// The step.
        id: StepId,
    },
    /// A step has ended in any way, for the record of the run.
    Recorded {
        /// The step.
        id: StepId,
        /// The steps whose outputs it takes.
        needs: Vec<StepId>,
        /// The record, without the positions of the steps that it needs.
        record: Box<StepRecord>,
    },
}
