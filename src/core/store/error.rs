//! Errors of the store and their hints.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::{Digest, ErrorKind};

/// The result of an operation of the store.
pub type Result<T> = std::result::Result<T, Error>;

/// What to do about a full disk.
pub const NO_SPACE_HINT: &str = "free some space, shrink the store with `waders store gc --max-size=SIZE`, or set `dir` in the section `[store]` of `waders.toml` to a directory with more space";

const UNWRITABLE_HINT: &str =
    "set `dir` in the section `[store]` of `waders.toml`, or `XDG_CACHE_HOME`, to a directory that can be written";

const FOREIGN_OWNER_HINT: &str = "set `dir` in the section `[store]` of `waders.toml`, or `XDG_CACHE_HOME`, to a directory of \
                                  your own";

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages describe the fields")]
pub enum Error {
    /// An operation of the file system failed. `tried` is a verb, such as `read` or `create`.
    #[error("cannot {tried} `{path}`")]
    Io { tried: &'static str, path: PathBuf, source: io::Error },
    /// The disk or the quota is full. `path` is the directory that was written to.
    #[error("no space left in `{path}`")]
    Full { path: PathBuf, source: io::Error },
    /// The root of the store belongs to another user.
    #[error("the store `{dir}` belongs to the user {owner_uid}, and this process runs as user {own_uid}")]
    ForeignOwner { dir: PathBuf, owner_uid: u32, own_uid: u32 },
    /// Another process holds the lock for a removal, and does not continue.
    #[error("cannot lock `{}`: {} removes objects from the store and does not continue", path.display(), named(users))]
    Locked { path: PathBuf, users: Vec<u32> },
    /// Never stored, or damaged and quarantined. The action that produces it can run again.
    #[error("`{0}` is not in the store")]
    Missing(Digest),
    /// Two parts of a merge have different entries at the same path.
    #[error("two parts have different files at `{path}`")]
    Conflict { path: String },
    /// An invalid tree, either as a value or as the bytes of a `Directory` message.
    #[error("tree `{tree}` is malformed: {why}")]
    Malformed { tree: String, why: String },
    /// An entry of a captured directory that a tree cannot represent or must not contain.
    #[error("cannot capture `{path}`: {why}")]
    Refused { path: String, why: String },
    /// An archive that is damaged or hostile. None of its contents was stored.
    #[error("cannot unpack {archive}: {why}")]
    Archive { archive: &'static str, why: String, source: Option<io::Error> },
    /// SQLite failed for a reason other than damage.
    #[error("cannot use the index `{path}`")]
    Index { path: PathBuf, source: rusqlite::Error },
}

/// Names processes.
fn named(users: &[u32]) -> String {
    match users {
        [] => "another process".to_owned(),
        [one] => format!("the process {one}"),
        several => {
            let several: Vec<String> = several.iter().map(u32::to_string).collect();
            format!("one of the processes {}", several.join(", "))
        }
    }
}

impl Error {
    /// The digest of the missing object, if this is `Error::Missing`.
    pub fn missing(&self) -> Option<Digest> {
        match self {
            Error::Missing(digest) => Some(*digest),
            _ => None,
        }
    }

    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Archive { .. } => ErrorKind::WrongBytes,
            _ => ErrorKind::Store,
        }
    }

    /// The failure of the file system or of the index among an error and its causes, if there is one: the machine is the
    /// reason, not the contents.
    pub fn storage_failure<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Error> {
        let mut error = Some(error);
        while let Some(found) = error {
            let boxed = found.downcast_ref::<Box<Error>>().map(|boxed| &**boxed);
            if let Some(store) = found.downcast_ref::<Error>().or(boxed)
                && matches!(
                    store,
                    Error::Io { .. }
                        | Error::Full { .. }
                        | Error::ForeignOwner { .. }
                        | Error::Locked { .. }
                        | Error::Index { .. }
                )
            {
                return Some(store);
            }
            error = found.source();
        }
        None
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        use io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
        let advice = match self {
            Error::Full { .. } => NO_SPACE_HINT,
            Error::ForeignOwner { .. } => FOREIGN_OWNER_HINT,
            Error::Locked { .. } => "let that process continue, or end it: a removal can be repeated at any time",
            Error::Io { source, tried: "read", .. } if source.raw_os_error() == Some(nix::libc::EIO) => {
                "the disk may be failing; `waders store repair` removes files that cannot be read"
            }
            Error::Io { source, .. }
                if matches!(source.kind(), NotADirectory | PermissionDenied | ReadOnlyFilesystem) =>
            {
                UNWRITABLE_HINT
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }

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

    /// Like `io`, for the error type of `nix`.
    pub(super) fn os(tried: &'static str, path: impl AsRef<Path>) -> impl FnOnce(nix::Error) -> Error {
        move |errno| Error::io(tried, path)(errno.into())
    }

    pub(super) fn refused(path: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Refused { path: path.into(), why: why.into() }
    }
}
