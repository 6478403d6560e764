//! The hinge's only word: an action, its key, the graph of actions, and what comes of them. Plain data, no I/O.

pub mod event;
pub mod graph;
pub mod key;
pub mod outcome;
pub mod step;

pub use event::Event;
pub use graph::{ActionGraph, StepId};
pub use key::{Inputs, key, lineage};
pub use outcome::{Exit, Origin, Outcome};
pub use step::{Action, CachePolicy, Derive, Each, Fetch, Location, Share, Source, Step, Warm};
