//! What can go wrong in the store. Advice to the user is the caller's.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::Digest;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `tried` is a verb: `read`, `create`, `rename` …
    #[error("cannot {tried} `{path}`")]
    Io { tried: &'static str, path: PathBuf, source: io::Error },
    /// The disk or the quota is used up. `path` is the directory that is full.
    #[error("no space left in `{path}`")]
    Full { path: PathBuf, source: io::Error },
    /// Never stored, or found damaged and set aside. Whoever made it can make it again.
    #[error("`{0}` is not in the store")]
    Missing(Digest),
    /// Two parts of a merge disagree.
    #[error("two different files would lie at `{path}`")]
    Conflict { path: String },
    /// A tree that cannot be: as a value, or as the bytes of a `Directory` message.
    #[error("tree `{tree}` is malformed: {why}")]
    Malformed { tree: String, why: String },
    /// Something below a captured directory that a tree cannot or must not hold.
    #[error("`{path}` cannot be captured: {why}")]
    Refused { path: String, why: String },
    /// An archive that is damaged or hostile. Nothing of it was stored.
    #[error("cannot unpack {archive}: {why}")]
    Archive { archive: &'static str, why: String, source: Option<io::Error> },
    #[error("cannot use the index `{path}`")]
    Index { path: PathBuf, source: rusqlite::Error },
}

impl Error {
    /// For `map_err`: `fs::read(path).map_err(Error::io("read", path))`.
    pub(super) fn io(tried: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
        move |source| {
            let path = path.as_ref();
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                return Error::Full { path: path.parent().unwrap_or(path).to_owned(), source };
            }
            Error::Io { tried, path: path.to_owned(), source }
        }
    }

    pub(super) fn os(tried: &'static str, path: impl AsRef<Path>) -> impl FnOnce(nix::Error) -> Error {
        move |errno| Error::io(tried, path)(errno.into())
    }

    pub(super) fn refused(path: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Refused { path: path.into(), why: why.into() }
    }
}
