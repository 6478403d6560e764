//! Pinned interpreters and the system tree of every sandbox: `waders.lock` and the providers of its records. Nothing is
//! executed here: trees are unpacked from archives or copied file by file.
//!
//! Invariant: the result of [`provide`] depends only on the lock. Providers are queried only to add missing records.

mod constraints;
pub mod debian;
pub mod elf;
mod error;
pub mod host;
mod libraries;
pub mod lock;
mod prefix;
mod provide;
mod service;
pub mod settings;
pub mod standalone;
mod system_tree;
#[cfg(test)]
mod tests;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub use constraints::{Constraints, Offer};
pub use error::Error;
pub use lock::{Lock, LockedFile, LockedSource, Provider, Record};
pub use prefix::minor_version;
pub use provide::{locked, provide, provide_locked, provide_outside, records_of_trees, restore, stored, toolchain};
pub use service::{SERVICE, provide_service};

use self::debian::{Archive, DebianSettings};
use self::host::HostSettings;
use self::standalone::StandaloneSettings;
use crate::base::Digest;
use crate::net::Client;
use crate::store::Store;

/// The packages of the system tree by default: the libraries and programs that common wheels and test suites use.
pub const DEFAULT_PACKAGES: [&str; 14] = [
    "bash",
    "ca-certificates",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "libc-bin",
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "mawk",
    "sed",
    "tzdata",
    "zlib1g",
];

/// Links that a root file system needs in addition to the mount `/usr`: programs refer to their loader as `/lib64/…` and to
/// the shell as `/bin/sh`.
pub const ROOT_LINKS: [(&str, &str); 4] =
    [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64"), ("sbin", "usr/sbin")];

/// The toolchain that a step needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Such as `linux-x86_64`.
    pub platform: String,
    /// The packages of the system tree.
    pub packages: Vec<String>,
    /// Constraints on the interpreter; `None` for a system tree without interpreter.
    pub python: Option<Constraints>,
    /// Packages that the toolchain contains in addition to the system tree, for building source distributions.
    pub build_packages: Vec<String>,
}

/// The settings of all providers.
#[derive(Clone, Debug)]
pub struct ToolchainSettings {
    /// In order of preference.
    pub providers: Vec<Provider>,
    /// For the provider `debian`.
    pub debian: DebianSettings,
    /// For the provider `standalone`.
    pub standalone: StandaloneSettings,
    /// For the provider `host`.
    pub host: HostSettings,
}

/// A toolchain as it is mounted into a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// The tree of each mount point: `/usr`, `/etc/ssl`, `/toolchain/python3.12`.
    pub mounts: BTreeMap<String, Digest>,
    /// The interpreter's path in the sandbox; `None` if none was requested.
    pub python: Option<PathBuf>,
    /// The interpreter's full version, such as `3.11.2`.
    pub python_version: Option<String>,
    /// Where the interpreter comes from; `None` if none was requested.
    pub provider: Option<Provider>,
    /// The digest of the whole tree, which identifies the toolchain.
    pub digest: Digest,
    /// True if every machine can provide the same toolchain from the lock.
    pub portable: bool,
}

/// The resources that providers use.
pub struct ProviderContext<'c> {
    /// Where trees are stored.
    pub store: &'c Store,
    /// For downloads.
    pub net: &'c Client,
    /// The settings of the providers.
    pub settings: &'c ToolchainSettings,
    /// Refuse to change the lock.
    pub frozen: bool,
    archive: OnceCell<Archive>,
    notices: RefCell<Vec<Notice>>,
}

impl<'c> ProviderContext<'c> {
    /// Opens nothing yet. With `frozen`, the lock must not change.
    pub fn new(
        store: &'c Store,
        net: &'c Client,
        settings: &'c ToolchainSettings,
        frozen: bool,
    ) -> ProviderContext<'c> {
        ProviderContext { store, net, settings, frozen, archive: OnceCell::new(), notices: RefCell::default() }
    }

    /// What the user should know about the interpreters that were locked since the last call.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.notices.take()
    }
}

/// A warning about an interpreter that was locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The warning.
    pub message: String,
    /// What the user can do about it.
    pub hint: &'static str,
}
