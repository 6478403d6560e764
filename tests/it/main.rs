//! The one integration-test binary: a module for each promise that needs more than one room.

mod edges;
mod golden;
mod mutations;
