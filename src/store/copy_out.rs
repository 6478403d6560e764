//! Tree to directory, for people: ordinary writable files that are theirs. Images for sandboxes are `image`.

use std::fs;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::directory::Entry;
use super::error::{Error, Result};
use super::layout::Store;
use super::trees::{MAX_DEPTH, malformed};
use crate::base::Digest;

impl Store {
    /// Copies a tree's files into `dest`, which is made if it is missing. Files and links already there under the same
    /// names are replaced, other things stay; nothing is written through a link that lies there.
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
                    clear(&path)?;
                    symlink(target, &path).map_err(Error::io("create", &path))?;
                }
            }
        }
        Ok(())
    }

    fn copy_file(&self, digest: Digest, executable: bool, path: &Path) -> Result<()> {
        let mut from = self.open_blob(digest)?;
        clear(path)?;
        let mut to = File::create_new(path).map_err(Error::io("create", path))?;
        io::copy(&mut from, &mut to).map_err(Error::io("write", path))?;
        let mode = if executable { 0o755 } else { 0o644 };
        to.set_permissions(Permissions::from_mode(mode)).map_err(Error::io("set the mode of", path))
    }
}

/// A link to a directory would lead the files elsewhere.
fn make_real_dir(path: &Path) -> Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(());
    }
    clear(path)?;
    fs::create_dir(path).map_err(Error::io("create", path))
}

/// A directory in the way is not removed: that it is there is an error.
fn clear(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Error::io("replace", path)),
    }
}
