//! Content-addressed objects: blobs, trees and materialized images, and how they are written, verified and read. The index that
//! maps keys to objects is `store::index`.

pub mod archive;
pub mod batch;
mod blob;
pub mod capture;
mod copy_out;
pub mod directory;
pub mod durable;
pub mod failpoint;
pub mod fingerprint;
mod image;
mod image_check;
pub mod lazy_trees;
mod links;
mod merge;
mod object_path;
pub mod remove;
pub mod tree;
mod trees;
pub mod verify;
