//! The content-addressed store: blobs, trees, materialized images and the index that remembers what came of what.
//! It knows digests and paths only: no action, target or process.

pub mod tree;

pub use tree::{Node, Tree};
