//! From targets to actions: one pipeline for each family of goals, all of them on one `Planner`. Which targets are selected
//! and how results are reported is decided in `goals`.

pub mod attest;
pub mod audit;
pub mod calls;
pub mod check;
mod error;
pub mod export;
pub mod generate;
mod git_packages;
pub mod host_venv;
pub mod images;
mod interpreters;
pub mod locks;
pub mod package;
mod packages;
mod planner;
pub mod probe;
mod project_packages;
mod projects;
pub mod run;
mod services;
pub mod shell;
mod source_roots;
pub mod test;
pub mod tool_packages;

pub use error::Error;
pub use planner::Planner;
