//! Attaching mounts below the new root, without ever following a link: a link in a source must not lead to the host.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use nix::fcntl::{AT_FDCWD, OFlag, open, openat};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, mkdirat};

use super::copied;
use crate::error::Doing;
use crate::{Error, Mount, MountKind, Request, sys};

const RESTRICTED: u64 = sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV;

/// Attaches every mount of the request in its order. `sources` has one for each mount that has a source.
pub fn attach_all(request: &Request, sources: Vec<OwnedFd>) -> Result<(), Error> {
    let root =
        open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).doing("open the root")?;
    let mut sources = sources.into_iter();
    let mut source = || sources.next().ok_or_else(|| Error::Request("fewer sources than mounts".to_owned()));
    for Mount { at: path, kind } in &request.mounts {
        let at = directory(root.as_fd(), path)?;
        let tree = match kind {
            MountKind::ReadOnly { .. } | MountKind::Writable { .. } => source()?,
            MountKind::Scratch { bytes, inodes } => tmpfs(*bytes, *inodes, scratch_mode(path))?,
            MountKind::Copied { entries, modified, more_bytes, more_inodes, .. } => {
                let (bytes, inodes) = copied::size(entries);
                let (bytes, inodes) = (bytes.saturating_add(*more_bytes), inodes.saturating_add(*more_inodes));
                let tree = tmpfs(bytes, inodes, "0755")?;
                copied::fill(&tree, entries, &source()?, *modified)?;
                tree
            }
        };
        attach(&tree, at.as_fd()).doing_with(|| format!("mount on `{}`", path.display()))?;
    }
    Ok(())
}

/// A temporary file system, detached, whose root belongs to the step's user.
pub fn tmpfs(bytes: u64, inodes: u64, mode: &str) -> Result<OwnedFd, Error> {
    let text = |value: String| CString::new(value).expect("numbers and modes hold no null byte");
    let (size, inodes, mode) = (text(bytes.to_string()), text(inodes.to_string()), text(mode.to_owned()));
    let options = [(c"size", Some(&*size)), (c"nr_inodes", Some(&*inodes)), (c"mode", Some(&*mode))];
    sys::new_mount(c"tmpfs", &options, RESTRICTED).doing("make a temporary file system")
}

pub fn attach(mount: &OwnedFd, at: BorrowedFd<'_>) -> std::io::Result<()> {
    sys::move_mount(mount.as_fd(), at)
}

/// Attaches on a path of our own making, outside or below the new root.
pub fn attach_at(mount: &OwnedFd, at: &Path) -> Result<(), Error> {
    sys::move_mount_to(mount.as_fd(), &c_path(at)?).doing_with(|| format!("mount on `{}`", at.display()))
}

/// Shows `source`, a path of ours or a device of the host, at `at`, which exists. Attributes are inherited. By the old
/// call: it is one instead of three, and `/proc` alone takes fifty.
pub fn bind(source: &Path, at: &Path) -> Result<(), Error> {
    mount(Some(source), at, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .doing_with(|| format!("show `{}` at `{}`", source.display(), at.display()))
}

/// Shows `source` with everything mounted below it.
pub fn bind_all(source: &Path, at: &Path) -> Result<(), Error> {
    let doing = || format!("show `{}` at `{}`", source.display(), at.display());
    let tree = sys::open_tree(AT_FDCWD, &c_path(source)?, true).doing_with(doing)?;
    sys::move_mount_to(tree.as_fd(), &c_path(at)?).doing_with(doing)
}

/// Shows `source` with attributes of its own.
pub fn bind_with(source: &Path, at: &Path, attributes: u64) -> Result<(), Error> {
    let doing = || format!("show `{}` at `{}`", source.display(), at.display());
    let tree = sys::open_tree(AT_FDCWD, &c_path(source)?, false).doing_with(doing)?;
    sys::mount_setattr(tree.as_fd(), attributes, None, false).doing_with(doing)?;
    sys::move_mount_to(tree.as_fd(), &c_path(at)?).doing_with(doing)
}

/// The directory `path` below `root`, made where it is missing.
fn directory(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Error> {
    let bad = |why: &str| Error::Request(format!("mount point `{}` {why}", path.display()));
    let mut dir = root.try_clone_to_owned().doing("duplicate the root")?;
    let mut components = path.components();
    if components.next() != Some(Component::RootDir) {
        return Err(bad("is not absolute"));
    }
    if path.parent().is_none() {
        return Err(bad("is the root, which is ours"));
    }
    for component in components {
        let Component::Normal(name) = component else { return Err(bad("is not a clean path")) };
        let made = match mkdirat(&dir, name, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(nix::Error::EEXIST) => Ok(()),
            other => other,
        };
        made.doing_with(|| format!("make the mount point `{}`", path.display()))?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        dir = match openat(&dir, name, flags, Mode::empty()) {
            Err(nix::Error::ENOTDIR | nix::Error::ELOOP) => return Err(bad("passes through a link or a file")),
            other => other.doing_with(|| format!("open the mount point `{}`", path.display()))?,
        };
    }
    Ok(dir)
}

/// Sticky and open to all where every program expects it.
fn scratch_mode(at: &Path) -> &'static str {
    if at == Path::new("/tmp") { "1777" } else { "0755" }
}

pub fn c_path(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::Request(format!("path `{}` holds a null byte", path.display())))
}
