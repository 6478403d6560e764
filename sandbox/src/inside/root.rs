//! The new root of a container: a small tmpfs that becomes read-only after setup, and the change into it. Its mounts
//! are in other modules.

use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, pivot_root};

use super::mount::{attach_at, first_directory, new_tmpfs};
use crate::error::Context;
use crate::{Error, sys};

/// Host directories at which the new root may be mounted in the container's mount namespace. The first that exists is
/// used.
const MOUNT_POINTS: [&str; 4] = ["/tmp", "/run", "/mnt", "/var"];
const ROOT_BYTES: u64 = 4 << 20;
const ROOT_INODES: u64 = 4096;

/// The new root while the old one is still in place.
pub(super) struct NewRoot {
    /// Its path below the old root.
    pub(super) path: PathBuf,
}

pub(super) fn mount_new() -> Result<NewRoot, Error> {
    let recursive_private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, recursive_private, None::<&str>).context("make the mounts private")?;
    let path = first_directory(&MOUNT_POINTS)?;
    attach_at(&new_tmpfs(ROOT_BYTES, ROOT_INODES, "0755")?, path)?;
    Ok(NewRoot { path: path.to_owned() })
}

/// Changes the root and unmounts the host's. From here on every path is a path inside the sandbox.
pub(super) fn pivot(root: NewRoot) -> Result<(), Error> {
    chdir(&root.path).context("enter the new root")?;
    // If both paths are the same, the old root is stacked on top of the new one: pivot_root(2), NOTES.
    pivot_root(".", ".").context("pivot into the new root")?;
    umount2(".", MntFlags::MNT_DETACH).context("unmount the old root")?;
    chdir("/").context("enter the root")
}

/// Links `/bin`, `/lib` and the like to their directories below `/usr`, if these exist.
pub(super) fn link_merged_usr() -> Result<(), Error> {
    for name in ["bin", "lib", "lib32", "lib64", "libx32", "sbin"] {
        let link = Path::new("/").join(name);
        let target = Path::new("usr").join(name);
        if Path::new("/").join(&target).symlink_metadata().is_ok() && link.symlink_metadata().is_err() {
            symlink(&target, &link).with_context(|| format!("link `/{name}`"))?;
        }
    }
    Ok(())
}

/// Makes the root itself read-only. The mounts below it keep their own attributes.
pub(super) fn seal() -> Result<(), Error> {
    let root =
        open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).context("open the root")?;
    sys::mount_setattr(root.as_fd(), sys::MOUNT_ATTR_RDONLY, None, false).context("make the root read-only")
}
