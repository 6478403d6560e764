//! Capturing: stores a directory that a process wrote as a tree, through directory handles. It follows no link, opens no device,
//! and refuses entries that a tree cannot represent or must not contain.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use super::batch::Batch;
use super::links;
use super::tree::{Node, Tree};
use crate::base::{Digest, RelPath};
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

/// Limits of a captured directory. Exceeding one is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureLimits {
    /// Levels of directories.
    pub depth: usize,
    /// Files, directories and links together.
    pub entries: usize,
    /// Sum of the sizes of all files.
    pub bytes: u64,
}

impl Default for CaptureLimits {
    fn default() -> CaptureLimits {
        CaptureLimits { depth: 128, entries: 500_000, bytes: 16 << 30 }
    }
}

impl Store {
    /// Stores everything below `dir` as a tree. All processes that can write there must have ended. Contents are copied, so a file
    /// handle that is still open elsewhere cannot change the stored bytes.
    pub fn capture(&self, dir: &Path, limits: &CaptureLimits) -> Result<Digest> {
        let batch = self.batch();
        let digest = batch.capture(dir, limits)?;
        batch.commit()?;
        Ok(digest)
    }
}

impl Batch<'_> {
    /// Like `Store::capture`, but published with the batch. It is cheaper to drop a `Scratch` before the commit, since files that are
    /// removed early are never written to the disk.
    pub fn capture(&self, dir: &Path, limits: &CaptureLimits) -> Result<Digest> {
        self.capture_with(dir, limits, Tree::default())
    }

    /// Like `capture`, with additional nodes in the same tree. Their blobs must be in the store.
    pub fn capture_with(&self, dir: &Path, limits: &CaptureLimits, extra: Tree) -> Result<Digest> {
        let root = File::open(dir).map_err(Error::io("open", dir))?;
        let mut capture = Capture { batch: self, root: root.into(), limits, entries: 0, bytes: 0, tree: extra };
        capture.walk()?;
        if let Some((path, target)) = links::first_escaping(&capture.tree) {
            return Err(refuse(path, &format!("it is a link to `{target}`, which is outside the captured directory")));
        }
        self.put_tree(&capture.tree)
    }
}

struct Capture<'c> {
    batch: &'c Batch<'c>,
    root: OwnedFd,
    limits: &'c CaptureLimits,
    entries: usize,
    bytes: u64,
    tree: Tree,
}

impl Capture<'_> {
    /// Directories are queued and opened again from the root, so that a deep directory needs neither recursion nor many handles.
    fn walk(&mut self) -> Result<()> {
        let mut left = vec![RelPath::root()];
        while let Some(path) = left.pop() {
            if path.components().count() > self.limits.depth {
                return Err(refuse(&path, &format!("it is deeper than {} directories", self.limits.depth)));
            }
            let name = if path.is_root() { "." } else { path.as_str() };
            let dir = open_beneath(&self.root, name, OFlag::O_DIRECTORY).map_err(failed("open", &path))?;
            refuse_attributes(&dir, &path)?;
            let before = self.entries;
            self.list(dir, &path, &mut left)?;
            if self.entries == before && !path.is_root() {
                self.tree.nodes.insert(path, Node::EmptyDirectory);
            }
        }
        Ok(())
    }

    fn list(&mut self, dir: OwnedFd, path: &RelPath, left: &mut Vec<RelPath>) -> Result<()> {
        let handle = dir.try_clone().map_err(Error::io("open", path))?;
        for entry in Dir::from_fd(dir).map_err(failed("list", path))?.into_iter() {
            let entry = entry.map_err(failed("list", path))?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(refuse(path, &format!("there are more than {} entries", self.limits.entries)));
            }
            let text = name.to_str().map_err(|_| {
                refuse(path, &format!("it contains the name `{}`, which is not UTF-8", name.to_bytes().escape_ascii()))
            })?;
            let path = path.push(text).map_err(|error| refuse(path, &error.to_string()))?;
            self.enter(&handle, name, path, left)?;
        }
        Ok(())
    }

    fn enter(&mut self, dir: &OwnedFd, name: &CStr, path: RelPath, left: &mut Vec<RelPath>) -> Result<()> {
        let stat = fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(failed("read the metadata of", &path))?;
        refuse_mode(&stat, &path)?;
        match kind(&stat) {
            SFlag::S_IFDIR => left.push(path),
            SFlag::S_IFREG => {
                let node = self.file(dir, name, &path)?;
                self.tree.nodes.insert(path, node);
            }
            SFlag::S_IFLNK => {
                let target = readlinkat(dir, name).map_err(failed("read the link", &path))?;
                let target =
                    target.into_string().map_err(|_| refuse(&path, "it is a link whose target is not UTF-8"))?;
                self.tree.nodes.insert(path, Node::Symlink { target });
            }
            SFlag::S_IFIFO => return Err(refuse(&path, "it is a FIFO")),
            SFlag::S_IFSOCK => return Err(refuse(&path, "it is a socket")),
            _ => return Err(refuse(&path, "it is a device")),
        }
        Ok(())
    }

    fn file(&mut self, dir: &OwnedFd, name: &CStr, path: &RelPath) -> Result<Node> {
        // If the name is replaced by a FIFO now, a non-blocking open still returns, and the check below refuses the FIFO.
        let fd = open_beneath(dir, name, OFlag::O_NONBLOCK | OFlag::O_NOCTTY).map_err(failed("open", path))?;
        let stat = fstat(&fd).map_err(failed("read the metadata of", path))?;
        refuse_mode(&stat, path)?;
        if kind(&stat) != SFlag::S_IFREG {
            return Err(refuse(path, "it changed while it was captured"));
        }
        refuse_attributes(&fd, path)?;
        let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        let too_much = || refuse(path, &format!("the sum of all files exceeds {} bytes", self.limits.bytes));
        let sum = self.bytes.checked_add(size).filter(|sum| *sum <= self.limits.bytes).ok_or_else(too_much)?;
        self.bytes = sum;
        let executable = stat.st_mode & 0o100 != 0;
        let reader = File::from(fd).take(size);
        let digest = self.batch.put_reader(reader, Path::new(path.as_str()), executable)?;
        if digest.size_bytes() != size {
            return Err(refuse(path, "it changed while it was captured"));
        }
        Ok(Node::File { digest, executable })
    }
}

/// Opens a path below a directory, never through a link.
fn open_beneath<P: ?Sized + nix::NixPath>(dir: &impl AsFd, name: &P, flags: OFlag) -> nix::Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_MAGICLINKS
        | ResolveFlag::RESOLVE_NO_XDEV;
    let flags = flags | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let how = OpenHow::new().flags(flags).resolve(resolve);
    loop {
        match openat2(dir, name, how) {
            // openat2(2): a rename elsewhere on the system raced with the resolution.
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(Errno::ENOSYS | Errno::EPERM) => return name.with_nix_path(|name| open_each(dir, name, flags))?,
            opened => return opened,
        }
    }
}

/// Opens a path component by component, for kernels and containers without openat2. Mount points are not refused, but a step
/// cannot create any.
fn open_each(dir: &impl AsFd, path: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
    let mut components =
        path.to_bytes().split(|byte| *byte == b'/').filter(|component| !component.is_empty()).peekable();
    let mut opened = openat(dir, ".", flags | OFlag::O_DIRECTORY, Mode::empty())?;
    while let Some(component) = components.next() {
        let flags = if components.peek().is_some() { flags | OFlag::O_DIRECTORY } else { flags };
        opened = openat(opened, OsStr::from_bytes(component), flags, Mode::empty())?;
    }
    Ok(opened)
}

fn refuse_mode(stat: &FileStat, path: &RelPath) -> Result<()> {
    let is_link = kind(stat) == SFlag::S_IFLNK;
    if kind(stat) != SFlag::S_IFDIR && stat.st_mode & 0o6000 != 0 {
        return Err(refuse(path, "it has a setuid or setgid bit"));
    }
    // Root could read it and other users could not. It is refused for all, so that the result does not depend on the user.
    let required = if kind(stat) == SFlag::S_IFDIR { 0o500 } else { 0o400 };
    if !is_link && stat.st_mode & required != required {
        return Err(refuse(
            path,
            &format!("its mode {:o} does not permit the owner to read it", stat.st_mode & 0o7777),
        ));
    }
    Ok(())
}

/// Extended attributes are not part of a tree. Attributes that a process can set are refused rather than lost. Labels that security
/// modules of the host add to all files are ignored.
fn refuse_attributes(fd: &OwnedFd, path: &RelPath) -> Result<()> {
    let mut names = [0; 4096];
    let length = match rustix::fs::flistxattr(fd, &mut names) {
        Ok(length) => length,
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        Err(rustix::io::Errno::RANGE) => return Err(refuse(path, "it has too many extended attributes")),
        Err(errno) => return Err(Error::io("list the attributes of", path)(errno.into())),
    };
    let mut names = names[..length].split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let is_refused = |name: &str| {
        name.starts_with("user.")
            || name.starts_with("trusted.")
            || name.starts_with("system.posix_acl_")
            || name == "security.capability"
    };
    match names.find(|name| is_refused(name)) {
        Some(name) => Err(refuse(path, &format!("it has the extended attribute `{name}`"))),
        None => Ok(()),
    }
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

fn refuse(path: &RelPath, why: &str) -> Error {
    Error::refused(path.to_string(), why)
}

fn failed<'p>(tried: &'static str, path: &'p RelPath) -> impl FnOnce(Errno) -> Error + 'p {
    Error::os(tried, Path::new(path.as_str()))
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
