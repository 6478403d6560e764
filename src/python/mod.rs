//! Python's own knowledge: what files import, who owns a module, and what depends on what.

pub mod imports;
pub mod source_root;
pub mod stdlib;
pub mod third_party;

pub use imports::{Import, ImportKind, Imports, imports};
pub use source_root::SourceRoots;
