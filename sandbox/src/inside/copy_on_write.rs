//! A writable view of a directory that leaves it alone. An overlay with its upper layer in memory where the step owns
//! the tree and may write to it by mode; else a copy in memory in which it does: no capability is lent to the step
//! for this.

use std::ffi::CString;
use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::mount::{attach_at, c_path, flag, tmpfs};
use nix::mount::{MntFlags, umount2};

use crate::error::Doing;
use crate::ground::INSIDE;
use crate::{Error, sys};

/// Where layers are put together, out of everybody's sight before and after.
const STAGE: &str = "/.stage";
const STAGE_BYTES: u64 = 1 << 20;
const STAGE_INODES: u64 = 64;
const PAGE: u64 = 4096;

/// A detached mount over `lower`, with room for so many bytes and inodes of changes.
pub fn make(lower: OwnedFd, bytes: u64, inodes: u64) -> Result<OwnedFd, Error> {
    let stage = Path::new(STAGE);
    fs::create_dir(stage).doing("make a stage")?;
    attach_at(&tmpfs(STAGE_BYTES, STAGE_INODES, "0755")?, stage)?;
    let tree = layered(&lower, stage, bytes, inodes)?;
    // The layers live on in what was made of them.
    umount2(stage, MntFlags::MNT_DETACH).doing("clear the stage")?;
    fs::remove_dir(stage).doing("remove the stage")?;
    Ok(tree)
}

fn layered(lower: &OwnedFd, stage: &Path, bytes: u64, inodes: u64) -> Result<OwnedFd, Error> {
    let (low, up) = (stage.join("lower"), stage.join("upper"));
    for dir in [&low, &up] {
        fs::create_dir(dir).doing("make a place for a layer")?;
    }
    attach_at(lower, &low)?;
    let top = fs::metadata(&low).doing("look at the lower layer")?;
    if top.uid() == INSIDE && top.mode() & 0o200 != 0 {
        attach_at(&tmpfs(bytes, inodes, "0755")?, &up)?;
        if let Ok(overlay) = overlay(&low, &up)? {
            return Ok(overlay);
        }
    }
    copied(&low, &stage.join("copy"), bytes, inodes)
}

/// The inner error says that this kernel or file system does not stack.
fn overlay(low: &Path, up: &Path) -> Result<io::Result<OwnedFd>, Error> {
    let (upper, work) = (up.join("upper"), up.join("work"));
    for dir in [&upper, &work] {
        fs::create_dir(dir).doing("make an upper layer")?;
    }
    fs::metadata(low).and_then(|top| own(&upper, &top)).doing("copy the top's mode and time")?;
    let options: [CString; 3] = [c_path(low)?, c_path(&upper)?, c_path(&work)?];
    let options = [
        (c"lowerdir", Some(&*options[0])),
        (c"upperdir", Some(&*options[1])),
        (c"workdir", Some(&*options[2])),
        flag(c"userxattr"),
    ];
    Ok(sys::new_mount(c"overlay", &options, sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV))
}

fn copied(low: &Path, place: &Path, bytes: u64, inodes: u64) -> Result<OwnedFd, Error> {
    let doing = "copy the tree that a step may write to";
    let (more_bytes, more_inodes) = measure(low).doing(doing)?;
    let tree = tmpfs(bytes + more_bytes, inodes + more_inodes, "0755")?;
    fs::create_dir(place).doing("make a place for the copy")?;
    // A mount cannot be moved off the stage while its descriptor is the only handle we keep: fill it attached, then
    // hand out a copy of the mount.
    attach_at(&tree, place)?;
    copy_dir(low, place).doing(doing)?;
    sys::open_tree(nix::fcntl::AT_FDCWD, &c_path(place)?, false).doing("take the copy from the stage")
}

/// Bytes in whole pages and inodes below a directory.
fn measure(dir: &Path) -> io::Result<(u64, u64)> {
    let mut total = (0, 1);
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (bytes, inodes) = match entry.file_type()?.is_dir() {
            true => measure(&entry.path())?,
            false => (entry.metadata()?.len().next_multiple_of(PAGE), 1),
        };
        total = (total.0 + bytes, total.1 + inodes);
    }
    Ok(total)
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, dest, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            fs::create_dir(&dest)?;
            copy_dir(&source, &dest)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &dest)?;
        } else if kind.is_file() {
            fs::copy(&source, &dest)?;
            own(&dest, &entry.metadata()?)?;
        }
    }
    own(to, &fs::metadata(from)?)
}

/// The same mode and time, but writable by its owner.
fn own(dest: &Path, like: &fs::Metadata) -> io::Result<()> {
    fs::set_permissions(dest, Permissions::from_mode(like.mode() & 0o777 | 0o200))?;
    File::open(dest)?.set_times(FileTimes::new().set_modified(like.modified()?).set_accessed(like.modified()?))
}
