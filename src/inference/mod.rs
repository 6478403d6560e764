//! Dependency inference: the imports of sources, the targets that own the imported modules, and the closures of targets.
//! Does not install packages and does not run processes.

mod ancestor_files;
pub mod closure;
pub mod constraints;
mod definition_index;
pub mod dependencies;
pub mod docker_images;
pub mod dockerfile;
pub mod entry_point;
mod explicit;
pub mod generated;
pub mod imports;
pub mod imports_bytes;
pub mod infer;
mod interface_definition;
pub mod missing_binaries;
pub mod module_map;
pub mod owners;
pub mod ownership;
mod parse_limits;
mod paths;
pub mod plugins;
pub mod settings;
mod shell_sources;
pub mod source_root;
pub mod source_text;
pub mod stdlib;
pub mod target_index;
pub mod third_party;

pub use closure::{Closure, Closures, Follow};
pub use dependencies::Dependencies;
pub use imports::{Import, ImportKind, Imports, parse_imports};
pub use infer::{Extent, ImportsByFile, InferenceInput, infer};
pub use module_map::resolve_of;
pub use paths::Paths;
pub use settings::InferenceSettings;
pub use source_root::SourceRoots;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
