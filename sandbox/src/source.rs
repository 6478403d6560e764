//! The host side of a request's mounts: each source is opened once, by descriptor, and becomes a detached mount, which
//! the container's init only attaches. Runs in the spawner, which may pass through directories that the step's user may
//! not (a home directory of mode 0700).

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::fchown;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};

use crate::error::Context;
use crate::host::HostContext;
use crate::inside::chown_tree;
use crate::{Error, MountKind, Request, sys};

/// Returns one detached mount for each mount of the request that has a source, in order.
pub(crate) fn open_sources(request: &Request, host: &HostContext) -> Result<Vec<OwnedFd>, Error> {
    let mut sources = Vec::new();
    for mount in &request.mounts {
        match &mount.kind {
            MountKind::ReadOnly { source } | MountKind::Copied { source, .. } => {
                sources.push(open_read_only(source, host)?);
            }
            MountKind::Writable { source } => sources.push(open_writable(source, host)?),
            MountKind::Scratch { .. } => {}
        }
    }
    Ok(sources)
}

/// Gives an output file or pipe of root to the step's user, so that the step can reopen it as `/dev/stdout`.
pub(crate) fn chown_output(host: &HostContext, output: &OwnedFd) -> Result<(), Error> {
    let kind = SFlag::from_bits_truncate(fstat(output).context("read the output's metadata")?.st_mode) & SFlag::S_IFMT;
    if host.dedicated && (kind == SFlag::S_IFREG || kind == SFlag::S_IFIFO) {
        fchown(output, Some(host.step_user), Some(host.step_user)).context("give the output to the step's user")?;
    }
    Ok(())
}

fn open_read_only(source: &Path, host: &HostContext) -> Result<OwnedFd, Error> {
    let tree = clone_mount(source)?;
    let attributes = sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV;
    if let Some(idmap) = &host.idmap {
        // Some file systems do not support id-mapped mounts. There, root's files appear to belong to `nobody`.
        if sys::mount_setattr(tree.as_fd(), attributes, Some(idmap.as_fd()), true).is_ok() {
            return Ok(tree);
        }
    }
    sys::mount_setattr(tree.as_fd(), attributes, None, true)
        .with_context(|| format!("make `{}` read-only", source.display()))?;
    Ok(tree)
}

fn open_writable(source: &Path, host: &HostContext) -> Result<OwnedFd, Error> {
    if host.dedicated {
        chown_tree(source, host.step_user)
            .with_context(|| format!("give `{}` to the step's user", source.display()))?;
    }
    let tree = clone_mount(source)?;
    sys::mount_setattr(tree.as_fd(), sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV, None, true)
        .with_context(|| format!("restrict the mount of `{}`", source.display()))?;
    Ok(tree)
}

/// Opens first and then clones by descriptor: what is checked is what is mounted, even if another process replaces the
/// name in between.
fn clone_mount(source: &Path) -> Result<OwnedFd, Error> {
    if !source.is_absolute() {
        return Err(Error::Request(format!("source `{}` is not absolute", source.display())));
    }
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let dir =
        open(source, flags, Mode::empty()).with_context(|| format!("open the directory `{}`", source.display()))?;
    sys::open_tree(dir.as_fd(), c"", true).with_context(|| format!("clone the mount of `{}`", source.display()))
}
