//! The tools that goals run, as data: a `.toml` file each, and beside it the lock of its default version.

mod tool;

pub use tool::{ConfigDirs, ConfigFile, SDIST_LOCK, Tool, UV_LOCK, named};
