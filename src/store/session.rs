//! The part of `tmp/` that one open store owns, and what dead owners left there. What is written there is elsewhere.

use std::fs;
use std::fs::{File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{Error, Result};
use crate::store::objects::remove::remove_tree;

/// A directory in `tmp/`, locked as long as its owner lives: the kernel drops the lock however the owner ends.
#[derive(Debug)]
pub struct Session {
    dir: PathBuf,
    next: AtomicU64,
    _lock: File,
}

impl Session {
    pub fn begin(tmp: &Path) -> Result<Session> {
        // Between the creation and the lock somebody's sweep may take the directory for an abandoned one: then again.
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
                return Ok(Session { dir, next: AtomicU64::new(0), _lock: lock });
            }
        }
        Err(Error::io("keep a directory in", tmp)(io::ErrorKind::ResourceBusy.into()))
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A path that nothing lies at.
    pub fn fresh(&self) -> PathBuf {
        self.dir.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// A word that no other session uses.
    pub fn unique(&self) -> String {
        let session = self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("{session}.{}", self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next store that opens.
        let _ = remove_tree(&self.dir);
    }
}

/// Removes what processes that died left in `tmp/`. Best effort: what cannot be removed hurts nobody.
pub fn sweep(tmp: &Path) {
    for entry in fs::read_dir(tmp).into_iter().flatten().flatten() {
        let dir = entry.path();
        let Ok(lock) = File::open(&dir) else { continue };
        if lock.try_lock().is_ok() {
            let _ = remove_tree(&dir);
        }
        // Only now: an owner that gets the lock must find its directory gone, or keep it.
        drop(lock);
    }
}

fn same_inode(file: &File, metadata: &fs::Metadata) -> bool {
    file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (metadata.dev(), metadata.ino()))
}

/// A directory on the store's file system for a process to fill; removed, with all it holds, when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(super) fn make(path: PathBuf) -> Result<Scratch> {
        fs::create_dir(&path).map_err(Error::io("create", &path))?;
        Ok(Scratch { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The session's own removal tries again.
        let _ = remove_tree(&self.path);
    }
}
