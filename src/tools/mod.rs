//! The tools that goals run, as data: a `.toml` file each, and beside it the lock of its default version.

mod tool;

pub use tool::{ConfigFile, Tool, named};
