//! What all cells show alike, made once a run in the spawner's mount namespace: a new mount namespace inherits it, so that
//! a cell only binds from it. Read-only before the first cell is opened; nothing of any step is ever in it.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, fchown, lchown};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;

use super::mount::{attach_at, tmpfs};
use super::{dev, proc};
use crate::error::Doing;
use crate::{Error, sys};

/// Directories of the host that the template may cover in the spawner's namespace: none that a source is likely in.
const PLACES: [&str; 5] = ["/sys/kernel", "/sys", "/boot", "/media", "/mnt"];
const BYTES: u64 = 4 << 20;
const INODES: u64 = 256;
const ATTRIBUTES: u64 =
    sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV | sys::MOUNT_ATTR_NOEXEC;

/// Where it is. All in it belongs to `owner`, the step's user as we see it.
pub fn make(owner: u32) -> Result<PathBuf, Error> {
    // Later mounts of the host still reach us, none of ours reaches the host.
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .doing("keep our mounts to ourselves")?;
    let place = PLACES.iter().map(Path::new).find(|place| place.is_dir());
    let place = place.ok_or_else(|| Error::Request(format!("none of {PLACES:?} is a directory")))?;
    attach_at(&tmpfs(BYTES, INODES, "0755")?, place)?;
    proc::write_template(place)?;
    give(place, owner).doing("give the template to the step's user")?;
    dev::write_template(place, owner)?;
    restrict(place, ATTRIBUTES)?;
    Ok(place.to_owned())
}

/// Sets attributes on the mount at `path`; whatever is bound from it inherits them.
pub fn restrict(path: &Path, attributes: u64) -> Result<(), Error> {
    let doing = || format!("restrict the mount at `{}`", path.display());
    let mount = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).doing_with(doing)?;
    sys::mount_setattr(mount.as_fd(), attributes, None, false).doing_with(doing)
}

/// Changes owners in and below a directory that nobody else writes to now. Never through links.
pub fn give(path: &Path, user: u32) -> std::io::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let dir = File::from(open(path, flags, Mode::empty())?);
    if dir.metadata()?.uid() != user {
        fchown(&dir, Some(user), Some(user))?;
    }
    for entry in fs::read_dir(format!("/proc/self/fd/{}", dir.as_raw_fd()))? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => give(&entry.path(), user)?,
            false => lchown(entry.path(), Some(user), Some(user))?,
        }
    }
    Ok(())
}
