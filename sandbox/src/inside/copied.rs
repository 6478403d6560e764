//! Trees in memory (tmpfs) of copied files. The step owns all of it and may change it, which needs no capability.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fchmod, futimens, mkdirat};
use nix::sys::time::TimeSpec;
use nix::unistd::symlinkat;

use crate::error::Context;
use crate::{Error, TreeEntry};

/// tmpfs allocates whole pages.
const PAGE_BYTES: u64 = 4096;
const BUFFER_BYTES: usize = 128 << 10;

/// Returns the number of bytes, in whole pages, and of inodes that a tree occupies.
pub(super) fn required_size(entries: &BTreeMap<String, TreeEntry>) -> (u64, u64) {
    let bytes = entries.values().map(|entry| match entry {
        TreeEntry::File { size_bytes, .. } => size_bytes.next_multiple_of(PAGE_BYTES),
        TreeEntry::Directory | TreeEntry::Symlink { .. } => 0,
    });
    let dirs: BTreeSet<&str> =
        entries.keys().flat_map(|path| path.match_indices('/').map(move |(end, _)| &path[..end])).collect();
    (bytes.sum(), (entries.len() + dirs.len() + 1) as u64)
}

/// How a tree looks, apart from its entries: the fields of `MountKind::Copied` with these names.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub(super) reversed: bool,
    pub(super) read_only: bool,
    pub(super) modified: i64,
}

/// Fills a detached mount with copies of files below `source`.
pub(super) fn copy_entries(
    tree: &OwnedFd,
    entries: &BTreeMap<String, TreeEntry>,
    form: Form,
    source: &OwnedFd,
) -> Result<(), Error> {
    let top = open_dir(tree.as_fd(), ".").context("open a copied tree")?;
    let open_dirs = vec![(String::new(), top)];
    let mut copier = Copier { source: source.as_fd(), form, open_dirs, buffer: vec![0; BUFFER_BYTES] };
    let mut entries = entries.iter();
    // In both orders, all entries below a directory follow each other.
    while let Some((path, entry)) = if form.reversed { entries.next_back() } else { entries.next() } {
        if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return Err(Error::Request(format!("entry `{path}` is not a relative path without `.` and `..`")));
        }
        copier.create_entry(path, entry)?;
    }
    copier.close_dirs(0).context("complete a copied tree")
}

struct Copier<'s> {
    source: BorrowedFd<'s>,
    form: Form,
    /// The directories from the top down to the current one, by name. Entries are sorted, so each is opened once.
    open_dirs: Vec<(String, OwnedFd)>,
    buffer: Vec<u8>,
}

impl Copier<'_> {
    /// `path` has no empty component, `.` or `..`.
    fn create_entry(&mut self, path: &str, entry: &TreeEntry) -> Result<(), Error> {
        let damaged = |why| Error::DamagedSource { path: path.to_owned(), why };
        match self.try_create_entry(path, entry) {
            Ok(None) => Ok(()),
            Ok(Some(fault)) => Err(damaged(fault)),
            Err(error) => Err(error).with_context(|| format!("create `{path}` in a copied tree")),
        }
    }

    /// Returns how the content of the original differs from the request, if it does.
    fn try_create_entry(&mut self, path: &str, entry: &TreeEntry) -> io::Result<Option<String>> {
        let mut names: Vec<&str> = path.split('/').collect();
        let name = match entry {
            TreeEntry::Directory => None,
            _ => names.pop(),
        };
        let shared = self.open_dirs[1..].iter().zip(&names).take_while(|((open, _), name)| open == **name).count();
        self.close_dirs(shared + 1)?;
        for name in &names[shared..] {
            self.enter_new_dir(name)?;
        }
        let dir = self.open_dirs.last().map(|(_, dir)| dir.as_fd()).expect("the top is closed last");
        match (entry, name) {
            (TreeEntry::File { from, size_bytes, executable, blake3 }, Some(name)) => {
                let mode = match (self.form.read_only, *executable) {
                    (false, true) => 0o755,
                    (false, false) => 0o644,
                    (true, true) => 0o555,
                    (true, false) => 0o444,
                };
                let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
                let mut file = File::from(openat(dir, name, flags, Mode::from_bits_truncate(mode))?);
                if *size_bytes > 0 {
                    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                    let from = match openat(self.source, from.as_str(), flags, Mode::empty()) {
                        Err(Errno::ENOENT) => return Ok(Some("it does not exist".to_owned())),
                        opened => File::from(opened?),
                    };
                    let hash = copy_bytes(from, &mut file, *size_bytes, &mut self.buffer)?;
                    let Some(hash) = hash else { return Ok(Some(format!("it has fewer than {size_bytes} bytes"))) };
                    if blake3.as_ref().is_some_and(|expected| hash.to_hex().as_str() != expected) {
                        return Ok(Some(format!("its hash is `{hash}`")));
                    }
                }
                futimens(&file, &self.time(), &self.time())?;
            }
            (TreeEntry::Symlink { target }, Some(name)) => symlinkat(target.as_str(), dir, name)?,
            _ => {}
        }
        Ok(None)
    }

    fn enter_new_dir(&mut self, name: &str) -> io::Result<()> {
        let parent = self.open_dirs.last().map(|(_, dir)| dir.as_fd()).expect("the top is closed last");
        mkdirat(parent, name, Mode::from_bits_truncate(0o755))?;
        let dir = open_dir(parent, name)?;
        self.open_dirs.push((name.to_owned(), dir));
        Ok(())
    }

    /// Closes the innermost directories until `depth` are open. Their modes and times are set only now, because creating an
    /// entry needs write permission and changes the time of its directory.
    fn close_dirs(&mut self, depth: usize) -> io::Result<()> {
        let time = self.time();
        for (_, dir) in self.open_dirs.drain(depth..).rev() {
            if self.form.read_only {
                fchmod(&dir, Mode::from_bits_truncate(0o555))?;
            }
            futimens(&dir, &time, &time)?;
        }
        Ok(())
    }

    fn time(&self) -> TimeSpec {
        TimeSpec::new(self.form.modified, 0)
    }
}

fn open_dir(at: BorrowedFd<'_>, name: &str) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

/// Copies exactly `size_bytes` and returns their hash, or `None` if the file is shorter.
fn copy_bytes(mut from: File, to: &mut File, size_bytes: u64, buffer: &mut [u8]) -> io::Result<Option<blake3::Hash>> {
    let mut hasher = blake3::Hasher::new();
    let mut left = size_bytes;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match from.read(&mut buffer[..wanted]) {
            Ok(0) => return Ok(None),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                to.write_all(&buffer[..count])?;
                left -= count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(hasher.finalize()))
}
