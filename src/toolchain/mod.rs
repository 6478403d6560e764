//! Pinned interpreters and the system tree below every step: `waders.lock`, and who can provide what it names. Nothing is
//! executed here: trees are made of archives, or copied file by file.
//!
//! Invariant: what `ensure` gives depends on the lock alone. Providers are asked only for what the lock lacks.

mod choose;
pub mod debian;
mod elf;
mod ensure;
mod error;
pub mod host;
mod libraries;
pub mod lock;
mod prefix;
pub mod settings;
pub mod standalone;
mod system_tree;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub use choose::{Constraints, Offer, choose};
pub use ensure::{ensure, restore};
pub use error::Error;
pub use lock::{Lock, LockedFile, Provider, Record};

use self::debian::Archive;
use crate::base::Digest;
use crate::net::Client;
use crate::store::Store;

/// The system tree's packages where the user names none: what ordinary wheels and test suites call.
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

/// Links that a root needs beside the mount of `/usr`: programs name their loader `/lib64/…` and their shell `/bin/sh`.
pub const ROOT_LINKS: [(&str, &str); 4] =
    [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64"), ("sbin", "usr/sbin")];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `linux-x86_64`.
    pub platform: String,
    /// Of the system tree.
    pub packages: Vec<String>,
    /// `None` for the system tree alone.
    pub python: Option<Constraints>,
}

/// What the user and the machine say about toolchains.
#[derive(Clone, Debug)]
pub struct Settings {
    /// In the order in which they are asked.
    pub providers: Vec<Provider>,
    pub debian: debian::Settings,
    pub standalone: standalone::Settings,
    pub host: host::Settings,
}

/// What a step is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// Mount point to tree: `/usr`, `/etc/ssl`, `/toolchain/python3.12`.
    pub mounts: BTreeMap<String, Digest>,
    /// Inside the sandbox; `None` where no interpreter was wanted.
    pub python: Option<PathBuf>,
    /// `3.11.2`.
    pub python_version: Option<String>,
    /// Stands for all of it.
    pub digest: Digest,
    /// Whether another machine can have the same.
    pub portable: bool,
}

/// What providers work with.
pub struct Context<'c> {
    pub store: &'c Store,
    pub net: &'c Client,
    pub settings: &'c Settings,
    /// Refuse to change the lock.
    pub frozen: bool,
    archive: OnceCell<Archive>,
}

impl<'c> Context<'c> {
    pub fn new(store: &'c Store, net: &'c Client, settings: &'c Settings, frozen: bool) -> Context<'c> {
        Context { store, net, settings, frozen, archive: OnceCell::new() }
    }
}
