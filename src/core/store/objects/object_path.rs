//! Paths of objects, and their verification. `batch` writes objects.

use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::durable;
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::files;
use crate::store::layout::Store;

/// The three forms of stored objects. They are published in this order: trees after the blobs that they refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Form {
    /// A blob without execute permission.
    Plain,
    /// A blob with execute permission.
    Executable,
    /// The message of one directory level.
    Tree,
}

impl Form {
    /// The form of a blob.
    pub(crate) fn blob(executable: bool) -> Form {
        if executable { Form::Executable } else { Form::Plain }
    }

    /// The mode of the file.
    pub(crate) fn mode(self) -> u32 {
        if self == Form::Executable { 0o555 } else { 0o444 }
    }

    /// The path of an object in the store at `root`.
    pub(crate) fn path(self, root: &Path, digest: Digest) -> PathBuf {
        let (dir, suffix) = match self {
            Form::Plain => ("blob", ""),
            Form::Executable => ("blob", "-x"),
            Form::Tree => ("tree", ""),
        };
        let hex = digest.hex();
        root.join(dir).join(&hex[..2]).join(format!("{hex}{suffix}"))
    }
}

impl Store {
    /// The path of an object in this form, if it exists and is intact. If its metadata differs, it is hashed again: the metadata is
    /// restored if the hash is correct, otherwise the object is quarantined.
    pub(in crate::store) fn locate(&self, digest: Digest, form: Form) -> Result<Option<PathBuf>> {
        let path = form.path(&self.root, digest);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read the metadata of", &path)(error)),
            Ok(metadata) if durable::is_sealed(&metadata, digest.size_bytes(), form.mode()) => Ok(Some(path)),
            Ok(metadata) if metadata.is_file() => Ok(self.rehash(&path, digest, form)?.then_some(path)),
            Ok(_) => self.quarantine(&path, None).map(|()| None),
        }
    }

    /// Hashes the whole file. If the hash is correct, the metadata is restored; otherwise the file is quarantined.
    pub(in crate::store) fn rehash(&self, path: &Path, digest: Digest, form: Form) -> Result<bool> {
        let file = match files::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(Error::io("open", path))?,
        };
        let found = hash_file(&file, path)?;
        let metadata = file.metadata().map_err(Error::io("read the metadata of", path))?;
        if found.hash() != digest.hash() {
            return self.quarantine(path, Some(metadata.ino())).map(|()| false);
        }
        if !durable::is_sealed(&metadata, found.size_bytes(), form.mode()) {
            durable::seal(&file, path, form.mode())?;
        }
        // A digest with the correct hash and a wrong size does not match, but the stored object is intact.
        Ok(found == digest)
    }

    /// Moves a damaged file to `quarantine/`. If another process has replaced it by an intact one in the meantime, which then has
    /// another inode, that one is moved back.
    pub(in crate::store) fn quarantine(&self, path: &Path, inode: Option<u64>) -> Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let quarantined = self.root.join("quarantine").join(format!("{name}.{}", self.tmp.unique_suffix()));
        match files::rename(path, &quarantined) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            moved => moved.map_err(Error::io("quarantine", path))?,
        }
        let moved = fs::symlink_metadata(&quarantined).map_err(Error::io("read the metadata of", &quarantined))?;
        if inode.is_some_and(|inode| inode != moved.ino()) {
            return files::rename(&quarantined, path).map_err(Error::io("restore", path));
        }
        if moved.is_file() {
            mark_damaged(&quarantined);
        }
        self.add_notice(format!("`{}` is damaged and was moved to `{}`", path.display(), quarantined.display()));
        Ok(())
    }
}

/// Changes the modification time of a damaged file. It may also be part of images, as a hard link: their next check then finds
/// it. An error is ignored, since the next scrub of the image's files tries again.
pub(in crate::store) fn mark_damaged(path: &Path) {
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH));
}

pub(in crate::store) fn hash_file(file: &File, path: &Path) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    files::before_read(path).map_err(Error::io("read", path))?;
    hasher.update_reader(file).map_err(Error::io("read", path))?;
    Ok(Digest::new(*hasher.finalize().as_bytes(), hasher.count()))
}
