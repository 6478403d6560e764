//! Converts an action to a request to the sandbox: its mounts, environment and limits. The sandbox itself is a crate of its
//! own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use waders_sandbox::{Limits, Mount, MountKind, Network, Request, Stdio, TreeEntry};

use crate::action::{self, Action, Inputs};
use crate::base::{Digest, sandbox_paths};
use crate::engine::Error;
use crate::engine::local::runner::LocalSettings;
use crate::engine::local::terminal;
use crate::engine::local::verified_blobs::VerifiedBlobs;
use crate::store::{FIXED_MTIME_SECONDS, Node, Store, Tree};

/// Larger images keep the order of the store's file system when the order of entries is varied: a copy in memory costs as much
/// memory as the image has bytes, and about 10 µs for each entry.
const REVERSED_IMAGE_BYTES: u64 = 64 << 20;
const REVERSED_IMAGE_ENTRIES: usize = 20_000;

/// The mounts of an action's inputs. Materializes the images; the sandbox copies the sources, and verifies those that are not yet
/// in `verified`.
pub(super) fn mount_inputs(
    store: &Store,
    settings: &LocalSettings,
    inputs: &Inputs,
    verified: &VerifiedBlobs,
) -> Result<Vec<Mount>, Error> {
    let reversed = settings.variation.reversed_entries;
    // Images are materialized concurrently, because an image of thousands of files is verified before its first use.
    let (images, sources) = thread::scope(|scope| {
        let image = |(at, tree): (&String, &Digest)| {
            let kind = match reversed.then(|| reversed_image(store, *tree, verified)).transpose()?.flatten() {
                Some(copied) => copied,
                None => MountKind::ReadOnly { source: store.materialize(*tree)? },
            };
            Ok(Mount { at: at.into(), kind })
        };
        let images: Vec<_> = inputs.images.iter().map(|input| scope.spawn(move || image(input))).collect();
        let sources = sources(store, settings, inputs.root, verified);
        (images.into_iter().map(join).collect::<Vec<Result<Mount, Error>>>(), sources)
    });
    images.into_iter().chain([sources]).collect()
}

fn join<T>(thread: ScopedJoinHandle<'_, Result<T, Error>>) -> Result<T, Error> {
    thread.join().unwrap_or_else(|_| Err(Error::Bug("a thread that materializes an image panicked".to_owned())))
}

/// The mount of the sources. They are copied, because a process may write to them.
fn sources(store: &Store, settings: &LocalSettings, root: Digest, verified: &VerifiedBlobs) -> Result<Mount, Error> {
    let limits = &settings.platform.limits;
    let kind = MountKind::Copied {
        source: store.blob_root(),
        entries: entries(store, store.tree(root)?, verified)?,
        reversed: settings.variation.reversed_entries,
        read_only: false,
        modified: FIXED_MTIME_SECONDS,
        more_bytes: limits.scratch_bytes,
        more_inodes: limits.scratch_inodes,
    };
    Ok(Mount { at: sandbox_paths::SRC.into(), kind })
}

/// An image as a copy in memory whose directories list their entries in another order; `None` if it is too large for a copy.
fn reversed_image(store: &Store, tree: Digest, verified: &VerifiedBlobs) -> Result<Option<MountKind>, Error> {
    let tree = store.tree(tree)?;
    let bytes: u64 = tree.nodes.values().filter_map(Node::content).map(|digest| digest.size_bytes()).sum();
    if bytes > REVERSED_IMAGE_BYTES || tree.nodes.len() > REVERSED_IMAGE_ENTRIES {
        return Ok(None);
    }
    Ok(Some(MountKind::Copied {
        source: store.blob_root(),
        entries: entries(store, tree, verified)?,
        reversed: true,
        read_only: true,
        modified: FIXED_MTIME_SECONDS,
        more_bytes: 0,
        more_inodes: 0,
    }))
}

/// The entries of a copied tree.
fn entries(store: &Store, tree: Tree, verified: &VerifiedBlobs) -> Result<BTreeMap<String, TreeEntry>, Error> {
    let mut entries = BTreeMap::new();
    for (path, node) in tree.nodes {
        let entry = match node {
            Node::File { digest, executable } => {
                let (from, size_bytes) = (store.relative_blob_path(digest)?, digest.size_bytes());
                TreeEntry::File { from, size_bytes, executable, blake3: verified.to_verify(digest.hex()) }
            }
            Node::Symlink { target } => TreeEntry::Symlink { target },
            Node::EmptyDirectory => TreeEntry::Directory,
        };
        entries.insert(path.to_string(), entry);
    }
    Ok(entries)
}

/// Where a process writes, outside of its sandbox.
pub(in crate::engine) struct Places<'p> {
    /// The output directory.
    pub(in crate::engine) out: &'p Path,
    /// Directories for temporary files by mount point, where they are not in memory.
    pub(in crate::engine) disk_scratch: &'p BTreeMap<&'static str, PathBuf>,
}

/// The request for one attempt, which writes to `places`. `mounts` are the inputs, `slot` is the number of the execution slot.
pub(in crate::engine) fn request(
    settings: &LocalSettings,
    action: &Action,
    mounts: &[Mount],
    places: &Places<'_>,
    slot: usize,
    audit: bool,
) -> Request {
    let Action { command, policy } = action;
    let limits = &settings.platform.limits;
    let mut mounts = mounts.to_vec();
    let writable = |at: &str, source| Mount { at: at.into(), kind: MountKind::Writable { source } };
    mounts.push(writable(sandbox_paths::OUT, places.out.to_owned()));
    mounts.extend(command.outputs_at.iter().map(|(at, dir)| writable(at, dir.to_path(places.out))));
    for at in [sandbox_paths::TMP, sandbox_paths::HOME, sandbox_paths::SHARED_MEMORY] {
        mounts.push(match places.disk_scratch.get(at) {
            Some(dir) => writable(at, dir.clone()),
            None => {
                let kind = MountKind::Scratch { bytes: limits.scratch_bytes, inodes: limits.scratch_inodes };
                Mount { at: at.into(), kind }
            }
        });
    }
    Request {
        argv: command.argv.clone(),
        env: environment(action, slot),
        cwd: command.cwd.to_path(Path::new(sandbox_paths::SRC)),
        mounts,
        network: if command.network { Network::Host } else { Network::Loopback },
        limits: sandbox_limits(limits, policy.timeout, settings.grace),
        isolation: settings.isolation,
        stdio: match command.terminal {
            true if terminal::is_terminal() => Stdio::Terminal,
            true => Stdio::Inherited,
            false if policy.channel.is_some() => Stdio::Inherited,
            false => Stdio::Captured,
        },
        audit,
    }
}

/// The environment of the command, and the variables that the policy adds.
fn environment(action: &Action, slot: usize) -> BTreeMap<String, String> {
    let mut env = action.command.env.clone();
    if let Some(variable) = &action.policy.slot_variable {
        env.insert(variable.clone(), slot.to_string());
    }
    env
}

/// The limits that steps really get: an ordinary user cannot exceed his own hard limits.
pub(super) fn enforceable(limits: action::Limits) -> action::Limits {
    let possible = sandbox_limits(&limits, None, Duration::ZERO).enforceable();
    action::Limits {
        processes: possible.processes,
        open_files: possible.open_files,
        file_bytes: possible.file_bytes,
        process_memory_bytes: possible.process_memory_bytes,
        ..limits
    }
}

fn sandbox_limits(limits: &action::Limits, timeout: Option<Duration>, grace: Duration) -> Limits {
    Limits {
        timeout,
        grace,
        processes: limits.processes,
        open_files: limits.open_files,
        file_bytes: limits.file_bytes,
        memory_bytes: limits.memory_bytes,
        process_memory_bytes: limits.process_memory_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Command, Platform, Policy, Source};

    #[test]
    fn the_scratch_size_bounds_every_directory_in_memory() {
        let limits = Platform::sample().limits;
        let settings = LocalSettings::new(waders_sandbox::Isolation::Full, limits.clone(), Duration::ZERO, None);
        let command = Command::new(Vec::new(), BTreeMap::new(), Source::Tree(Digest::of(b"")), BTreeMap::new());
        let action = Action { command, policy: Policy::new("step".to_owned()) };
        let places = Places { out: Path::new("/out"), disk_scratch: &BTreeMap::new() };
        let request = request(&settings, &action, &[], &places, 0, false);
        let scratch = request.mounts.iter().filter_map(|mount| match mount.kind {
            MountKind::Scratch { bytes, inodes } => Some((mount.at.to_str().unwrap(), bytes, inodes)),
            _ => None,
        });
        let expected = ["/tmp", "/home/waders", "/dev/shm"].map(|at| (at, limits.scratch_bytes, limits.scratch_inodes));
        assert_eq!(scratch.collect::<Vec<_>>(), expected);
    }
}
