//! Python's own knowledge: what files import, who owns a module, and what depends on what.

mod ancestor_files;
pub mod closure;
pub mod dependencies;
pub mod entry_point;
mod explicit;
pub mod imports;
pub mod infer;
pub mod module_map;
mod nesting;
mod numbered;
pub mod owners;
pub mod settings;
pub mod source_root;
pub mod source_text;
pub mod stdlib;
pub mod third_party;

pub use closure::{Closure, Closures, Follow};
pub use dependencies::Dependencies;
pub use imports::{Import, ImportKind, Imports, imports};
pub use infer::{Input, infer};
pub use settings::Settings;
pub use source_root::SourceRoots;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
