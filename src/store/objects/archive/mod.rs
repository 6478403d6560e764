//! Archives unpacked into the store, never to a path, and nothing of them on failure. Zip files and wheels are not
//! here: what a wheel means is Python's business.

mod deb;
mod decompress;
mod tar;
#[cfg(test)]
mod tests;
mod xz;

use std::io;

use crate::store::error::Error;

/// How an archive becomes a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpacking {
    /// Leading path components to drop; what has no more than these is left out.
    pub strip_components: usize,
    /// Whether `/x` as a link's target means the root of the archive, as in a system tree; else it is refused.
    pub absolute_links_from_root: bool,
    /// Whether devices and FIFOs are left out; else they are refused.
    pub skip_special: bool,
    pub limits: UnpackLimits,
}

/// More than this is taken for a bomb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackLimits {
    pub entries: usize,
    /// The archive after decompression.
    pub bytes: u64,
    /// Decompressed bytes for each compressed one, once there are more than `RATIO_FROM_BYTES`.
    pub ratio: u64,
}

/// Small archives may compress as well as they like.
const RATIO_FROM_BYTES: u64 = 16 << 20;

impl Default for Unpacking {
    fn default() -> Unpacking {
        let limits = UnpackLimits { entries: 500_000, bytes: 16 << 30, ratio: 200 };
        Unpacking { strip_components: 0, absolute_links_from_root: false, skip_special: false, limits }
    }
}

impl Unpacking {
    pub fn stripped(strip_components: usize) -> Unpacking {
        Unpacking { strip_components, ..Unpacking::default() }
    }

    /// For packages that together make the root of a system.
    pub fn system() -> Unpacking {
        Unpacking { absolute_links_from_root: true, ..Unpacking::default() }
    }
}

fn refuse(archive: &'static str, why: impl Into<String>) -> Error {
    Error::Archive { archive, why: why.into(), source: None }
}

/// For `map_err`: reading the archive failed, because its bytes ended or made no sense.
fn unreadable(archive: &'static str, what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Archive { archive, why: format!("{} cannot be read", what.into()), source: Some(source) }
}
