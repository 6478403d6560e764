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

mod checkout;
mod error;
mod index;
mod layout;
mod objects;
mod session;
#[cfg(test)]
mod tests;

pub use checkout::directory_cache::Listings;
pub use checkout::stat_cache::StatCache;
pub use checkout::traces::Trace;
pub use error::{Error, Result};
pub use layout::Store;
pub use objects::archive::{UnpackLimits, Unpacking};
pub use objects::batch::Batch;
pub use objects::capture::CaptureLimits;
pub use objects::directory::{Directory, Entry};
pub use objects::durable::FIXED_MTIME_SECONDS;
pub use objects::failpoint;
pub use objects::fingerprint::{Hashed, fingerprint};
pub use objects::remove::remove_tree;
pub use objects::tree::{self, Node, Tree};
pub use objects::verify::Verified;
pub use session::Scratch;
