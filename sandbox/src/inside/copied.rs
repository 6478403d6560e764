//! A tree in memory, made of copies: the step owns all of it and may change it, and no capability is lent to it for this.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, futimens, mkdirat};
use nix::sys::time::TimeSpec;
use nix::unistd::symlinkat;

use crate::error::Doing;
use crate::{Error, TreeEntry};

const PAGE: u64 = 4096;
const BUFFER: usize = 128 << 10;

/// Bytes in whole pages and inodes of a tree.
pub fn size(entries: &BTreeMap<String, TreeEntry>) -> (u64, u64) {
    let bytes = entries.values().map(|entry| match entry {
        TreeEntry::File { size_bytes, .. } => size_bytes.next_multiple_of(PAGE),
        TreeEntry::Directory | TreeEntry::Symlink { .. } => 0,
    });
    let dirs: BTreeSet<&str> =
        entries.keys().flat_map(|path| path.match_indices('/').map(move |(end, _)| &path[..end])).collect();
    (bytes.sum(), (entries.len() + dirs.len() + 1) as u64)
}

/// Fills a detached mount with copies of files below `source`; all of it gets this time.
pub fn fill(
    tree: &OwnedFd,
    entries: &BTreeMap<String, TreeEntry>,
    source: &OwnedFd,
    modified: i64,
) -> Result<(), Error> {
    let top = open_dir(tree.as_fd(), ".").doing("open the tree of copies")?;
    let time = TimeSpec::new(modified, 0);
    let mut copy = Copy { source: source.as_fd(), time, open: vec![(String::new(), top)], buffer: vec![0; BUFFER] };
    for (path, entry) in entries {
        copy.put(path, entry).doing_with(|| format!("make `{path}` in the tree of copies"))?;
    }
    copy.leave(0).doing("finish the tree of copies")
}

struct Copy<'s> {
    source: BorrowedFd<'s>,
    time: TimeSpec,
    /// The directories from the top to where we are: entries come sorted, so each is entered once.
    open: Vec<(String, OwnedFd)>,
    buffer: Vec<u8>,
}

impl Copy<'_> {
    fn put(&mut self, path: &str, entry: &TreeEntry) -> io::Result<()> {
        let mut names: Vec<&str> = path.split('/').collect();
        if names.iter().any(|name| matches!(*name, "" | "." | "..")) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is not a clean relative one"));
        }
        let name = match entry {
            TreeEntry::Directory => None,
            _ => names.pop(),
        };
        let shared = self.open[1..].iter().zip(&names).take_while(|((open, _), name)| open == **name).count();
        self.leave(shared + 1)?;
        for name in &names[shared..] {
            self.enter(name)?;
        }
        let dir = self.open.last().map(|(_, dir)| dir.as_fd()).expect("the top is left last");
        match (entry, name) {
            (TreeEntry::File { from, size_bytes, executable }, Some(name)) => {
                let mode = if *executable { 0o755 } else { 0o644 };
                let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
                let mut file = File::from(openat(dir, name, flags, Mode::from_bits_truncate(mode))?);
                if *size_bytes > 0 {
                    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                    let from = File::from(openat(self.source, from.as_str(), flags, Mode::empty())?);
                    copy_bytes(from, &mut file, *size_bytes, &mut self.buffer)?;
                }
                futimens(&file, &self.time, &self.time)?;
            }
            (TreeEntry::Symlink { target }, Some(name)) => symlinkat(target.as_str(), dir, name)?,
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, name: &str) -> io::Result<()> {
        let above = self.open.last().map(|(_, dir)| dir.as_fd()).expect("the top is left last");
        mkdirat(above, name, Mode::from_bits_truncate(0o755))?;
        let dir = open_dir(above, name)?;
        self.open.push((name.to_owned(), dir));
        Ok(())
    }

    /// Until only so many directories are open. Their times are set last, since each new name changes them.
    fn leave(&mut self, depth: usize) -> io::Result<()> {
        for (_, dir) in self.open.drain(depth..).rev() {
            futimens(&dir, &self.time, &self.time)?;
        }
        Ok(())
    }
}

fn open_dir(at: BorrowedFd<'_>, name: &str) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

/// Exactly so many bytes: a file that is shorter is not the one that was meant.
fn copy_bytes(mut from: File, to: &mut File, size_bytes: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut left = size_bytes;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match from.read(&mut buffer[..most]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                to.write_all(&buffer[..count])?;
                left -= count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
