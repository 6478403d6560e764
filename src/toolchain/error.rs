//! The errors of this room and their hints.

use std::io;
use std::path::PathBuf;

use crate::base::{Digest, ErrorKind};
use crate::{net, store};

/// Why a toolchain cannot be provided.
#[allow(missing_docs, reason = "the message of each variant explains its fields")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A download failed.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file operation failed; `tried` is a verb phrase, such as `read`.
    #[error("cannot {tried} `{}`", path.display())]
    Io { tried: &'static str, path: PathBuf, source: io::Error },

    /// `waders.lock` is not valid.
    #[error("cannot parse `{}`: {why}", path.display())]
    LockSyntax { path: PathBuf, why: String },
    /// `waders.lock` would have to change, but is frozen; `why` is a verb phrase, such as `is missing`.
    #[error("`waders.lock` {why}, and it must not be changed")]
    Frozen { why: String },
    /// No provider supports the platform.
    #[error("unsupported platform `{platform}`")]
    Platform { platform: String },

    /// The option `[toolchain] providers` has an unknown value.
    #[error("unknown toolchain provider `{name}`: the providers are `debian`, `standalone` and `host`")]
    UnknownProvider { name: String },

    /// Neither the settings nor apt's sources name an archive.
    #[error("no package archive is configured")]
    NoArchive,
    /// The signed head of the archive cannot be downloaded; `named_by` is the setting that names the archive.
    #[error("cannot read the package archive")]
    Archive { named_by: String, source: net::Error },
    /// There is no key to verify the archive with.
    #[error("no keyring found to verify the package archive `{mirror}`")]
    NoKeyring { mirror: String },
    /// No key has a fingerprint of the settings.
    #[error("no key of the package archive has the fingerprint `{fingerprints}`")]
    NoSuchKey { fingerprints: String },
    /// The setting is not a whole fingerprint.
    #[error("`{text}` in `[system] key_fingerprints` is not the fingerprint of a key")]
    Fingerprint { text: String },
    /// The head of the archive is not signed by a trusted key.
    #[error("invalid signature of the package archive: {why}")]
    Signature { why: String },
    /// The index has unexpected content.
    #[error("invalid index of the package archive: {why}")]
    Index { why: String },
    /// A configured package does not exist.
    #[error("package `{package}` is not in the package archive")]
    UnknownPackage { package: String },
    /// A dependency of a package is missing, or `locked` at another version.
    #[error("package `{package}` depends on {}", match locked {
        Some(version) => format!("another version of `{dependency}` than the locked version `{version}`"),
        None => format!("`{dependency}`, which is not in the package archive"),
    })]
    Unsatisfied { package: String, dependency: String, locked: Option<String> },
    /// Two packages contain different files at the same path.
    #[error("packages `{first}` and `{second}` contain different files `{path}`")]
    PackagesConflict { path: String, first: String, second: String },
    /// A locked package cannot be downloaded.
    #[error("cannot download the locked package `{package}` ({version})")]
    PackageGone { package: String, version: String, source: net::Error },
    /// A package is damaged.
    #[error("cannot unpack the package `{package}`")]
    Unpack { package: String, source: store::Error },

    /// An interpreter constraint cannot be parsed.
    #[error("invalid interpreter constraint `{constraint}`")]
    Constraint { constraint: String },
    /// No provider offers an interpreter that satisfies the constraints.
    #[error("no interpreter satisfies `{constraints}`: {offered}")]
    NoInterpreter { constraints: String, offered: String },
    /// A locked interpreter of the provider `host` does not exist here.
    #[error("the locked interpreter {version} is not installed on this machine")]
    HostGone { version: String },
    /// An interpreter of this machine is incomplete.
    #[error("cannot copy the interpreter `{}`: {why}", path.display())]
    HostUnusable { path: PathBuf, why: String },
    /// A library of the system tree does not define the required symbol versions.
    #[error("`{file}` requires {versions} of `{library}`, which the system tree does not provide")]
    LibraryTooOld { file: String, library: String, versions: String },
    /// A required library does not exist.
    #[error("`{file}` requires `{library}`, which is neither in the system tree nor on this machine")]
    LibraryMissing { file: String, library: String },
    /// The list of standalone archives has not been read.
    #[error("the list of standalone interpreters has not been read")]
    NoArchiveList,
    /// A standalone archive has unexpected content.
    #[error("cannot use the interpreter archive `{url}`: {why}")]
    Standalone { url: String, why: String },

    /// A restored toolchain is not the locked one.
    #[error("toolchain `{toolchain}` has the digest `{got}`, but `waders.lock` records `{expected}`")]
    Differs { toolchain: String, expected: Box<Digest>, got: Box<Digest> },
}

impl Error {
    /// Makes a function for `map_err` on file operations.
    pub(super) fn io(tried: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { tried, path, source }
    }

    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Net(source) | Error::PackageGone { source, .. } | Error::Archive { source, .. } => source.kind(),
            Error::Store(source) | Error::Unpack { source, .. } => source.kind(),
            Error::Frozen { .. } => ErrorKind::Lock,
            Error::Differs { .. } | Error::Signature { .. } | Error::NoSuchKey { .. } => ErrorKind::WrongBytes,
            _ => ErrorKind::Mistake,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let advice = match self {
            Error::Net(error) => return error.hint(None),
            Error::Store(error) => return error.hint(),
            Error::Unpack { source, .. } => return source.hint(),
            Error::Archive { named_by, source } => return source.hint(Some(named_by)),
            Error::Frozen { .. } => "run the same command once without `--frozen` and `CI`, then commit `waders.lock`",
            Error::LockSyntax { .. } => {
                "restore the file from version control, or delete it and run the same command again"
            }
            Error::NoArchive => "set `mirror` and `suite` in the section `[system]` of `waders.toml`",
            Error::NoKeyring { .. } | Error::Signature { .. } => {
                "set `keyring` or `key_fingerprints` in the section `[system]`: see \"Machines without apt\" in `docs/install.md`"
            }
            Error::NoSuchKey { .. } => {
                "compare the fingerprints with those that the archive's owner publishes; a new release has new keys"
            }
            Error::Fingerprint { .. } => "write all of its 40 hexadecimal digits: shorter ids of keys can be forged",
            Error::UnknownPackage { .. } => "check `packages` in the section `[system]` of `waders.toml`",
            Error::Unsatisfied { locked: Some(_), .. } => {
                "delete the records of the provider `debian` from `waders.lock` to lock them again"
            }
            Error::PackageGone { source, .. } if source.is_absent() => {
                "the archive no longer contains it: set `snapshot_mirror` in the section `[system]`, or delete the toolchain's record \
                 from `waders.lock` to lock the current version"
            }
            Error::PackageGone { .. } => "check the network, and `mirror` in the section `[system]` of `waders.toml`",
            Error::NoInterpreter { .. } => {
                "widen `interpreter_constraints`, or install such an interpreter with pyenv (provider `host`)"
            }
            Error::HostGone { .. } => {
                "delete its record from `waders.lock` to lock an interpreter of a portable provider, or install exactly this \
                 version where the current user can read it, for example with pyenv"
            }
            Error::LibraryTooOld { .. } => {
                "this interpreter was built for a newer system: set `suite` in the section `[system]` to a newer release"
            }
            Error::LibraryMissing { .. } => {
                "install the package that provides it on this machine, or add it to `packages` in the section `[system]`"
            }
            Error::Differs { .. } => {
                "the interpreter has changed since it was locked: delete its record from `waders.lock` if the change is intended"
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }
}
