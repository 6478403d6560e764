//! The template: mounts with the contents that are the same in all containers. The spawner creates them once per run in
//! its mount namespace, which new mount namespaces inherit, so that init only binds from them. They are read-only
//! before the first container starts and contain nothing of any step.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, fchown, lchown};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount as old_mount};
use nix::sys::stat::Mode;

use super::mount::{attach_at, first_directory, new_tmpfs};
use super::{dev, proc};
use crate::error::Context;
use crate::{Error, sys};

/// Host directories that the template may cover in the spawner's mount namespace, where they are unlikely to contain a
/// source. The first that exists is used.
const MOUNT_POINTS: [&str; 7] = ["/sys/kernel", "/sys", "/boot", "/media", "/srv", "/opt", "/mnt"];
const BYTES: u64 = 4 << 20;
const INODES: u64 = 256;
const ATTRIBUTES: u64 =
    sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV | sys::MOUNT_ATTR_NOEXEC;

/// Mounts the template and returns its path. Everything in it belongs to `owner`, the step's user id in the spawner's
/// user namespace.
pub(crate) fn mount(owner: u32) -> Result<PathBuf, Error> {
    // As a slave, this namespace receives later mounts of the host, while none of its own mounts propagates back.
    old_mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .context("stop the propagation of mounts to the host")?;
    let template = first_directory(&MOUNT_POINTS)?;
    attach_at(&new_tmpfs(BYTES, INODES, "0755")?, template)?;
    proc::write_template(template)?;
    chown_tree(template, owner).context("give the template to the step's user")?;
    dev::write_template(template, owner)?;
    set_attributes(template, ATTRIBUTES)?;
    Ok(template.to_owned())
}

/// Sets attributes of the mount at `path`. Later binds of it inherit them.
pub(super) fn set_attributes(path: &Path, attributes: u64) -> Result<(), Error> {
    let operation = || format!("restrict the mount at `{}`", path.display());
    let mount = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).with_context(operation)?;
    sys::mount_setattr(mount.as_fd(), attributes, None, false).with_context(operation)
}

/// Changes user and group of a directory and everything below it, never through a symbolic link. No other process may
/// write to the directory at the same time.
pub(crate) fn chown_tree(path: &Path, user: u32) -> std::io::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let dir = File::from(open(path, flags, Mode::empty())?);
    if dir.metadata()?.uid() != user {
        fchown(&dir, Some(user), Some(user))?;
    }
    for entry in fs::read_dir(format!("/proc/self/fd/{}", dir.as_raw_fd()))? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => chown_tree(&entry.path(), user)?,
            false => lchown(entry.path(), Some(user), Some(user))?,
        }
    }
    Ok(())
}
