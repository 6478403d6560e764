//! Unpacking of archives into the store, never to a path. If it fails, nothing is stored. Zip files and wheels are in the room
//! `packaging`.

mod deb;
pub(super) mod decompress;
mod tar;
#[cfg(test)]
mod tests;
mod xz;

use std::io::{self, Read};

use crate::store::error::{Error, Result};
use crate::store::layout::Store;

/// Options for unpacking an archive into a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpacking {
    /// Number of leading path components to remove. Entries with no further component are left out.
    pub strip_components: usize,
    /// Whether absolute link targets are relative to the root of the archive, as in a system tree. Otherwise they are refused.
    pub absolute_links_from_root: bool,
    /// Whether devices and FIFOs are left out. Otherwise they are refused.
    pub skip_special: bool,
    /// The limits.
    pub limits: UnpackLimits,
}

/// Limits that protect against decompression bombs. Exceeding one is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackLimits {
    /// Number of entries.
    pub entries: usize,
    /// Size of the decompressed archive.
    pub bytes: u64,
    /// Ratio of the decompressed to the compressed size. It applies only to more than 16 MiB of decompressed bytes.
    pub ratio: u64,
}

/// Below this size the ratio is not limited, since small archives can have any ratio.
const RATIO_FROM_BYTES: u64 = 16 << 20;

impl Default for Unpacking {
    fn default() -> Unpacking {
        let limits = UnpackLimits { entries: 500_000, bytes: 16 << 30, ratio: 200 };
        Unpacking { strip_components: 0, absolute_links_from_root: false, skip_special: false, limits }
    }
}

impl Unpacking {
    /// Removes leading path components.
    pub fn stripped(strip_components: usize) -> Unpacking {
        Unpacking { strip_components, ..Unpacking::default() }
    }

    /// For packages that together form the root of a system.
    pub fn system() -> Unpacking {
        Unpacking { absolute_links_from_root: true, ..Unpacking::default() }
    }
}

impl Store {
    /// The decompressed bytes of an archive, which can be gzip, xz, zstd or uncompressed. Nothing is stored.
    pub fn decompressed<'r>(&self, archive: impl Read + 'r, limits: UnpackLimits) -> Result<Box<dyn Read + 'r>> {
        Ok(Box::new(decompress::open(self, archive, limits)?))
    }
}

fn refuse(archive: &'static str, why: impl Into<String>) -> Error {
    Error::Archive { archive, why: why.into(), source: None }
}

/// For `map_err`: the archive cannot be read, because it is truncated or malformed.
fn unreadable(archive: &'static str, what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Archive { archive, why: format!("{} cannot be read", what.into()), source: Some(source) }
}
