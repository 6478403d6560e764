//! The one integration-test binary: a module for each promise that needs more than one room.
// `allow-unwrap-in-tests` does not know helpers of integration tests.
#![allow(clippy::unwrap_used)]

mod built_in_locks;
mod dependencies;
mod edges;
mod garbled;
mod golden;
mod mutations;
mod repository_index;
mod rewriting;
mod store_crash;
mod store_damage;
mod store_speed;
mod tidy;
mod tls;
mod toolchains;
mod transcripts;
