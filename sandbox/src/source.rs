//! The host side of a request's mounts: each source is opened once, by descriptor, and becomes a detached mount that
//! the cell only attaches. Runs in the spawner, which may pass where the step's user may not (a home of mode 0700).

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::fchown;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};

use crate::error::Doing;
use crate::ground::Ground;
use crate::inside::give;
use crate::{Error, MountKind, Request, sys};

/// The detached mounts of all mounts of a request that have a source, in order.
pub fn open_all(request: &Request, ground: &Ground) -> Result<Vec<OwnedFd>, Error> {
    let mut sources = Vec::new();
    for mount in &request.mounts {
        match &mount.kind {
            MountKind::ReadOnly { source } | MountKind::Copied { source, .. } => {
                sources.push(read_only(source, ground)?);
            }
            MountKind::Writable { source } => sources.push(writable(source, ground)?),
            MountKind::Scratch { .. } => {}
        }
    }
    Ok(sources)
}

/// Root's captures and pipes become the step's own, so that `/dev/stdout` can be opened again by name.
pub fn give_output(ground: &Ground, output: &OwnedFd) -> Result<(), Error> {
    let kind = SFlag::from_bits_truncate(fstat(output).doing("look at the output")?.st_mode) & SFlag::S_IFMT;
    if ground.dedicated && (kind == SFlag::S_IFREG || kind == SFlag::S_IFIFO) {
        fchown(output, Some(ground.step_user), Some(ground.step_user)).doing("give the output to the step's user")?;
    }
    Ok(())
}

fn read_only(source: &Path, ground: &Ground) -> Result<OwnedFd, Error> {
    let tree = copy(source)?;
    let attributes = sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV;
    if let Some(idmap) = &ground.idmap {
        // Not every file system can: the files then show as those of `nobody`, which only the owner's name tells.
        if sys::mount_setattr(tree.as_fd(), attributes, Some(idmap.as_fd()), true).is_ok() {
            return Ok(tree);
        }
    }
    sys::mount_setattr(tree.as_fd(), attributes, None, true)
        .doing_with(|| format!("make `{}` read-only", source.display()))?;
    Ok(tree)
}

fn writable(source: &Path, ground: &Ground) -> Result<OwnedFd, Error> {
    if ground.dedicated {
        give(source, ground.step_user).doing_with(|| format!("give `{}` to the step's user", source.display()))?;
    }
    let tree = copy(source)?;
    sys::mount_setattr(tree.as_fd(), sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV, None, true)
        .doing_with(|| format!("restrict the mount of `{}`", source.display()))?;
    Ok(tree)
}

/// Opened first, then copied by descriptor: what is checked is what is mounted, even if the name is swapped meanwhile.
fn copy(source: &Path) -> Result<OwnedFd, Error> {
    if !source.is_absolute() {
        return Err(Error::Request(format!("source `{}` is not absolute", source.display())));
    }
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let dir = open(source, flags, Mode::empty()).doing_with(|| format!("open the directory `{}`", source.display()))?;
    sys::open_tree(dir.as_fd(), c"", true).doing_with(|| format!("copy the mount of `{}`", source.display()))
}
