//! Many objects published at once: all are written, then synced together, then renamed into place. Nothing is visible
//! before `commit`, and nothing stays of a batch that is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat, renameat2};

use super::durable;
use super::failpoint;
use super::object_path::Form;
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::layout::{self, Store, lock};

/// Content up to this size is hashed before it is written, so that what the store holds is not written again.
const IN_MEMORY_BYTES: u64 = 1 << 20;

/// Written but not yet published: where each object lies in `tmp/`.
pub(in crate::store) type Pending = BTreeMap<(Form, Digest), PathBuf>;

/// Shared by any number of threads.
#[derive(Debug)]
pub struct Batch<'s> {
    store: &'s Store,
    pending: Mutex<Pending>,
}

impl Store {
    pub fn batch(&self) -> Batch<'_> {
        Batch { store: self, pending: Mutex::default() }
    }

    /// Sync, rename, sync: a crash leaves each object whole or absent.
    pub(in crate::store) fn publish(&self, pending: &Pending) -> Result<()> {
        durable::sync(self.session.dir(), pending.values())?;
        failpoint::reach("batch: synced");
        let mut changed = BTreeSet::new();
        for ((form, digest), from) in pending {
            let to = form.path(&self.root, *digest);
            let shelf = to.parent().expect("an object lies in a directory");
            if publish_file(from, &to, shelf)? == Shelf::New {
                changed.extend(shelf.parent().map(Path::to_owned));
            }
            failpoint::reach("batch: renamed");
            changed.insert(shelf.to_owned());
        }
        durable::sync(&self.root, changed.iter())?;
        failpoint::reach("batch: done");
        Ok(())
    }
}

impl Batch<'_> {
    pub fn put(&self, bytes: &[u8], executable: bool) -> Result<Digest> {
        self.add(bytes, Form::blob(executable))
    }

    /// Stores what the reader gives up to its end. `name` is what errors call it.
    pub fn put_reader(&self, mut reader: impl Read, name: &Path, executable: bool) -> Result<Digest> {
        let mut head = Vec::new();
        let read = reader.by_ref().take(IN_MEMORY_BYTES).read_to_end(&mut head);
        if (read.map_err(Error::io("read", name))? as u64) < IN_MEMORY_BYTES {
            return self.put(&head, executable);
        }
        let path = self.store.session.fresh();
        let form = Form::blob(executable);
        let copied = copy_hashing(io::Cursor::new(head).chain(reader), name, &path, form.mode());
        let digest = copied.inspect_err(|_| drop(fs::remove_file(&path)))?;
        if self.holds(digest, form)? {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        } else {
            self.enter(digest, form, path);
        }
        Ok(digest)
    }

    /// Stores a file's content. The digest is of the bytes that were stored, whatever happens to the file meanwhile.
    pub fn put_file(&self, path: &Path, executable: bool) -> Result<Digest> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        self.put_reader(file, path, executable)
    }

    /// Publishes everything: afterwards it survives a power cut.
    pub fn commit(self) -> Result<()> {
        let pending = std::mem::take(&mut *lock(&self.pending));
        let outcome = self.store.publish(&pending);
        if outcome.is_err() {
            discard(&pending);
        }
        outcome
    }

    pub(in crate::store) fn put_directory(&self, message: &[u8]) -> Result<Digest> {
        self.add(message, Form::Tree)
    }

    fn add(&self, bytes: &[u8], form: Form) -> Result<Digest> {
        let digest = Digest::of(bytes);
        if !self.holds(digest, form)? {
            let path = self.store.session.fresh();
            durable::write(&path, bytes, form.mode()).inspect_err(|_| drop(fs::remove_file(&path)))?;
            failpoint::reach("batch: written");
            self.enter(digest, form, path);
        }
        Ok(digest)
    }

    fn holds(&self, digest: Digest, form: Form) -> Result<bool> {
        Ok(lock(&self.pending).contains_key(&(form, digest)) || self.store.locate(digest, form)?.is_some())
    }

    fn enter(&self, digest: Digest, form: Form, path: PathBuf) {
        let twin = lock(&self.pending).insert((form, digest), path);
        if let Some(twin) = twin {
            // Two threads wrote the same bytes. The session's removal tries again.
            let _ = fs::remove_file(twin);
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        discard(&lock(&self.pending));
    }
}

/// The session's own removal tries again, so a failure here is no news.
fn discard(pending: &Pending) {
    for path in pending.values() {
        let _ = fs::remove_file(path);
    }
}

#[derive(PartialEq, Eq)]
enum Shelf {
    New,
    Old,
}

/// What another process published meanwhile stays: by content it is the same, and its inode may be being linked.
fn publish_file(from: &Path, to: &Path, shelf: &Path) -> Result<Shelf> {
    match rename_new(from, to) {
        Err(Errno::ENOENT) => {
            layout::make_dir(shelf)?;
            rename_new(from, to).map(|()| Shelf::New).map_err(Error::os("rename", to))
        }
        renamed => renamed.map(|()| Shelf::Old).map_err(Error::os("rename", to)),
    }
}

fn rename_new(from: &Path, to: &Path) -> nix::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        Err(Errno::EEXIST) => nix::unistd::unlink(from),
        // rename(2): some file systems do not know the flag.
        Err(Errno::EINVAL) => renameat(AT_FDCWD, from, AT_FDCWD, to),
        renamed => renamed,
    }
}

/// Hashes exactly the bytes that are written.
pub(in crate::store) fn copy_hashing(mut from: impl Read, name: &Path, to: &Path, mode: u32) -> Result<Digest> {
    let mut file = durable::create(to)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count.map_err(Error::io("read", name))?,
        };
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        file.write_all(&buffer[..count]).map_err(Error::io("write", to))?;
    }
    durable::seal(&file, to, mode)?;
    Ok(Digest::new(*hasher.finalize().as_bytes(), hasher.count()))
}
