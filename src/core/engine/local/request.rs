//! Converts an action to a request to the sandbox: its mounts, environment and limits. The sandbox itself is a crate of its
//! own.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use waders_sandbox::{Limits, Mount, MountKind, Network, Request, Stdio, TreeEntry};

use crate::action::{self, Action, Inputs};
use crate::base::{Digest, sandbox_paths};
use crate::engine::Error;
use crate::engine::local::runner::LocalSettings;
use crate::engine::local::terminal;
use crate::engine::local::verified_blobs::VerifiedBlobs;
use crate::engine::slots::Slot;
use crate::store::{FIXED_MTIME_SECONDS, Node, Store};

/// The mounts of an action's inputs. Materializes the images; the sandbox copies the sources, and verifies those that are not yet
/// in `verified`.
pub(super) fn mount_inputs(
    store: &Store,
    limits: &action::Limits,
    inputs: &Inputs,
    verified: &VerifiedBlobs,
) -> Result<Vec<Mount>, Error> {
    // Images are materialized concurrently, because an image of thousands of files is verified before its first use.
    let (images, sources) = thread::scope(|scope| {
        let image = |(at, tree): (&String, &Digest)| {
            let source = store.materialize(*tree)?;
            Ok(Mount { at: at.into(), kind: MountKind::ReadOnly { source } })
        };
        let images: Vec<_> = inputs.images.iter().map(|input| scope.spawn(move || image(input))).collect();
        let sources = sources(store, limits, inputs.root, verified);
        (images.into_iter().map(join).collect::<Vec<Result<Mount, Error>>>(), sources)
    });
    images.into_iter().chain([sources]).collect()
}

fn join<T>(thread: ScopedJoinHandle<'_, Result<T, Error>>) -> Result<T, Error> {
    thread.join().unwrap_or_else(|_| Err(Error::Bug("a thread that materializes an image panicked".to_owned())))
}

/// The mount of the sources. They are copied, because a process may write to them.
fn sources(store: &Store, limits: &action::Limits, root: Digest, verified: &VerifiedBlobs) -> Result<Mount, Error> {
    let mut entries = BTreeMap::new();
    for (path, node) in store.tree(root)?.nodes {
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
    let kind = MountKind::Copied {
        source: store.blob_root(),
        entries,
        modified: FIXED_MTIME_SECONDS,
        more_bytes: limits.scratch_bytes,
        more_inodes: limits.scratch_inodes,
    };
    Ok(Mount { at: sandbox_paths::SRC.into(), kind })
}

/// The request for one attempt. `out` is the output directory on the host, `mounts` are the inputs.
pub(super) fn request(
    settings: &LocalSettings,
    action: &Action,
    mounts: &[Mount],
    out: &Path,
    slot: &Slot<'_>,
) -> Request {
    let Action { command, policy } = action;
    let limits = &settings.platform.limits;
    let mut mounts = mounts.to_vec();
    let writable = |at: &str, source| Mount { at: at.into(), kind: MountKind::Writable { source } };
    mounts.push(writable(sandbox_paths::OUT, out.to_owned()));
    mounts.extend(command.outputs_at.iter().map(|(at, dir)| writable(at, dir.to_path(out))));
    for at in [sandbox_paths::TMP, sandbox_paths::HOME, sandbox_paths::SHARED_MEMORY] {
        let kind = MountKind::Scratch { bytes: limits.scratch_bytes, inodes: limits.scratch_inodes };
        mounts.push(Mount { at: at.into(), kind });
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
    }
}

/// The environment of the command, and the variables that the policy adds.
fn environment(action: &Action, slot: &Slot<'_>) -> BTreeMap<String, String> {
    let mut env = action.command.env.clone();
    if let Some(variable) = &action.policy.slot_variable {
        env.insert(variable.clone(), slot.number().to_string());
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
    use crate::engine::slots::Slots;

    #[test]
    fn the_scratch_size_bounds_every_directory_in_memory() {
        let limits = Platform::sample().limits;
        let settings = LocalSettings::new(waders_sandbox::Isolation::Full, limits.clone(), Duration::ZERO, None);
        let command = Command::new(Vec::new(), BTreeMap::new(), Source::Tree(Digest::of(b"")), BTreeMap::new());
        let action = Action { command, policy: Policy::new("step".to_owned()) };
        let slots = Slots::new(1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let request = request(&settings, &action, &[], Path::new("/out"), &runtime.block_on(slots.take(1)));
        let scratch = request.mounts.iter().filter_map(|mount| match mount.kind {
            MountKind::Scratch { bytes, inodes } => Some((mount.at.to_str().unwrap(), bytes, inodes)),
            _ => None,
        });
        let expected = ["/tmp", "/home/waders", "/dev/shm"].map(|at| (at, limits.scratch_bytes, limits.scratch_inodes));
        assert_eq!(scratch.collect::<Vec<_>>(), expected);
    }
}
