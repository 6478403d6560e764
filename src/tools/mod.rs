//! The tools that goals run, as data: a `.toml` file each, and beside it the lock of its default version.

mod all;
mod call;
pub mod regex_lint;
mod tool;

pub use all::{SDIST_LOCK, UV_LOCK, all, named};
pub use call::{Call, Kind, Partition, Runner};
pub use tool::{ConfigDirs, ConfigFile, Tool};
