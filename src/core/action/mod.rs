//! Actions, their keys, the graph of steps, and outcomes: the data that the planner and the engine exchange. No I/O.

pub mod command;
pub mod decoded;
pub mod describe;
pub mod difference;
pub mod event;
pub mod graph;
pub mod key;
pub mod outcome;
pub mod platform;
pub mod policy;
pub mod record;
pub mod step;

pub use command::Command;
pub use decoded::DecodedAction;
pub use difference::{KeyDifference, differences};
pub use event::Event;
pub use graph::{ActionGraph, StepId};
pub use key::{EncodedAction, Inputs, key, state_key};
pub use outcome::{AuditRecord, Exit, Origin, Outcome};
pub use platform::{Limits, Platform};
pub use policy::{CachePolicy, Channel, Incremental, Measurement, PerFile, Policy};
pub use record::{CacheUse, RunPart, RunRecord, StepCounts, StepKind, StepOrigin, StepRecord};
pub use step::{Action, Derive, Fetch, Location, Source, Step};
