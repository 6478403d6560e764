//! Single blobs in and out. Many at once are a `Batch`.

use std::fs;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::batch::{Pending, copy_hashing};
use super::object_path::Form;
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

impl Store {
    pub fn put(&self, bytes: &[u8]) -> Result<Digest> {
        let batch = self.batch();
        let digest = batch.put(bytes, false)?;
        batch.commit()?;
        Ok(digest)
    }

    pub fn put_reader(&self, reader: impl Read) -> Result<Digest> {
        let batch = self.batch();
        let digest = batch.put_reader(reader, Path::new("stream"), false)?;
        batch.commit()?;
        Ok(digest)
    }

    /// The digest is of the bytes that were stored, whatever happens to the file meanwhile.
    pub fn put_file(&self, path: &Path) -> Result<Digest> {
        let batch = self.batch();
        let digest = batch.put_file(path, false)?;
        batch.commit()?;
        Ok(digest)
    }

    /// The bytes, hashed on the way out. `Error::Missing` if they are not there or not right.
    pub fn get(&self, digest: Digest) -> Result<Vec<u8>> {
        for form in [Form::Plain, Form::Executable] {
            if let Some(bytes) = self.read(digest, form)? {
                return Ok(bytes);
            }
        }
        Err(Error::Missing(digest))
    }

    /// A handle to the content, checked by its stat data only. For content too large to `get`.
    pub fn open_blob(&self, digest: Digest) -> Result<File> {
        for form in [Form::Plain, Form::Executable] {
            if let Some((file, _)) = self.open_object(digest, form)? {
                return Ok(file);
            }
        }
        Err(Error::Missing(digest))
    }

    pub fn contains(&self, digest: Digest) -> Result<bool> {
        Ok(self.locate_blob(digest)?.is_some())
    }

    /// Reads a whole object and hashes it; wrong bytes are set aside and `None`.
    pub(in crate::store) fn read(&self, digest: Digest, form: Form) -> Result<Option<Vec<u8>>> {
        let Some((file, path)) = self.open_object(digest, form)? else { return Ok(None) };
        let mut bytes = Vec::new();
        // One byte more than announced, to notice what is too long without reading all of it.
        file.take(digest.size_bytes().saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
        if Digest::of(&bytes) == digest {
            return Ok(Some(bytes));
        }
        self.rehash(&path, digest, form)?;
        Ok(None)
    }

    /// An object that is there and sound by its stat data. Another process may set it aside at any moment.
    fn open_object(&self, digest: Digest, form: Form) -> Result<Option<(File, PathBuf)>> {
        let Some(path) = self.locate(digest, form)? else { return Ok(None) };
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(|file| Some((file, path.clone()))).map_err(Error::io("open", &path)),
        }
    }

    /// The directory that all contents lie below.
    pub fn blob_shelf(&self) -> PathBuf {
        self.root.join("blob")
    }

    /// Where below `blob_shelf` this content lies, for it to be copied: in which mode it lies there does not matter.
    pub fn below_blob_shelf(&self, digest: Digest) -> Result<String> {
        let path = self.locate_blob(digest)?.ok_or(Error::Missing(digest))?;
        let below = path.strip_prefix(self.blob_shelf()).unwrap_or(&path);
        Ok(below.to_string_lossy().into_owned())
    }

    /// In either form.
    fn locate_blob(&self, digest: Digest) -> Result<Option<PathBuf>> {
        match self.locate(digest, Form::Plain)? {
            None => self.locate(digest, Form::Executable),
            plain => Ok(plain),
        }
    }

    /// The path of a blob in the wanted form, made from the other form if only that is there.
    pub(in crate::store) fn blob_path(&self, digest: Digest, executable: bool) -> Result<PathBuf> {
        let (wanted, other) = (Form::blob(executable), Form::blob(!executable));
        if let Some(path) = self.locate(digest, wanted)? {
            return Ok(path);
        }
        let Some((file, source)) = self.open_object(digest, other)? else { return Err(Error::Missing(digest)) };
        let made = self.session.fresh();
        let copied = copy_hashing(file, &source, &made, wanted.mode());
        if copied.inspect_err(|_| drop(fs::remove_file(&made)))? != digest {
            let _ = fs::remove_file(&made);
            self.rehash(&source, digest, other)?;
            return Err(Error::Missing(digest));
        }
        self.publish(&Pending::from([((wanted, digest), made)]))?;
        Ok(wanted.path(&self.root, digest))
    }
}
