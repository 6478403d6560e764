//! Removal of a directory and its contents through directory handles. It follows no link, even if entries are exchanged during the
//! removal.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::store::error::{Error, Result};
use crate::store::faults::{self, Operation};

/// Removes `path`: a directory of any depth, a file or a link. A missing path is not an error.
///
/// Subdirectories are moved to the top before they are emptied, so that any depth needs only two open directories and no
/// recursion.
pub fn remove_tree(path: &Path) -> Result<()> {
    let failed = |errno: Errno| Error::io("remove", path)(errno.into());
    faults::reach(Operation::Remove, path).map_err(Error::io("remove", path))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name() else {
        return Err(Error::io("remove", path)(io::ErrorKind::InvalidInput.into()));
    };
    let parent = match File::open(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(Error::io("open", parent))?,
    };
    let name = std::ffi::CString::new(name.as_encoded_bytes()).map_err(|_| failed(Errno::EINVAL))?;
    match is_directory(&parent, &name, None) {
        Err(Errno::ENOENT) => Ok(()),
        Ok(false) => unlinkat(&parent, name.as_c_str(), UnlinkatFlags::NoRemoveDir).map_err(failed),
        Ok(true) => empty(&parent, &name)
            .and_then(|()| unlinkat(&parent, name.as_c_str(), UnlinkatFlags::RemoveDir))
            .map_err(failed),
        Err(errno) => Err(failed(errno)),
    }
}

/// Empties the directory `name` of `parent`.
fn empty(parent: &File, name: &CStr) -> nix::Result<()> {
    let top = enter(parent, name)?;
    let mut next = 0_u64;
    let mut moved = clear(&top, &top, &mut next)?;
    while let Some(name) = moved.pop() {
        let dir = enter(&top, &name)?;
        moved.extend(clear(&dir, &top, &mut next)?);
        unlinkat(&top, name.as_c_str(), UnlinkatFlags::RemoveDir)?;
    }
    Ok(())
}

/// Removes all entries of `dir`. Directories that are not empty are moved to `top`; their new names are returned.
fn clear(dir: &impl AsFd, top: &impl AsFd, next: &mut u64) -> nix::Result<Vec<std::ffi::CString>> {
    // All names are read before the first removal: the result of readdir(3) is unspecified if the directory changes.
    let listing = openat(dir, c".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let entries = Dir::from_fd(listing)?.into_iter().collect::<nix::Result<Vec<_>>>()?;
    let mut moved = Vec::new();
    for entry in entries {
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if !is_directory(dir, name, entry.file_type())? {
            unlinkat(dir, name, UnlinkatFlags::NoRemoveDir)?;
            continue;
        }
        match unlinkat(dir, name, UnlinkatFlags::RemoveDir) {
            Ok(()) => {}
            Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::EACCES) => match lift(dir, name, top, next) {
                // An overlay cannot move directories of its lower layers.
                Err(Errno::EXDEV) => {
                    moved.extend(clear(&enter(dir, name)?, top, next)?);
                    unlinkat(dir, name, UnlinkatFlags::RemoveDir)?;
                }
                lifted => moved.push(lifted?),
            },
            Err(errno) => return Err(errno),
        }
    }
    Ok(moved)
}

/// Moves a directory to `top` under a free name, which is returned. This needs write permission on the moved directory itself.
fn lift(dir: &impl AsFd, name: &CStr, top: &impl AsFd, next: &mut u64) -> nix::Result<std::ffi::CString> {
    fchmodat(dir, name, Mode::S_IRWXU, FchmodatFlags::NoFollowSymlink)?;
    loop {
        let free = std::ffi::CString::new(format!(".removed.{next}")).map_err(|_| Errno::EINVAL)?;
        *next += 1;
        if fstatat(top, free.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) == Err(Errno::ENOENT) {
            renameat(dir, name, top, free.as_c_str())?;
            return Ok(free);
        }
    }
}

/// Opens a directory after making it accessible to its owner.
fn enter(parent: &impl AsFd, name: &CStr) -> nix::Result<std::os::fd::OwnedFd> {
    fchmodat(parent, name, Mode::S_IRWXU, FchmodatFlags::NoFollowSymlink)?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

fn is_directory(dir: &impl AsFd, name: &CStr, known: Option<Type>) -> nix::Result<bool> {
    if let Some(kind) = known {
        return Ok(kind == Type::Directory);
    }
    let stat = fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok(SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFDIR)
}
