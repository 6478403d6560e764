//! The tools that goals run, described as data: a `.toml` file for each tool, and a `.lock` file with its default version.
//! Does not run tools.

mod all;
mod call;
pub mod regex_lint;
mod tool;

pub use all::{GRPCIO_TOOLS_LOCK, PEX_LOCK, PIP_LOCK, SDIST_LOCK, UV_LOCK, all, named};
pub use call::{Call, Kind, Partition, Runner, SeenDependencies};
pub use tool::{ConfigDirs, ConfigFile, EarlierVersion, Tool};
