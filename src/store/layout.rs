//! The open store: its directories and what one process keeps in memory about them. What it can do is in the other
//! files of this room, one noun each.

use std::collections::HashMap;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::error::{Error, Result};
use super::index::Index;
use super::session::{self, Scratch, Session};
use crate::base::Digest;
use crate::store::objects::lazy_trees::Named;

/// Shared by all threads of a process, and by any number of processes.
#[derive(Debug)]
pub struct Store {
    pub(super) root: PathBuf,
    pub(super) session: Session,
    pub(super) index: Index,
    /// Images that this process has checked or made; the inner lock lets one thread work on an image at a time.
    pub(super) images: Mutex<HashMap<Digest, Arc<Mutex<bool>>>>,
    /// What was named and may not be written yet.
    pub(super) named: Mutex<Named>,
    notices: Arc<Mutex<Vec<String>>>,
}

impl Store {
    /// Opens the store at `root`; makes it if it is missing.
    pub fn open(root: &Path) -> Result<Store> {
        let root = std::path::absolute(root).map_err(Error::io("find", root))?;
        for dir in ["blob", "tree", "image", "repository", "tmp", "quarantine"] {
            make_dir(&root.join(dir))?;
        }
        let notices = Arc::new(Mutex::new(Vec::new()));
        let tmp = root.join("tmp");
        session::sweep(&tmp);
        Ok(Store {
            session: Session::begin(&tmp)?,
            index: Index::open(&root, Arc::clone(&notices))?,
            root,
            images: Mutex::default(),
            named: Mutex::default(),
            notices,
        })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A new, empty, writable directory on the store's file system, for a process to fill and `capture` to read.
    pub fn scratch(&self) -> Result<Scratch> {
        Scratch::make(self.session.fresh())
    }

    /// What was found damaged and set aside or made anew since the last call. For the user to see.
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.notices))
    }

    pub(super) fn note(&self, notice: String) {
        lock(&self.notices).push(notice);
    }
}

/// No invariant spans a lock in this room, so a thread that panicked inside left nothing half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Readable by every user whatever the umask: steps run under another uid.
pub(super) fn make_dir(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    fs::set_permissions(dir, Permissions::from_mode(0o755)).map_err(Error::io("set the mode of", dir))
}
