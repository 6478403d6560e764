//! The new root: a small tmpfs that is read-only once set up, and the way into it. What is mounted on it is elsewhere.

use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, pivot_root};

use super::mount::{attach_at, tmpfs};
use crate::error::Doing;
use crate::{Error, sys};

/// A place of the host where the new root grows, in our own mount namespace.
const PLACES: [&str; 4] = ["/tmp", "/run", "/mnt", "/var"];
const ROOT_BYTES: u64 = 4 << 20;
const ROOT_INODES: u64 = 4096;

pub struct Stage {
    /// The new root's path while the old one is still there.
    pub front: PathBuf,
}

pub fn stage() -> Result<Stage, Error> {
    let recursive_private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, recursive_private, None::<&str>).doing("make the mounts private")?;
    let place = PLACES.iter().map(Path::new).find(|place| place.is_dir());
    let place = place.ok_or_else(|| Error::Request(format!("none of {PLACES:?} is a directory")))?;
    attach_at(&tmpfs(ROOT_BYTES, ROOT_INODES, "0755")?, place)?;
    Ok(Stage { front: place.to_owned() })
}

/// Leaves the host's mounts behind for good. From here on every path is inside.
pub fn pivot(stage: Stage) -> Result<(), Error> {
    chdir(&stage.front).doing("enter the new root")?;
    // With both paths the same the old root ends up on top of the new one: pivot_root(2), NOTES.
    pivot_root(".", ".").doing("pivot into the new root")?;
    umount2(".", MntFlags::MNT_DETACH).doing("leave the old root")?;
    chdir("/").doing("enter the root")
}

/// `/bin` and its like, where a system tree at `/usr` has them.
pub fn link_merged_usr() -> Result<(), Error> {
    for name in ["bin", "lib", "lib32", "lib64", "libx32", "sbin"] {
        let link = Path::new("/").join(name);
        let target = Path::new("usr").join(name);
        if Path::new("/").join(&target).symlink_metadata().is_ok() && link.symlink_metadata().is_err() {
            symlink(&target, &link).doing_with(|| format!("link `/{name}`"))?;
        }
    }
    Ok(())
}

/// Nothing in the root itself changes any more; what is mounted on it has its own say.
pub fn seal() -> Result<(), Error> {
    let root =
        open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).doing("open the root")?;
    sys::mount_setattr(root.as_fd(), sys::MOUNT_ATTR_RDONLY, None, false).doing("make the root read-only")
}
