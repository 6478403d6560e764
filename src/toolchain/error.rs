//! What can go wrong with toolchains, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::base::Digest;
use crate::{net, store};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Net(#[from] net::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("cannot {tried} `{}`", path.display())]
    Io { tried: &'static str, path: PathBuf, source: io::Error },

    #[error("`{}` cannot be read: {why}", path.display())]
    LockSyntax { path: PathBuf, why: String },
    #[error("`waders.lock` {why}, and it may not be written")]
    Frozen { why: String },
    #[error("no toolchain is offered for the platform `{platform}`")]
    Platform { platform: String },

    #[error("`{name}` is not a provider of toolchains: they are `debian`, `standalone` and `host`")]
    UnknownProvider { name: String },

    #[error("no archive of packages is known")]
    NoArchive,
    #[error("the archive of packages cannot be read")]
    Archive { named_by: String, source: net::Error },
    #[error("no keyring is known that `{mirror}` could be checked with")]
    NoKeyring { mirror: String },
    #[error("the archive's signature is not valid: {why}")]
    Signature { why: String },
    #[error("the archive's index cannot be used: {why}")]
    Index { why: String },
    #[error("the archive has no package `{package}`")]
    UnknownPackage { package: String },
    #[error("package `{package}` needs {}", match present {
        Some(version) => format!("another version of `{asks}` than `{version}`, which is already locked"),
        None => format!("`{asks}`, which the archive does not offer"),
    })]
    Unsatisfied { package: String, asks: String, present: Option<String> },
    #[error("packages `{first}` and `{second}` both have `{path}`, and they differ")]
    PackagesConflict { path: String, first: String, second: String },
    #[error("cannot get the locked package `{package}` ({version})")]
    PackageGone { package: String, version: String, source: net::Error },
    #[error("cannot unpack the package `{package}`")]
    Unpack { package: String, source: store::Error },

    #[error("`{constraint}` is not an interpreter constraint")]
    Constraint { constraint: String },
    #[error("no interpreter satisfies `{constraints}`: {offered}")]
    NoInterpreter { constraints: String, offered: String },
    #[error("the locked interpreter {version} is not on this machine")]
    HostGone { version: String },
    #[error("`{}` is not an interpreter that can be copied: {why}", path.display())]
    HostUnusable { path: PathBuf, why: String },
    #[error("`{file}` needs {needs} of `{library}`, which the system tree does not have")]
    LibraryTooOld { file: String, library: String, needs: String },
    #[error("`{file}` needs `{library}`, which is neither in the system tree nor on this machine")]
    LibraryMissing { file: String, library: String },
    #[error("`{url}` is not an interpreter's archive: {why}")]
    Standalone { url: String, why: String },

    #[error("toolchain `{toolchain}` came out as `{got}` where the lock says `{expected}`")]
    Differs { toolchain: String, expected: Box<Digest>, got: Box<Digest> },
}

impl Error {
    /// For `map_err` on file operations.
    pub(super) fn io(tried: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { tried, path, source }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        let advice = match self {
            Error::Net(error) => return error.hint(None),
            Error::Archive { named_by, source } => return source.hint(Some(named_by)),
            Error::Frozen { .. } => "run the same command once without `--frozen` and `CI`, then commit `waders.lock`",
            Error::LockSyntax { .. } => "restore the file from version control, or delete it to have it written anew",
            Error::NoArchive => "set `mirror` and `suite` in the section `[system]` of `waders.toml`",
            Error::NoKeyring { .. } | Error::Signature { .. } => {
                "name the archive's keyring as `keyring` in the section `[system]`"
            }
            Error::UnknownPackage { .. } => "check `packages` in the section `[system]` of `waders.toml`",
            Error::Unsatisfied { present: Some(_), .. } => {
                "delete the records of the provider `debian` from `waders.lock` to lock anew"
            }
            Error::PackageGone { source, .. } if source.is_absent() => {
                "it has left the archive: set `snapshot_mirror` in the section `[system]`, or delete the toolchain's record \
                 from `waders.lock` to lock what the archive has now"
            }
            Error::PackageGone { .. } => "check the network, and `mirror` in the section `[system]` of `waders.toml`",
            Error::NoInterpreter { .. } => {
                "widen `interpreter_constraints`, install such an interpreter with pyenv (provider `host`), or set \
                 `standalone_url_template` and `standalone_versions` in the section `[toolchain]`"
            }
            Error::HostGone { .. } => {
                "install exactly this version (pyenv), or delete its record from `waders.lock`; interpreters of the provider \
                 `host` are not portable"
            }
            Error::LibraryTooOld { .. } => {
                "this interpreter was built for a newer system: set `suite` in the section `[system]` to a newer release"
            }
            Error::LibraryMissing { .. } => {
                "install the package that has it, here or in `packages` of the section `[system]`"
            }
            Error::Differs { .. } => {
                "what was locked has changed: delete its record from `waders.lock` if that is meant"
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }
}
