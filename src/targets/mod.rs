//! Targets: addresses, specs, target types and their fields, the graph of all targets, and selection by a command line.
//! Inferred dependencies are in `inference`.

pub mod address;
mod build_files;
mod changed;
mod command_outputs;
mod consolidate;
mod defaults;
pub mod dependencies;
mod directory_cache;
mod field_types;
mod field_values;
pub mod files;
pub mod filter;
mod first_party;
mod generate;
mod globs;
pub mod graph;
pub mod kind;
mod load;
pub mod missing;
pub mod node_id;
mod parametrize;
pub mod poetry;
mod read_fields;
pub mod requirement_text;
mod requirements;
pub mod select;
mod settings;
pub mod spec;
pub mod visibility;
pub mod workspace;

/// Re-exported because `Target` and `load` expose these types.
pub use crate::build_file::{Diagnostic, Object, Severity, Topic, Value};

pub use address::Address;
pub use changed::{changed, with_deleted};
pub use command_outputs::{CommandOutput, CommandOutputs, OutputError};
pub use directory_cache::DirectoryCache;
pub use field_values::{EnabledBackends, field_values, to_json as value_to_json};
pub use files::Files;
pub use graph::{Target, TargetGraph, TargetPositions};
pub use kind::Kind;
pub use load::{LoadContext, LoadError, Loaded, load};
pub use node_id::NodeId;
pub use select::select;
pub use settings::is_release_at_least;

#[cfg(test)]
mod declaration_tests;
#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod tests;
