//! How steps run: the rooms of Waders that know neither Pants nor Python, as a crate of their own, so that the compiler rejects
//! any use of a target, a goal or a tool here. What to build is decided in the crate `waders`, whose header has the table of
//! all rooms.

#![warn(unreachable_pub)]
#![cfg_attr(not(test), warn(missing_docs))]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod action;
pub mod audit;
pub mod base;
pub mod engine;
pub mod net;
pub mod signing;
pub mod store;
pub mod tracked;
