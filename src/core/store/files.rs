//! The system calls with which the store changes its files. They all go through here, so that a test can make each of them fail,
//! or end the process or the power at any of them (`faults`). What is written, and when it is synced, is decided by the callers.

use std::fs;
use std::fs::{DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat, renameat2};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

use crate::store::faults::{self, Operation};
use crate::store::objects::durable::FIXED_MTIME_SECONDS;

/// Repeats a system call while signals interrupt it. Few of them can be interrupted, and only on some file systems (signal(7)).
fn uninterrupted<T>(operation: Operation, path: &Path, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match faults::reach(operation, path).and_then(|()| call()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Creates a file that must not exist yet.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let file = uninterrupted(Operation::Create, path, || options.open(path))?;
    faults::created(path);
    Ok(file)
}

/// Opens a file or directory for reading.
pub(super) fn open(path: &Path) -> io::Result<File> {
    uninterrupted(Operation::Open, path, || File::open(path))
}

/// Precedes the reads of a whole file, which the caller makes itself.
pub(super) fn before_read(path: &Path) -> io::Result<()> {
    uninterrupted(Operation::Read, path, || Ok(()))
}

/// Reads from an open file. `path` is for faults only.
pub(super) fn read(mut file: impl Read, path: &Path, buffer: &mut [u8]) -> io::Result<usize> {
    uninterrupted(Operation::Read, path, || file.read(buffer))
}

/// Writes all bytes to an open file.
pub(super) fn write_all(mut file: &File, path: &Path, mut bytes: &[u8]) -> io::Result<()> {
    faults::written(path);
    while !bytes.is_empty() {
        let count = uninterrupted(Operation::Write, path, || file.write(&bytes[..faults::at_most(bytes.len())]))?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[count..];
    }
    Ok(())
}

/// Sets the mode of an open file or directory.
pub(super) fn set_mode_of(file: &File, path: &Path, mode: u32) -> io::Result<()> {
    faults::written(path);
    uninterrupted(Operation::SetMetadata, path, || file.set_permissions(Permissions::from_mode(mode)))
}

/// Sets the mode of a file or directory.
pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    uninterrupted(Operation::SetMetadata, path, || fs::set_permissions(path, Permissions::from_mode(mode)))
}

/// Sets the fixed modification time of an open file.
pub(super) fn fix_time_of(file: &File, path: &Path) -> io::Result<()> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(FIXED_MTIME_SECONDS.unsigned_abs());
    uninterrupted(Operation::SetMetadata, path, || file.set_times(FileTimes::new().set_modified(time)))
}

/// Sets the fixed modification time of a directory or link.
pub(super) fn fix_time(path: &Path, follow: UtimensatFlags) -> io::Result<()> {
    let time = TimeSpec::new(FIXED_MTIME_SECONDS, 0);
    let call = || utimensat(AT_FDCWD, path, &time, &time, follow).map_err(io::Error::from);
    uninterrupted(Operation::SetMetadata, path, call)
}

/// Creates a directory.
pub(super) fn create_dir(path: &Path, mode: u32) -> io::Result<()> {
    uninterrupted(Operation::CreateDirectory, path, || DirBuilder::new().mode(mode).create(path))?;
    faults::linked(path);
    Ok(())
}

/// Creates a hard link to `from` at `to`.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    uninterrupted(Operation::Link, to, || fs::hard_link(from, to))?;
    faults::linked(to);
    Ok(())
}

/// Creates a symbolic link.
pub(super) fn symlink(target: &str, path: &Path) -> io::Result<()> {
    uninterrupted(Operation::Link, path, || std::os::unix::fs::symlink(target, path))?;
    faults::linked(path);
    Ok(())
}

/// Moves a file or directory. An existing one is replaced.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    faults::replacing(to);
    uninterrupted(Operation::Rename, to, || fs::rename(from, to))?;
    faults::renamed(from, to);
    Ok(())
}

/// Moves a file to a path at which nothing exists. If something does, only `from` is removed.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    let call = || renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE);
    match uninterrupted(Operation::Rename, to, || Ok(call())) {
        Ok(Err(Errno::EEXIST)) => remove(from),
        // renameat2(2): some file systems do not support the flag.
        Ok(Err(Errno::EINVAL)) => {
            uninterrupted(Operation::Rename, to, || renameat(AT_FDCWD, from, AT_FDCWD, to).map_err(io::Error::from))
        }
        Ok(Ok(())) => {
            faults::renamed(from, to);
            Ok(())
        }
        Ok(Err(errno)) => Err(errno.into()),
        Err(error) => Err(error),
    }
}

/// Exchanges two directories.
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let call = || renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE).map_err(io::Error::from);
    uninterrupted(Operation::Rename, other, call)?;
    faults::exchanged(one, other);
    Ok(())
}

/// Removes a file.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    uninterrupted(Operation::Remove, path, || fs::remove_file(path))?;
    faults::removed(path);
    Ok(())
}

/// Syncs a file, or the entries of a directory.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    let file = open(path)?;
    uninterrupted(Operation::Sync, path, || file.sync_all())?;
    faults::synced(path);
    Ok(())
}

/// Syncs the whole file system of a directory.
pub(super) fn sync_file_system(dir: &Path) -> io::Result<()> {
    let file = open(dir)?;
    uninterrupted(Operation::Sync, dir, || nix::unistd::syncfs(&file).map_err(io::Error::from))?;
    faults::synced_all();
    Ok(())
}
