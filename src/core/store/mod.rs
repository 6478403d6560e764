//! The content-addressed store: blobs, trees, materialized images, and the index of cached results. It knows digests and paths
//! only; actions, targets and processes are unknown here.
//!
//! The layout below the root, which is private to its owner (0700):
//!
//! ```text
//! blob/ab/<hex>      the contents of a file, 0444; `<hex>-x` has the same bytes as a separate inode, 0555
//! tree/ab/<hex>      one directory level: a canonical `Directory` message, 0444
//! image/<hex>/root   a tree as a directory of hard links to blobs; read-only, bound as a whole into sandboxes
//! tmp/<name>/        unfinished files of one open store, which holds a lock on it; removed by others after its process ended
//! quarantine/        damaged files; never used again, kept for inspection
//! repository/<hex>-… the recorded state of one repository, 0644: stat data, digests and imports of its files, the entries of its
//!                    directories (`path_records`), and what earlier runs read (`traces`)
//! run/<hex>/         the records of the last runs of one repository (`runs`), 0644
//! verify/            empty mount points, where a repeated run sees the checkout, the store and the home directory
//! index.db           SQLite: the action cache, and notes about contents; `index.lock` is held while it is created
//! lease              locked by every open store; nothing is removed while another process holds the lock
//! ```
//!
//! Every published file has the same modification time. A file with another time, size or mode was modified by another
//! program: it is hashed again before it is used (`object_path`).

mod checkout;
mod error;
mod faults;
mod files;
mod index;
mod layout;
mod lease;
mod objects;
mod scratch;
#[cfg(test)]
mod tests;
mod upkeep;
mod uses;

pub use checkout::directory_cache::DirectoryCache;
pub use checkout::runs::{KEPT_RUNS, Runs};
pub use checkout::stat_cache::StatCache;
pub use checkout::traces::Trace;
pub use error::{Error, NO_SPACE_HINT, Result};
pub use layout::Store;
pub use objects::archive::{UnpackLimits, Unpacking};
pub use objects::batch::Batch;
pub use objects::bundle::Objects;
pub use objects::capture::CaptureLimits;
pub use objects::directory::{Directory, Entry};
pub use objects::durable::FIXED_MTIME_SECONDS;
pub use objects::fingerprint::{HashedFile, fingerprint};
pub use objects::late::LateBatch;
pub use objects::links::first_escaping as first_escaping_link;
pub use objects::remove::remove_tree;
pub use objects::tree::{self, Node, Tree};
pub use objects::verify::Verified;
pub use scratch::Scratch;
pub use upkeep::collect::Collected;
pub use upkeep::damage::{Damage, Report};
pub use upkeep::listing::Space;
pub use upkeep::rows::{Interpret, Row, RowMeaning, Table};
pub use upkeep::usage::Usage;
