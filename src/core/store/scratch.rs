//! Directories below `tmp/`: the part of it that one open store owns, scratch directories for processes, and the removal of
//! what ended processes left there.

use std::fs;
use std::fs::{File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{Error, Result};
use super::{faults, files};
use crate::store::objects::remove::remove_tree;
use crate::store::upkeep::listing;

/// The directory in `tmp/` of one open store. It is locked while the store is open; the kernel releases the lock when the
/// process ends for any reason.
#[derive(Debug)]
pub(super) struct TmpDir {
    dir: PathBuf,
    next: AtomicU64,
    _lock: File,
}

impl TmpDir {
    /// Creates and locks a directory with a unique name.
    pub(super) fn create(tmp: &Path) -> Result<TmpDir> {
        // Between creation and lock, the `sweep` of another process can remove the directory. The loop then tries again.
        for _ in 0..100 {
            let made = tempfile::Builder::new().prefix("").rand_bytes(12).tempdir_in(tmp);
            let dir = made.map_err(Error::io("create a directory in", tmp.join("new")))?.keep();
            let lock = match File::open(&dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.map_err(Error::io("open", &dir))?,
            };
            match lock.try_lock() {
                Err(TryLockError::WouldBlock) => continue,
                locked => locked.map_err(|error| Error::io("lock", &dir)(error.into()))?,
            }
            if fs::metadata(&dir).is_ok_and(|now| same_inode(&lock, &now)) {
                fs::set_permissions(&dir, Permissions::from_mode(0o755)).map_err(Error::io("set the mode of", &dir))?;
                return Ok(TmpDir { dir, next: AtomicU64::new(0), _lock: lock });
            }
        }
        Err(Error::io("lock a directory in", tmp)(io::ErrorKind::ResourceBusy.into()))
    }

    /// The path of the directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The hashes that the open stores have pinned.
    pub(super) fn pins(&self) -> Result<Vec<[u8; 32]>> {
        let mut pins = Vec::new();
        for dir in listing::entries(self.dir.parent().unwrap_or(&self.dir))? {
            let path = dir.join("pins");
            let text = match fs::read_to_string(&path) {
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                text => text.map_err(Error::io("read", &path))?,
            };
            pins.extend(text.lines().filter_map(|hex| Some(*blake3::Hash::from_hex(hex).ok()?.as_bytes())));
        }
        Ok(pins)
    }

    /// A path in the directory at which nothing exists.
    pub(super) fn fresh_path(&self) -> PathBuf {
        self.dir.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// A suffix for file names that no other call and no other process returns.
    pub(super) fn unique_suffix(&self) -> String {
        let name = self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("{name}.{}", self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for TmpDir {
    fn drop(&mut self) {
        faults::finish();
        // If this fails, the next `sweep` removes the directory.
        let _ = remove_tree(&self.dir);
    }
}

/// Removes the directories of ended processes from `tmp/`. Best effort: a directory that cannot be removed does no harm.
pub(super) fn sweep(tmp: &Path) {
    for entry in fs::read_dir(tmp).into_iter().flatten().flatten() {
        let dir = entry.path();
        let Ok(lock) = File::open(&dir) else { continue };
        if lock.try_lock().is_ok() {
            let _ = remove_tree(&dir);
        }
        // The lock is released only after the removal: an owner that acquires it then finds that its directory is gone.
        drop(lock);
    }
}

fn same_inode(file: &File, metadata: &fs::Metadata) -> bool {
    file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (metadata.dev(), metadata.ino()))
}

/// A directory on the store's file system for a process to fill. It is removed with its contents when it is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(super) fn create(path: PathBuf) -> Result<Scratch> {
        files::create_dir(&path, 0o777).map_err(Error::io("create", &path))?;
        Ok(Scratch { path })
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If this fails, dropping the `TmpDir` tries again.
        let _ = remove_tree(&self.path);
    }
}
