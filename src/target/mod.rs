//! Targets: addresses, specs, kinds and their fields, the graph of all targets, and the selection a command line makes.

pub mod address;
pub mod graph;

pub use address::Address;
pub use graph::{Target, TargetGraph};
