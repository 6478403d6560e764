//! Writing and reading of single blobs. `batch` writes many at once.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::batch::{Pending, copy_hashing};
use super::object_path::Form;
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::files;
use crate::store::layout::Store;

/// An object whose metadata is as expected.
pub(in crate::store) struct Opened {
    /// Open for reading.
    pub(in crate::store) file: File,
    /// Its path.
    pub(in crate::store) path: PathBuf,
    /// Its form.
    pub(in crate::store) form: Form,
}

impl Store {
    /// Stores a blob.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest> {
        let batch = self.batch();
        let digest = batch.put(bytes, false)?;
        batch.commit()?;
        Ok(digest)
    }

    /// Stores a blob with all bytes of the reader.
    pub fn put_reader(&self, reader: impl Read) -> Result<Digest> {
        let batch = self.batch();
        let digest = batch.put_reader(reader, Path::new("stream"), false)?;
        batch.commit()?;
        Ok(digest)
    }

    /// Stores a blob with the content of a file. The digest is that of the stored bytes, even if the file changes during the call.
    pub fn put_file(&self, path: &Path) -> Result<Digest> {
        let batch = self.batch();
        let digest = batch.put_file(path, false)?;
        batch.commit()?;
        Ok(digest)
    }

    /// The verified bytes of a blob. `Error::Missing` if the blob is missing or damaged.
    pub fn get(&self, digest: Digest) -> Result<Vec<u8>> {
        for form in [Form::Plain, Form::Executable] {
            if let Some(bytes) = self.read(digest, form)? {
                return Ok(bytes);
            }
        }
        Err(Error::Missing(digest))
    }

    /// Opens a blob for reading, for content that is too large for `get`. Only its metadata is verified.
    pub fn open_blob(&self, digest: Digest) -> Result<File> {
        Ok(self.open_any_form(digest)?.ok_or(Error::Missing(digest))?.file)
    }

    /// Opens a blob in the first form that exists.
    pub(in crate::store) fn open_any_form(&self, digest: Digest) -> Result<Option<Opened>> {
        self.write_if_late(digest)?;
        for form in [Form::Plain, Form::Executable] {
            if let Some((file, path)) = self.open_object(digest, form)? {
                return Ok(Some(Opened { file, path, form }));
            }
        }
        Ok(None)
    }

    /// Whether the store has a blob. Only its metadata is verified.
    pub fn contains(&self, digest: Digest) -> Result<bool> {
        Ok(self.is_late(digest) || self.locate_blob(digest)?.is_some())
    }

    /// Reads and hashes a blob in every form that exists; damaged ones are quarantined. Returns whether an intact one is left.
    pub fn verify_blob(&self, digest: Digest) -> Result<bool> {
        self.write_if_late(digest)?;
        let mut is_intact = false;
        for form in [Form::Plain, Form::Executable] {
            if let Some(path) = self.locate(digest, form)? {
                is_intact |= self.rehash(&path, digest, form)?;
            }
        }
        Ok(is_intact)
    }

    /// Reads a whole object and verifies its hash. A damaged object is quarantined and yields `None`.
    pub(in crate::store) fn read(&self, digest: Digest, form: Form) -> Result<Option<Vec<u8>>> {
        if let Some(bytes) = self.late.get(digest, form) {
            return Ok(Some(bytes.to_vec()));
        }
        let Some((file, path)) = self.open_object(digest, form)? else { return Ok(None) };
        let mut bytes = Vec::new();
        files::before_read(&path).map_err(Error::io("read", &path))?;
        // One byte more than expected detects a file that is too long without reading all of it.
        file.take(digest.size_bytes().saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
        if Digest::of(&bytes) == digest {
            return Ok(Some(bytes));
        }
        self.rehash(&path, digest, form)?;
        Ok(None)
    }

    /// Opens an object whose metadata is as expected. Another process can quarantine it at any time, so a missing file is not an error.
    fn open_object(&self, digest: Digest, form: Form) -> Result<Option<(File, PathBuf)>> {
        let Some(path) = self.locate(digest, form)? else { return Ok(None) };
        match files::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(|file| Some((file, path.clone()))).map_err(Error::io("open", &path)),
        }
    }

    /// The directory that contains all blobs.
    pub fn blob_root(&self) -> PathBuf {
        self.root.join("blob")
    }

    /// The path of a blob relative to `blob_root`, for copying. The mode of the file can be that of either form.
    pub fn relative_blob_path(&self, digest: Digest) -> Result<String> {
        self.write_if_late(digest)?;
        let path = self.locate_blob(digest)?.ok_or(Error::Missing(digest))?;
        let below = path.strip_prefix(self.blob_root()).unwrap_or(&path);
        Ok(below.to_string_lossy().into_owned())
    }

    /// The path of a blob in either form.
    fn locate_blob(&self, digest: Digest) -> Result<Option<PathBuf>> {
        match self.locate(digest, Form::Plain)? {
            None => self.locate(digest, Form::Executable),
            plain => Ok(plain),
        }
    }

    /// The path of a blob in the wanted form. It is copied from the other form if necessary.
    pub(in crate::store) fn blob_path(&self, digest: Digest, executable: bool) -> Result<PathBuf> {
        self.write_if_late(digest)?;
        let (wanted, other) = (Form::blob(executable), Form::blob(!executable));
        if let Some(path) = self.locate(digest, wanted)? {
            return Ok(path);
        }
        let Some((file, source)) = self.open_object(digest, other)? else { return Err(Error::Missing(digest)) };
        let made = self.tmp.fresh_path();
        let copied = copy_hashing(file, &source, &made, wanted.mode());
        if copied.inspect_err(|_| drop(files::remove(&made)))? != digest {
            let _ = files::remove(&made);
            self.rehash(&source, digest, other)?;
            return Err(Error::Missing(digest));
        }
        self.publish(&Pending::from([((wanted, digest), made)]))?;
        Ok(wanted.path(&self.root, digest))
    }
}
