//! Dependency inference: what sources import, which targets own those modules, and what a target needs in all. Neither
//! packages nor processes are handled here.

mod ancestor_files;
pub mod closure;
pub mod constraints;
mod definition;
mod definitions;
pub mod dependencies;
mod dockerfile;
pub mod entry_point;
mod explicit;
mod images;
pub mod imports;
pub mod imports_bytes;
pub mod infer;
pub mod missing_binaries;
pub mod module_map;
mod nesting;
pub mod numbered;
pub mod owners;
mod paths;
pub mod plugins;
pub mod settings;
pub mod source_root;
pub mod source_text;
mod sourced;
pub mod stdlib;
pub mod third_party;

pub use closure::{Closure, Closures, Follow};
pub use dependencies::Dependencies;
pub use imports::{Import, ImportKind, Imports, imports};
pub use infer::{Extent, Input, infer};
pub use module_map::resolve_of;
pub use paths::Paths;
pub use settings::Settings;
pub use source_root::SourceRoots;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
