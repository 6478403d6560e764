//! Batches: many objects are written, then synced together, then renamed to their final paths. No object is visible before
//! `commit`, and a batch that is dropped leaves no files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::directory::Directory;
use super::durable;
use super::object_path::Form;
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::files;
use crate::store::layout::{self, Store, lock};

/// Content up to this size is hashed in memory first, so that content that the store already has is not written again.
const IN_MEMORY_BYTES: u64 = 1 << 20;

/// The paths in `tmp/` of objects that are written but not yet published.
pub(in crate::store) type Pending = BTreeMap<(Form, Digest), PathBuf>;

/// Objects that are published together. It can be shared by any number of threads.
#[derive(Debug)]
pub struct Batch<'s> {
    store: &'s Store,
    pending: Mutex<Pending>,
}

impl Store {
    /// An empty batch.
    pub fn batch(&self) -> Batch<'_> {
        Batch { store: self, pending: Mutex::default() }
    }

    /// Syncs, renames and syncs again, so that after a crash each object is either complete or absent.
    pub(in crate::store) fn publish(&self, pending: &Pending) -> Result<()> {
        durable::sync(&self.syncs, self.tmp.dir(), pending.values())?;
        let mut changed = BTreeSet::new();
        for ((form, digest), from) in pending {
            let to = form.path(&self.root, *digest);
            let dir = to.parent().expect("an object path has a parent directory");
            if publish_file(from, &to, dir)? == Parent::Created {
                changed.extend(dir.parent().map(Path::to_owned));
            }
            changed.insert(dir.to_owned());
            self.uses.wrote(digest.size_bytes());
        }
        durable::sync(&self.syncs, &self.root, changed.iter())
    }
}

impl Batch<'_> {
    /// Adds a blob.
    pub fn put(&self, bytes: &[u8], executable: bool) -> Result<Digest> {
        self.add(bytes, Form::blob(executable))
    }

    /// Adds a blob with all bytes of the reader. Errors refer to the reader by `name`.
    pub fn put_reader(&self, mut reader: impl Read, name: &Path, executable: bool) -> Result<Digest> {
        let mut head = Vec::new();
        let read = reader.by_ref().take(IN_MEMORY_BYTES).read_to_end(&mut head);
        if (read.map_err(Error::io("read", name))? as u64) < IN_MEMORY_BYTES {
            return self.put(&head, executable);
        }
        let path = self.store.tmp.fresh_path();
        let form = Form::blob(executable);
        let copied = copy_hashing(io::Cursor::new(head).chain(reader), name, &path, form.mode());
        let digest = copied.inspect_err(|_| drop(files::remove(&path)))?;
        if self.contains(digest, form)? {
            files::remove(&path).map_err(Error::io("remove", &path))?;
        } else {
            self.add_pending(digest, form, path);
        }
        Ok(digest)
    }

    /// Adds a blob with the content of a file. The digest is that of the stored bytes, even if the file changes during the call.
    pub fn put_file(&self, path: &Path, executable: bool) -> Result<Digest> {
        let file = files::open(path).map_err(Error::io("open", path))?;
        self.put_reader(file, path, executable)
    }

    /// Publishes all objects. Afterwards they survive a power failure.
    pub fn commit(self) -> Result<()> {
        // Objects of the batch may refer to them.
        if self.store.has_late() {
            self.store.write_late()?;
        }
        self.publish()
    }

    /// Publishes the objects of this batch alone.
    pub(in crate::store) fn publish(self) -> Result<()> {
        let pending = std::mem::take(&mut *lock(&self.pending));
        let outcome = self.store.publish(&pending);
        if outcome.is_err() {
            discard(&pending);
        }
        outcome
    }

    /// Adds one level of a tree. What is below it must be stored by the caller, before or in the same batch.
    pub fn put_level(&self, directory: &Directory) -> Result<Digest> {
        self.put_directory(&directory.encode())
    }

    pub(in crate::store) fn put_directory(&self, message: &[u8]) -> Result<Digest> {
        self.add(message, Form::Tree)
    }

    /// Adds an object.
    pub(in crate::store) fn add(&self, bytes: &[u8], form: Form) -> Result<Digest> {
        let digest = Digest::of(bytes);
        if !self.contains(digest, form)? {
            let path = self.store.tmp.fresh_path();
            durable::write(&path, bytes, form.mode()).inspect_err(|_| drop(files::remove(&path)))?;
            self.add_pending(digest, form, path);
        }
        Ok(digest)
    }

    fn contains(&self, digest: Digest, form: Form) -> Result<bool> {
        Ok(lock(&self.pending).contains_key(&(form, digest)) || self.store.locate(digest, form)?.is_some())
    }

    fn add_pending(&self, digest: Digest, form: Form, path: PathBuf) {
        let duplicate = lock(&self.pending).insert((form, digest), path);
        if let Some(duplicate) = duplicate {
            // Two threads wrote the same bytes. If the removal fails, dropping the `TmpDir` tries again.
            let _ = files::remove(&duplicate);
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        discard(&lock(&self.pending));
    }
}

/// Removes the files of a batch. Errors are ignored, since dropping the `TmpDir` tries again.
fn discard(pending: &Pending) {
    for path in pending.values() {
        let _ = files::remove(path);
    }
}

/// Whether the parent directory of a published object is new, so that its own parent must be synced too.
#[derive(PartialEq, Eq)]
enum Parent {
    Created,
    Existing,
}

/// Moves an object to its final path `to` in the directory `dir`. An object that another process has published in the meantime is
/// kept: it has the same content, and its inode may be in use for hard links.
fn publish_file(from: &Path, to: &Path, dir: &Path) -> Result<Parent> {
    match files::rename_new(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            layout::make_dir(dir)?;
            files::rename_new(from, to).map(|()| Parent::Created).map_err(Error::io("rename", to))
        }
        renamed => renamed.map(|()| Parent::Existing).map_err(Error::io("rename", to)),
    }
}

/// Writes all bytes of the reader to the new file `to` and returns the digest of the written bytes.
pub(in crate::store) fn copy_hashing(from: impl Read, name: &Path, to: &Path, mode: u32) -> Result<Digest> {
    let file = durable::create(to)?;
    let digest = write_hashing(from, name, &file, to)?;
    durable::seal(&file, to, mode)?;
    Ok(digest)
}

/// Writes all bytes of the reader to an open file and returns their digest. `name` and `to` are only for errors.
pub(in crate::store) fn write_hashing(mut from: impl Read, name: &Path, file: &File, to: &Path) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = files::read(&mut from, name, &mut buffer).map_err(Error::io("read", name))?;
        if count == 0 {
            return Ok(Digest::new(*hasher.finalize().as_bytes(), hasher.count()));
        }
        hasher.update(&buffer[..count]);
        files::write_all(file, to, &buffer[..count]).map_err(Error::io("write", to))?;
    }
}
