//! The content-addressed store: blobs, trees, materialized images and the index that remembers what came of what.
//! It knows digests and paths only: no action, target or process.
//!
//! On disk, below one root:
//!
//! ```text
//! blob/ab/<hex>      a file's bytes, 0444; `<hex>-x` is the same bytes as a second inode, 0555
//! tree/ab/<hex>      one directory level: a canonical `Directory` message, 0444
//! image/<hex>/root   a tree as a directory of hardlinks to blobs, read-only, bound whole into sandboxes
//! tmp/<session>/     what a living process is writing; locked by it, swept by the next when it died
//! quarantine/        what was found damaged: never served, kept to be looked at
//! repository/<hex>-… what is known of one repository: its files' stat data, digests and imports, its directories'
//!                    listings (`pack`), what runs looked at and came to (`traces`); 0644
//! index.db           SQLite: the action cache, and what is known of contents; `index.lock` while it is made
//! ```
//!
//! Everything published carries one fixed modification time. A file with another time, size or mode was touched by
//! somebody else: it is hashed again before it is used (`shelf`).

mod archive;
mod batch;
mod blob;
mod capture;
mod copy_out;
mod directory;
mod durable;
mod error;
pub mod failpoint;
mod fingerprint;
mod image;
mod image_check;
mod index;
mod known;
mod layout;
mod links;
mod listings;
mod merge;
mod named;
mod pack;
mod remove;
mod session;
mod shelf;
mod stat_cache;
#[cfg(test)]
mod tests;
mod traces;
pub mod tree;
mod trees;
mod verify;

pub use archive::{UnpackLimits, Unpacking};
pub use batch::Batch;
pub use capture::CaptureLimits;
pub use directory::{Directory, Entry};
pub use durable::FIXED_MTIME_SECONDS;
pub use error::{Error, Result};
pub use fingerprint::{Hashed, fingerprint};
pub use layout::Store;
pub use listings::Listings;
pub use remove::remove_tree;
pub use session::Scratch;
pub use stat_cache::StatCache;
pub use traces::Trace;
pub use tree::{Node, Tree};
pub use verify::Verified;
