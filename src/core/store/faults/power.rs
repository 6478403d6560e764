//! The loss of a power cut: what was written and not synced is dropped or truncated, and what was created, linked or renamed in a
//! directory that was not synced is undone, all of it or a part that the seed chooses. POSIX promises no more than that, and most
//! file systems lose less.

use std::collections::BTreeSet;
use std::fs;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// A change of a directory that was not synced.
#[derive(Debug)]
enum Change {
    /// A file, directory or link was created here.
    Linked(PathBuf),
    /// Moved from the first path to the second. The third is a link to what was replaced.
    Renamed(PathBuf, PathBuf, Option<PathBuf>),
    /// Two directories were exchanged.
    Exchanged(PathBuf, PathBuf),
}

/// Everything that was not synced.
#[derive(Debug, Default)]
struct Unsynced {
    root: PathBuf,
    /// Files with contents or metadata that were not synced, by their present paths.
    files: BTreeSet<PathBuf>,
    changes: Vec<Change>,
    /// A link to the file that the next rename replaces.
    replaced: Option<PathBuf>,
    next: u64,
}

static UNSYNCED: Mutex<Option<Unsynced>> = Mutex::new(None);

fn with(work: impl FnOnce(&mut Unsynced)) {
    let mut unsynced: MutexGuard<'_, _> = UNSYNCED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(unsynced) = unsynced.as_mut() {
        work(unsynced);
    }
}

/// Starts to record changes below `root`.
pub(super) fn record(root: &Path) {
    let unsynced = Unsynced { root: root.to_owned(), ..Unsynced::default() };
    *UNSYNCED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(unsynced);
}

/// A file was created.
pub(in crate::store) fn created(path: &Path) {
    linked(path);
    written(path);
}

/// The contents or the metadata of a file change.
pub(in crate::store) fn written(path: &Path) {
    with(|unsynced| {
        if path.starts_with(&unsynced.root) {
            unsynced.files.insert(path.to_owned());
        }
    });
}

/// A directory, a hard link or a symbolic link was created.
pub(in crate::store) fn linked(path: &Path) {
    with(|unsynced| {
        if path.starts_with(&unsynced.root) {
            unsynced.changes.push(Change::Linked(path.to_owned()));
        }
    });
}

/// A file is about to be replaced by a rename.
pub(in crate::store) fn replacing(path: &Path) {
    with(|unsynced| {
        let saved = unsynced.root.join(format!("tmp/replaced-{}", unsynced.next));
        unsynced.next += 1;
        unsynced.replaced = fs::hard_link(path, &saved).is_ok().then_some(saved);
    });
}

/// A file or directory was renamed.
pub(in crate::store) fn renamed(from: &Path, to: &Path) {
    with(|unsynced| {
        unsynced.move_files(from, to);
        let replaced = unsynced.replaced.take();
        unsynced.changes.push(Change::Renamed(from.to_owned(), to.to_owned(), replaced));
    });
}

/// Two directories were exchanged.
pub(in crate::store) fn exchanged(one: &Path, other: &Path) {
    with(|unsynced| unsynced.changes.push(Change::Exchanged(one.to_owned(), other.to_owned())));
}

/// A file was removed.
pub(in crate::store) fn removed(path: &Path) {
    with(|unsynced| {
        unsynced.files.remove(path);
    });
}

/// A file, or the entries of a directory, were synced.
pub(in crate::store) fn synced(path: &Path) {
    with(|unsynced| {
        unsynced.files.remove(path);
        unsynced.changes.retain(|change| match change {
            Change::Linked(changed) | Change::Renamed(_, changed, _) | Change::Exchanged(_, changed) => {
                changed.parent() != Some(path)
            }
        });
    });
}

/// The whole file system was synced.
pub(in crate::store) fn synced_all() {
    with(|unsynced| {
        unsynced.files.clear();
        unsynced.changes.clear();
    });
}

/// Loses what was not synced, or a part of it. Errors are ignored: a file that cannot be changed keeps its contents.
pub(super) fn cut(seed: u64) {
    with(|unsynced| {
        let mut random = Random(seed);
        for path in &unsynced.files {
            damage(path, random.below(5));
        }
        // A journal keeps the changes up to one point in time; without one, any of them can be lost.
        let kept = random.below(unsynced.changes.len() as u64 + 1);
        let has_journal = random.below(2) == 0;
        for (number, change) in std::mem::take(&mut unsynced.changes).iter().enumerate().rev() {
            if if has_journal { number as u64 >= kept } else { random.below(2) == 0 } {
                undo(change);
            }
        }
    });
}

fn damage(path: &Path, how: u64) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    if !metadata.is_file() || how == 0 {
        return;
    }
    let _ = fs::set_permissions(path, Permissions::from_mode(0o600));
    if let Ok(file) = File::options().write(true).open(path) {
        let kept = match how {
            1 => 0,
            2 => metadata.len() / 2,
            _ => metadata.len(),
        };
        let modified = metadata.modified();
        let _ = file.set_len(kept);
        // Blocks that were allocated and never written contain zeros.
        if how == 3 {
            let _ = file.set_len(metadata.len() / 3).and_then(|()| file.set_len(metadata.len()));
        }
        if how < 4
            && let Ok(modified) = modified
        {
            // The metadata reached the disk, and the contents did not.
            let _ = file.set_modified(modified);
            let _ = file.set_permissions(metadata.permissions());
        }
    }
}

fn undo(change: &Change) {
    match change {
        Change::Linked(path) => {
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
        }
        Change::Renamed(from, to, replaced) => {
            // The directory of `from` may be gone.
            let _ = fs::rename(to, from);
            if let Some(replaced) = replaced {
                let _ = fs::rename(replaced, to);
            }
        }
        Change::Exchanged(one, other) => {
            let flags = nix::fcntl::RenameFlags::RENAME_EXCHANGE;
            let here = nix::fcntl::AT_FDCWD;
            let _ = nix::fcntl::renameat2(here, one.as_path(), here, other.as_path(), flags);
        }
    }
}

impl Unsynced {
    /// Files below a directory move with it.
    fn move_files(&mut self, from: &Path, to: &Path) {
        let moved: Vec<PathBuf> = self.files.iter().filter(|path| path.starts_with(from)).cloned().collect();
        for path in moved {
            self.files.remove(&path);
            let below = path.strip_prefix(from).unwrap_or(Path::new(""));
            let path = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
            self.files.insert(path);
        }
    }
}

/// Numbers that follow from a seed: SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}
