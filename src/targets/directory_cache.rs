//! The interface to a cache of directory listings, which the walk over the repository uses. The cache itself is in
//! `store`.

use std::fs::Metadata;
use std::time::SystemTime;

use crate::base::RelPath;

/// A cache of directory listings. Implementations must return a listing only while the directory's entries are
/// unchanged.
pub trait DirectoryCache: Sync {
    /// The listing that was inserted for a directory with the same metadata.
    fn get(&self, dir: &RelPath, now: &Metadata) -> Option<&[u8]>;
    /// Caches a listing. `then` is the metadata of the directory from before it was listed, and `at` the time at which
    /// that metadata was read.
    fn insert(&self, dir: &RelPath, then: &Metadata, at: SystemTime, listing: Vec<u8>);
}

/// Caches nothing.
impl DirectoryCache for () {
    fn get(&self, _: &RelPath, _: &Metadata) -> Option<&[u8]> {
        None
    }

    fn insert(&self, _: &RelPath, _: &Metadata, _: SystemTime, _: Vec<u8>) {}
}
