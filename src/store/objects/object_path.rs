//! Where an object lies and whether it is still what its name says. Writing objects is `batch`.

use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::durable;
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

/// The three forms an object is kept in. The order is the order of publishing: trees after what they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    Plain,
    Executable,
    Tree,
}

impl Form {
    pub fn blob(executable: bool) -> Form {
        if executable { Form::Executable } else { Form::Plain }
    }

    pub fn mode(self) -> u32 {
        if self == Form::Executable { 0o555 } else { 0o444 }
    }

    pub fn path(self, root: &Path, digest: Digest) -> PathBuf {
        let (shelf, suffix) = match self {
            Form::Plain => ("blob", ""),
            Form::Executable => ("blob", "-x"),
            Form::Tree => ("tree", ""),
        };
        let hex = digest.hex();
        root.join(shelf).join(&hex[..2]).join(format!("{hex}{suffix}"))
    }
}

impl Store {
    /// The path of an object in this form if it is there and sound. What looks touched is hashed again: repaired if
    /// the bytes are right, set aside if they are not.
    pub(in crate::store) fn locate(&self, digest: Digest, form: Form) -> Result<Option<PathBuf>> {
        let path = form.path(&self.root, digest);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("look at", &path)(error)),
            Ok(metadata) if durable::is_sealed(&metadata, digest.size_bytes(), form.mode()) => Ok(Some(path)),
            Ok(metadata) if metadata.is_file() => Ok(self.rehash(&path, digest, form)?.then_some(path)),
            Ok(_) => self.set_aside(&path, None).map(|()| None),
        }
    }

    /// Reads the whole file. Right bytes get their seal back; wrong ones are set aside.
    pub(in crate::store) fn rehash(&self, path: &Path, digest: Digest, form: Form) -> Result<bool> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(Error::io("open", path))?,
        };
        let found = hash_file(&file, path)?;
        let metadata = file.metadata().map_err(Error::io("look at", path))?;
        if found.hash() != digest.hash() {
            return self.set_aside(path, Some(metadata.ino())).map(|()| false);
        }
        if !durable::is_sealed(&metadata, found.size_bytes(), form.mode()) {
            durable::seal(&file, path, form.mode())?;
        }
        // Whoever asks for the right hash with a wrong size gets nothing, and does no harm to what is there.
        Ok(found == digest)
    }

    /// Moves a damaged object out of sight. Another process may have replaced it by a sound one in the meantime
    /// (another inode): that one is put back.
    pub(in crate::store) fn set_aside(&self, path: &Path, inode: Option<u64>) -> Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = self.root.join("quarantine").join(format!("{name}.{}", self.session.unique()));
        match fs::rename(path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            moved => moved.map_err(Error::io("set aside", path))?,
        }
        let moved = fs::symlink_metadata(&aside).map_err(Error::io("look at", &aside))?;
        if inode.is_some_and(|inode| inode != moved.ino()) {
            return fs::rename(&aside, path).map_err(Error::io("put back", path));
        }
        self.note(format!("`{}` was damaged and is set aside as `{}`", path.display(), aside.display()));
        Ok(())
    }
}

fn hash_file(file: &File, path: &Path) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).map_err(Error::io("read", path))?;
    Ok(Digest::new(*hasher.finalize().as_bytes(), hasher.count()))
}
