//! Targets: addresses, specs, kinds and their fields, the graph of all targets, and the selection a command line makes.

pub mod address;
mod changed;
mod collected;
mod defaults;
pub mod dependencies;
mod field_values;
pub mod files;
pub mod filter;
mod generate;
mod globs;
pub mod graph;
pub mod kind;
mod load;
pub mod missing;
mod parametrize;
mod poetry;
mod reading;
pub mod requirement_text;
mod requirements;
pub mod select;
mod settings;
pub mod spec;
pub mod visibility;

/// Handed out by `Target` and `load`: whoever may use targets may use these.
pub use crate::build_file::{Diagnostic, Object, Severity, Topic, Value};

pub use address::Address;
pub use changed::changed;
pub use field_values::{Enabled, field_values, json as json_of};
pub use files::Files;
pub use graph::{Places, Target, TargetGraph};
pub use kind::Kind;
pub use load::{Broken, Loaded, World, load};
pub use select::select;
pub use settings::is_since;

#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod tests;
