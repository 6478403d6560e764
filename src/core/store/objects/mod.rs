//! Content-addressed objects: blobs, trees and materialized images, and how they are written, verified and read. The index that
//! maps keys to objects is `store::index`.

pub(super) mod archive;
pub(super) mod batch;
mod blob;
pub(super) mod bundle;
pub(super) mod capture;
mod copy_out;
pub(super) mod directory;
pub(super) mod durable;
mod excerpt;
pub(super) mod fingerprint;
mod image;
mod image_check;
pub(super) mod late;
pub(super) mod lazy_trees;
pub(super) mod links;
mod merge;
pub(super) mod object_path;
pub(super) mod remove;
mod scrub;
pub(super) mod shared_sync;
pub mod tree;
pub(super) mod trees;
pub(super) mod verify;
