//! The integration tests, in one binary: a module for each promise that involves several rooms.
// The settings for tests in `.clippy.toml` do not apply to helper functions of integration tests.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod affected;
mod arbitrary_arguments;
mod built_in_locks;
mod changed_files;
mod ci_page;
mod dependencies;
mod edges;
mod formats;
mod golden;
mod mutations;
mod options;
mod pages;
mod remote;
mod repository_index;
mod rewriting;
mod store_crash;
mod store_damage;
mod store_faults;
mod store_quota;
mod store_speed;
mod store_upkeep;
mod tidy;
mod tls;
mod toolchains;
mod transcripts;
