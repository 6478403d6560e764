//! Copying a tree into a directory as ordinary writable files of the user. `image` composes read-only images for sandboxes.

use std::fs;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tempfile::NamedTempFile;

use super::batch::write_hashing;
use super::blob::Opened;
use super::directory::Entry;
use super::trees::{MAX_DEPTH, malformed};
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

impl Store {
    /// Copies the files of a tree into `dest`, which is created if it is missing. Existing files and links with the same names are
    /// replaced; other files are kept. Existing links are never followed. The content of each file is verified before it replaces
    /// another.
    pub fn copy_out(&self, tree: Digest, dest: &Path) -> Result<()> {
        fs::create_dir_all(dest).map_err(Error::io("create", dest))?;
        self.copy_level(tree, dest, 0)
    }

    fn copy_level(&self, tree: Digest, at: &Path, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(malformed(tree, "it is too deep"));
        }
        for (name, entry) in self.directory(tree)?.entries {
            let path = at.join(name);
            match entry {
                Entry::Directory(tree) => {
                    make_real_dir(&path)?;
                    self.copy_level(tree, &path, depth + 1)?;
                }
                Entry::File { digest, executable } => self.copy_file(digest, executable, &path)?,
                Entry::Symlink(target) => {
                    replace(create_temporary(&path, |fresh: &Path| symlink(&target, fresh))?, &path)?;
                }
            }
        }
        Ok(())
    }

    fn copy_file(&self, digest: Digest, executable: bool, path: &Path) -> Result<()> {
        let Some(Opened { file, path: blob, form }) = self.open_any_form(digest)? else {
            return Err(Error::Missing(digest));
        };
        let to = create_temporary(path, |fresh: &Path| File::create_new(fresh))?;
        if write_hashing(file, &blob, to.as_file(), path)? != digest {
            self.rehash(&blob, digest, form)?;
            return Err(Error::Missing(digest));
        }
        let mode = if executable { 0o755 } else { 0o644 };
        to.as_file().set_permissions(Permissions::from_mode(mode)).map_err(Error::io("set the mode of", path))?;
        replace(to, path)
    }
}

/// Creates a file or link with a unique name in the directory of `path`.
fn create_temporary<T>(path: &Path, make: impl FnMut(&Path) -> io::Result<T>) -> Result<NamedTempFile<T>> {
    let dir = path.parent().unwrap_or(path);
    tempfile::Builder::new().make_in(dir, make).map_err(Error::io("create", path))
}

/// Replaces a file or link at `path` with one rename, since another process can copy the same tree. An existing directory is an
/// error.
fn replace<T>(made: NamedTempFile<T>, path: &Path) -> Result<()> {
    made.persist(path).map(drop).map_err(|failed| Error::io("replace", path)(failed.error))
}

/// Creates a directory. A link to a directory is replaced, since files would otherwise be written outside `dest`.
fn make_real_dir(path: &Path) -> Result<()> {
    let is_real_dir = || fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    if is_real_dir() {
        return Ok(());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("replace", path)(error)),
        _ => {}
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_real_dir() => Ok(()),
        made => made.map_err(Error::io("create", path)),
    }
}
