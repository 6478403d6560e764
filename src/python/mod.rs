//! Python: what sources import and who owns it, requirements, lockfiles and what of them a step needs, wheels and the
//! venv image they make. No process is started and nothing is fetched here.

mod ancestor_files;
pub mod closure;
pub mod constraints;
mod definition;
mod definitions;
pub mod dependencies;
mod dockerfile;
pub mod entry_point;
pub mod environment;
mod explicit;
mod images;
pub mod imports;
pub mod imports_bytes;
pub mod index;
pub mod infer;
pub mod lockfile;
pub mod missing_binaries;
pub mod module_map;
mod nesting;
pub mod numbered;
pub mod owners;
mod paths;
pub mod plugins;
pub mod requirement;
pub mod resolve;
pub mod settings;
pub mod source_root;
pub mod source_text;
mod sourced;
pub mod stdlib;
pub mod third_party;
pub mod venv;
pub mod wheel;

pub use closure::{Closure, Closures, Follow};
pub use dependencies::Dependencies;
pub use environment::Environment;
pub use imports::{Import, ImportKind, Imports, imports};
pub use infer::{Extent, Input, infer};
pub use module_map::resolve_of;
pub use paths::Paths;
pub use requirement::Requirement;
pub use settings::Settings;
pub use source_root::SourceRoots;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
