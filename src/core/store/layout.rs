//! The open store: its directories and what one process keeps in memory about them. The operations are in the other files
//! of this room.

use std::collections::HashMap;
use std::fs;
use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::error::{Error, Result};
use super::index::Index;
use super::lease::Lease;
use super::scratch::{self, Scratch, TmpDir};
use super::uses::Uses;
use super::{faults, files};
use crate::base::Digest;
use crate::store::objects::late::LateObjects;
use crate::store::objects::lazy_trees::LazyLevels;
use crate::store::objects::shared_sync::SharedSync;

/// The mode of the root. It alone keeps other users out: directories below are readable by every user.
const ROOT_MODE: u32 = 0o700;

/// An open store. It can be shared by all threads of a process, and any number of processes can open the same one.
#[derive(Debug)]
pub struct Store {
    pub(super) root: PathBuf,
    pub(super) tmp: TmpDir,
    pub(super) index: Index,
    pub(super) lease: Lease,
    pub(super) uses: Uses,
    /// Images, and whether this process has verified or composed them. The inner lock lets only one thread work on an image.
    pub(super) images: Mutex<HashMap<Digest, Arc<Mutex<bool>>>>,
    /// Levels of lazily written trees.
    pub(super) lazy_levels: Mutex<LazyLevels>,
    /// Objects that are not written yet.
    pub(super) late: LateObjects,
    /// Lets threads that publish at the same time share their syncs.
    pub(super) syncs: SharedSync,
    notices: Arc<Mutex<Vec<String>>>,
}

impl Store {
    /// Opens the store at `root`, or creates it if it is missing.
    ///
    /// The root becomes private (mode 0700). `Error::ForeignOwner` if it belongs to another user, who could replace every
    /// result in it.
    pub fn open(root: &Path) -> Result<Store> {
        let root = std::path::absolute(root).map_err(Error::io("find", root))?;
        make_private(&root)?;
        for dir in ["blob", "tree", "image", "repository", "run", "tmp", "quarantine"] {
            make_dir(&root.join(dir))?;
        }
        faults::arm(&root);
        let notices = Arc::new(Mutex::new(Vec::new()));
        let tmp = root.join("tmp");
        scratch::sweep(&tmp);
        let tmp = TmpDir::create(&tmp)?;
        Ok(Store {
            lease: Lease::acquire(&root, tmp.unique_suffix())?,
            uses: Uses::default(),
            tmp,
            index: Index::open(&root, Arc::clone(&notices))?,
            root,
            images: Mutex::default(),
            lazy_levels: Mutex::default(),
            late: LateObjects::default(),
            syncs: SharedSync::default(),
            notices,
        })
    }

    /// The absolute path of the store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A new, empty, writable directory on the store's file system, for a process to fill and `capture` to read.
    pub fn scratch(&self) -> Result<Scratch> {
        Scratch::create(self.tmp.fresh_path())
    }

    /// Takes the messages since the last call about damaged files that were quarantined or rebuilt.
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.notices))
    }

    pub(super) fn add_notice(&self, notice: String) {
        lock(&self.notices).push(notice);
    }
}

/// Locks a mutex of this room. A poisoned one is used as it is: no invariant of this room spans a lock, so a thread that
/// panicked cannot have left an inconsistent value.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Creates the root if it is missing, and makes it private in any case: earlier versions created it readable by everyone.
fn make_private(root: &Path) -> Result<()> {
    if let Some(parent) = root.parent() {
        fs::create_dir_all(parent).map_err(Error::io("create", root))?;
    }
    match DirBuilder::new().mode(ROOT_MODE).create(root) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        created => created.map_err(Error::io("create", root))?,
    }
    let metadata = fs::metadata(root).map_err(Error::io("read the metadata of", root))?;
    let own_uid = nix::unistd::geteuid().as_raw();
    if metadata.uid() != own_uid {
        return Err(Error::ForeignOwner { dir: root.to_owned(), owner_uid: metadata.uid(), own_uid });
    }
    if metadata.is_dir() && metadata.mode() & 0o7777 != ROOT_MODE {
        let private = Permissions::from_mode(ROOT_MODE);
        fs::set_permissions(root, private).map_err(Error::io("set the mode of", root))?;
    }
    Ok(())
}

/// Creates a directory below the root, readable by every user whatever the umask is. A step runs under another uid and reads
/// below a mount of such a directory. The mount is opened by the caller, so the private root does not prevent that.
pub(super) fn make_dir(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    match files::create_dir(dir, 0o755) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        created => created.map_err(Error::io("create", dir))?,
    }
    files::set_mode(dir, 0o755).map_err(Error::io("set the mode of", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_new_store_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("missing/store")).unwrap();
        assert_eq!(mode(store.root()), 0o700);
        assert_eq!(mode(&store.root().join("blob")), 0o755);
    }

    #[test]
    fn an_existing_store_becomes_private_when_it_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        drop(Store::open(&root).unwrap());
        for open_to_others in [0o755, 0o777, 0o750, 0o2700] {
            fs::set_permissions(&root, Permissions::from_mode(open_to_others)).unwrap();
            drop(Store::open(&root).unwrap());
            assert_eq!(mode(&root), 0o700, "{open_to_others:o}");
        }
    }

    #[test]
    fn a_store_of_another_user_is_refused() {
        let own_uid = nix::unistd::geteuid();
        if !own_uid.is_root() {
            eprintln!("skipped: giving a directory to another user needs root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        drop(Store::open(&root).unwrap());
        let owner_uid = 54_321;
        std::os::unix::fs::chown(&root, Some(owner_uid), None).unwrap();
        fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
        let error = Store::open(&root).unwrap_err();
        assert!(
            matches!(&error, Error::ForeignOwner { dir, owner_uid: 54_321, own_uid: 0 } if *dir == root),
            "{error:?}"
        );
        let message =
            format!("the store `{}` belongs to the user 54321, and this process runs as user 0", root.display());
        assert_eq!(error.to_string(), message);
        assert!(error.hint().unwrap().contains("`XDG_CACHE_HOME`"));
        assert_eq!(mode(&root), 0o755, "a directory of another user is not changed");
    }
}
