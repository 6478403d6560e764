//! Attaching mounts below the new root. Mount points are resolved without following symbolic links, because a link in a
//! source could lead to the host.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use nix::fcntl::{AT_FDCWD, OFlag, open, openat};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, mkdirat};

use super::copied;
use crate::error::Context;
use crate::kernel::unsupported_root;
use crate::{Error, Mount, MountKind, Request, sys};

const RESTRICTED: u64 = sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV;

/// Attaches the mounts of the request in order. `sources` has one detached mount for each of them that has a source.
pub(super) fn attach_all(request: &Request, sources: Vec<OwnedFd>) -> Result<(), Error> {
    let root =
        open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).context("open the root")?;
    let mut sources = sources.into_iter();
    let mut source = || sources.next().ok_or_else(|| Error::Request("fewer sources than mounts".to_owned()));
    for Mount { at: path, kind } in &request.mounts {
        let at = create_mount_point(root.as_fd(), path)?;
        let tree = match kind {
            MountKind::ReadOnly { .. } | MountKind::Writable { .. } => source()?,
            MountKind::Scratch { bytes, inodes } => new_tmpfs(*bytes, *inodes, scratch_mode(path))?,
            MountKind::Copied { entries, reversed, read_only, modified, more_bytes, more_inodes, .. } => {
                let (bytes, inodes) = copied::required_size(entries);
                let (bytes, inodes) = (bytes.saturating_add(*more_bytes), inodes.saturating_add(*more_inodes));
                let tree = new_tmpfs(bytes, inodes, "0755")?;
                let form = copied::Form { reversed: *reversed, read_only: *read_only, modified: *modified };
                copied::copy_entries(&tree, entries, form, &source()?)?;
                if *read_only {
                    sys::mount_setattr(tree.as_fd(), sys::MOUNT_ATTR_RDONLY | RESTRICTED, None, false)
                        .context("make a copied tree read-only")?;
                }
                tree
            }
        };
        sys::move_mount(tree.as_fd(), at.as_fd()).with_context(|| format!("mount on `{}`", path.display()))?;
    }
    Ok(())
}

/// Creates a detached tmpfs whose root belongs to the calling user. `mode` is octal text.
pub(super) fn new_tmpfs(bytes: u64, inodes: u64, mode: &str) -> Result<OwnedFd, Error> {
    let text = |value: String| CString::new(value).expect("numbers and modes contain no null byte");
    let (size, inodes, mode) = (text(bytes.to_string()), text(inodes.to_string()), text(mode.to_owned()));
    let options = [(c"size", Some(&*size)), (c"nr_inodes", Some(&*inodes)), (c"mode", Some(&*mode))];
    sys::new_mount(c"tmpfs", &options, RESTRICTED).context("create a temporary file system")
}

/// Attaches a detached mount at a path without untrusted symbolic links.
pub(super) fn attach_at(mount: &OwnedFd, at: &Path) -> Result<(), Error> {
    sys::move_mount_to(mount.as_fd(), &c_path(at)?).with_context(|| format!("mount on `{}`", at.display()))
}

/// Returns the first of these paths that is a directory.
pub(super) fn first_directory<'p>(candidates: &[&'p str]) -> Result<&'p Path, Error> {
    let found = candidates.iter().copied().map(Path::new).find(|path| path.is_dir());
    found.ok_or_else(|| Error::Unsupported(unsupported_root(candidates)))
}

/// Binds `source`, which is part of the template, to the existing path `at`. Attributes are inherited. Uses mount(2),
/// because that is one call instead of three, and `/proc` alone has about fifty binds.
pub(super) fn bind(source: &Path, at: &Path) -> Result<(), Error> {
    mount(Some(source), at, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .with_context(|| format!("bind `{}` to `{}`", source.display(), at.display()))
}

/// Binds `source` and everything mounted below it.
pub(super) fn bind_recursive(source: &Path, at: &Path) -> Result<(), Error> {
    let operation = || format!("bind `{}` to `{}`", source.display(), at.display());
    let tree = sys::open_tree(AT_FDCWD, &c_path(source)?, true).with_context(operation)?;
    sys::move_mount_to(tree.as_fd(), &c_path(at)?).with_context(operation)
}

/// Binds `source` with additional attributes.
pub(super) fn bind_with_attributes(source: &Path, at: &Path, attributes: u64) -> Result<(), Error> {
    let operation = || format!("bind `{}` to `{}`", source.display(), at.display());
    let tree = sys::open_tree(AT_FDCWD, &c_path(source)?, false).with_context(operation)?;
    sys::mount_setattr(tree.as_fd(), attributes, None, false).with_context(operation)?;
    sys::move_mount_to(tree.as_fd(), &c_path(at)?).with_context(operation)
}

/// Opens the directory `path` below `root`; creates it and its parents where they are missing.
fn create_mount_point(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Error> {
    let invalid = |reason: &str| Error::Request(format!("mount point `{}` {reason}", path.display()));
    let mut dir = root.try_clone_to_owned().context("duplicate the root's descriptor")?;
    let mut components = path.components();
    if components.next() != Some(Component::RootDir) {
        return Err(invalid("is not absolute"));
    }
    if path.parent().is_none() {
        return Err(invalid("is the root directory, which cannot be replaced"));
    }
    for component in components {
        let Component::Normal(name) = component else { return Err(invalid("contains `..`")) };
        let created = match mkdirat(&dir, name, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(nix::Error::EEXIST) => Ok(()),
            other => other,
        };
        created.with_context(|| format!("create the mount point `{}`", path.display()))?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        dir = match openat(&dir, name, flags, Mode::empty()) {
            Err(nix::Error::ENOTDIR | nix::Error::ELOOP) => return Err(invalid("passes through a link or a file")),
            other => other.with_context(|| format!("open the mount point `{}`", path.display()))?,
        };
    }
    Ok(dir)
}

/// `/tmp` has the usual mode, writable for all and with the sticky bit.
fn scratch_mode(at: &Path) -> &'static str {
    if ["/tmp", "/dev/shm"].iter().any(|shared| at == Path::new(shared)) { "1777" } else { "0755" }
}

fn c_path(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::Request(format!("path `{}` contains a null byte", path.display())))
}
