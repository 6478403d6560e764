//! The accesses of a step, each path once. Bounded: a step that names more distinct paths than the limit has an incomplete
//! trace, which says so.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{SFlag, fstat};

use super::super::proc;
use super::arguments::Named;
use crate::{FileAccess, Found, SocketAccess, Trace, Uses};

/// The largest total length of recorded paths, with what is stored for each.
const MAX_BYTES: usize = 32 << 20;
/// An estimate of what is stored for a path besides its text.
const ENTRY_BYTES: usize = 160;
/// The largest number of recorded socket addresses.
const MAX_SOCKETS: usize = 10_000;
/// A directory whose files are not examined, because they depend on who asks. The root of a sandbox has real directories
/// at these paths.
const UNEXAMINED: [&str; 2] = ["/proc", "/dev"];

/// The accesses so far.
#[derive(Default)]
pub(super) struct Record {
    /// By path as the step wrote it, made absolute.
    files: HashMap<Vec<u8>, FileAccess>,
    sockets: BTreeSet<SocketAccess>,
    bytes: usize,
    calls: u64,
    interrupted: u64,
    lost: u64,
}

/// An access that is recorded after its call continues.
pub(super) enum Access {
    /// A path that was recorded before.
    Known { path: Vec<u8>, uses: Uses },
    /// The first access to a path.
    New { path: Vec<u8>, access: FileAccess },
    /// The use of a socket.
    Socket(SocketAccess),
}

impl Record {
    /// Looks what a path leads to, if it was not named before.
    pub(super) fn examine(&self, named: Named) -> Access {
        match named {
            Named::Socket(socket) => Access::Socket(socket),
            Named::File { path, uses } if self.files.contains_key(&path) => Access::Known { path, uses },
            Named::File { path, uses } => {
                let (found, real) = examine(&path);
                Access::New { path, access: FileAccess { uses, found, real } }
            }
        }
    }

    /// Records the accesses of one call.
    pub(super) fn add(&mut self, accesses: Vec<Access>) {
        self.calls += 1;
        for access in accesses {
            match access {
                Access::Known { path, uses } => {
                    if let Some(known) = self.files.get_mut(&path) {
                        known.uses |= uses;
                    }
                }
                Access::New { path, access } => self.add_file(path, access),
                Access::Socket(socket) if self.sockets.len() < MAX_SOCKETS => drop(self.sockets.insert(socket)),
                Access::Socket(socket) => self.lost += u64::from(!self.sockets.contains(&socket)),
            }
        }
    }

    /// Counts a call whose thread did not wait for its answer.
    pub(super) fn add_interrupted(&mut self) {
        self.interrupted += 1;
    }

    fn add_file(&mut self, path: Vec<u8>, access: FileAccess) {
        let bytes = path.len() + access.real.as_ref().map_or(0, String::len) + ENTRY_BYTES;
        if self.bytes + bytes > MAX_BYTES {
            self.lost += 1;
            return;
        }
        self.bytes += bytes;
        self.files.insert(path, access);
    }

    /// Merges different spellings of a path.
    pub(super) fn into_trace(self) -> Trace {
        let Record { sockets, calls, interrupted, lost, .. } = self;
        let mut trace = Trace { sockets, calls, interrupted, lost, ..Trace::default() };
        let mut files: Vec<_> = self.files.into_iter().collect();
        // The order decides which of several spellings says what was found first.
        files.sort_by(|left, right| left.0.cmp(&right.0));
        for (path, mut access) in files {
            let path = clean(&String::from_utf8_lossy(&path));
            access.real = access.real.filter(|real| *real != path);
            trace.files.entry(path).and_modify(|known| known.uses |= access.uses).or_insert(access);
        }
        trace
    }
}

/// What a path leads to, and its path without symbolic links.
fn examine(path: &[u8]) -> (Found, Option<String>) {
    let text = clean(&String::from_utf8_lossy(path));
    if UNEXAMINED.iter().any(|dir| text.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    {
        return (Found::Unknown, None);
    }
    // A link of `/proc` would lead to this process instead of the step's.
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let file = match openat2(AT_FDCWD, path, how) {
        Ok(file) => file,
        Err(Errno::ELOOP) => return (Found::Other, None),
        Err(_) if fs::symlink_metadata(Path::new(&text)).is_ok() => return (Found::Link, None),
        Err(_) => return (Found::Absent, None),
    };
    let kind = fstat(&file).map_or(SFlag::S_IFSOCK, |stat| SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT);
    let found = match kind {
        SFlag::S_IFREG => Found::File,
        SFlag::S_IFDIR => Found::Directory,
        _ => Found::Other,
    };
    let real = proc::path_of(file.as_fd());
    (found, real.map(|real| real.to_string_lossy().into_owned()).filter(|real| *real != text))
}

/// An absolute path without `.`, `..` and empty names. `..` is resolved without regard to symbolic links.
fn clean(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, uses: Uses) -> Named {
        Named::File { path: path.as_bytes().to_vec(), uses }
    }

    fn record(record: &mut Record, named: Named) {
        let access = record.examine(named);
        record.add(vec![access]);
    }

    #[test]
    fn spellings_of_a_path_are_merged_and_the_first_state_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| format!("{}/{name}", dir.path().display());
        std::fs::write(path("there"), "").unwrap();
        std::os::unix::fs::symlink("there", path("link")).unwrap();
        std::os::unix::fs::symlink("nothing", path("dangling")).unwrap();
        let mut all = Record::default();
        record(&mut all, file(&path("new"), Uses::PROBED));
        std::fs::write(path("new"), "").unwrap();
        for name in ["new", "x/.././new", "there", "link", "dangling"] {
            record(&mut all, file(&path(name), Uses::READ));
        }
        let trace = all.into_trace();
        assert_eq!(trace.calls, 6);
        let found = |name: &str| trace.files[&path(name)].clone();
        assert_eq!(found("new").found, Found::Absent);
        assert_eq!(found("new").uses, Uses::READ | Uses::PROBED);
        assert_eq!((found("there").found, found("there").real), (Found::File, None));
        assert_eq!((found("link").found, found("link").real), (Found::File, Some(path("there"))));
        assert_eq!(found("dangling").found, Found::Link);
    }

    #[test]
    fn a_record_that_is_full_counts_what_it_loses() {
        let mut all = Record { bytes: MAX_BYTES - 400, ..Record::default() };
        for number in 0..10 {
            record(&mut all, file(&format!("/nothing/{number}"), Uses::PROBED));
        }
        record(&mut all, file("/nothing/0", Uses::READ));
        let trace = all.into_trace();
        assert_eq!((trace.files.len(), trace.lost), (2, 8));
        assert_eq!(trace.files["/nothing/0"].uses, Uses::READ | Uses::PROBED);
    }

    #[test]
    fn files_of_proc_are_not_examined() {
        let mut all = Record::default();
        for path in ["/proc/self/exe", "/dev/null", "/device"] {
            record(&mut all, file(path, Uses::READ));
        }
        let found: Vec<_> = all.into_trace().files.into_values().map(|access| access.found).collect();
        assert_eq!(found, [Found::Unknown, Found::Absent, Found::Unknown]);
    }
}
