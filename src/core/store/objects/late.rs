//! Late objects: this process can use them at once, and they are written to the disk a little later, many with one sync. They come from
//! a server, from which a run that is killed gets them again. No other process sees an object before it is durable.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::batch::Batch;
use super::directory::Directory;
use super::object_path::Form;
use crate::base::Digest;
use crate::store::error::Result;
use crate::store::layout::{Store, lock};

/// What may be in memory. Objects beyond that are written at once.
const MEMORY_BYTES: usize = 16 << 20;

/// Objects in memory.
type Objects = HashMap<(Form, Digest), Arc<[u8]>>;

/// The objects of a store that are not written yet.
#[derive(Debug, Default)]
pub(in crate::store) struct LateObjects {
    objects: Mutex<Objects>,
    /// The size of all objects. It is changed while `objects` is locked.
    bytes: AtomicUsize,
    /// Held by the thread that writes them.
    writing: Mutex<()>,
}

impl LateObjects {
    /// The bytes of an object.
    pub(in crate::store) fn get(&self, digest: Digest, form: Form) -> Option<Arc<[u8]>> {
        // Most stores have none, and each look into the store comes here first.
        if self.bytes.load(Ordering::Acquire) == 0 {
            return None;
        }
        lock(&self.objects).get(&(form, digest)).cloned()
    }

    /// Adds objects. Returns false, and adds none, if they do not fit.
    fn add(&self, new: &Objects) -> bool {
        let mut objects = lock(&self.objects);
        let new_bytes: usize = new.values().map(counted).sum();
        let mut bytes = self.bytes.load(Ordering::Relaxed);
        if bytes + new_bytes > MEMORY_BYTES {
            return false;
        }
        for (key, object) in new {
            if objects.insert(*key, object.clone()).is_none() {
                bytes += counted(object);
            }
        }
        self.bytes.store(bytes, Ordering::Release);
        true
    }

    fn remove(&self, written: &Objects) {
        let mut objects = lock(&self.objects);
        let removed: usize = written.keys().filter_map(|key| objects.remove(key)).map(|object| counted(&object)).sum();
        self.bytes.fetch_sub(removed, Ordering::Release);
    }
}

/// What an object counts. An empty one must be counted, too.
fn counted(object: &Arc<[u8]>) -> usize {
    object.len().max(1)
}

/// Late objects that become usable together.
#[derive(Debug)]
pub struct LateBatch<'s> {
    store: &'s Store,
    objects: Objects,
}

impl Store {
    /// An empty batch of late objects.
    pub fn late_batch(&self) -> LateBatch<'_> {
        LateBatch { store: self, objects: Objects::new() }
    }

    /// Writes all late objects. Afterwards they survive a power failure. If that fails, they stay in memory.
    pub fn write_late(&self) -> Result<()> {
        let _writing = lock(&self.late.writing);
        self.write_all_late()
    }

    /// Like `write_late`, and returns at once if another thread writes them.
    pub fn write_late_unless_busy(&self) -> Result<()> {
        match self.late.writing.try_lock() {
            Ok(_writing) => self.write_all_late(),
            Err(_) => Ok(()),
        }
    }

    fn write_all_late(&self) -> Result<()> {
        loop {
            let objects = lock(&self.late.objects).clone();
            if objects.is_empty() {
                return Ok(());
            }
            let batch = self.batch();
            for ((form, _), bytes) in &objects {
                batch.add(bytes, *form)?;
            }
            batch.publish()?;
            self.late.remove(&objects);
        }
    }

    /// Writes the late objects if this blob is one of them, because the caller needs a file.
    pub(in crate::store) fn write_if_late(&self, blob: Digest) -> Result<()> {
        if self.is_late(blob) { self.write_late() } else { Ok(()) }
    }

    /// Whether a blob is a late object.
    pub(in crate::store) fn is_late(&self, blob: Digest) -> bool {
        [Form::Plain, Form::Executable].into_iter().any(|form| self.late.get(blob, form).is_some())
    }

    /// Whether there are late objects.
    pub(in crate::store) fn has_late(&self) -> bool {
        self.late.bytes.load(Ordering::Acquire) > 0
    }
}

impl LateBatch<'_> {
    /// Adds a blob.
    pub fn put(&mut self, bytes: &[u8], executable: bool) -> Result<Digest> {
        self.add(bytes, Form::blob(executable))
    }

    /// Adds one level of a tree. What is below it must be stored by the caller, before or in the same batch.
    pub fn put_level(&mut self, directory: &Directory) -> Result<Digest> {
        self.add(&directory.encode(), Form::Tree)
    }

    /// Makes the objects usable. They are written at once if too many are in memory.
    pub fn commit(self) -> Result<()> {
        if self.store.late.add(&self.objects) {
            return Ok(());
        }
        let batch: Batch<'_> = self.store.batch();
        for ((form, _), bytes) in &self.objects {
            batch.add(bytes, *form)?;
        }
        batch.commit()
    }

    fn add(&mut self, bytes: &[u8], form: Form) -> Result<Digest> {
        let digest = Digest::of(bytes);
        if self.store.late.get(digest, form).is_none() && self.store.locate(digest, form)?.is_none() {
            self.objects.insert((form, digest), bytes.into());
        }
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RelPath;
    use crate::store::{Error, Node, Tree};

    fn open() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        (dir, store)
    }

    fn put(store: &Store, bytes: &[u8]) -> Digest {
        let mut batch = store.late_batch();
        let digest = batch.put(bytes, false).unwrap();
        batch.commit().unwrap();
        digest
    }

    #[test]
    fn a_late_object_is_usable_at_once_and_seen_by_others_when_it_is_durable() {
        let (_dir, store) = open();
        let other = Store::open(store.root()).unwrap();
        let mut batch = store.late_batch();
        let text = batch.put(b"text", true).unwrap();
        let empty = batch.put(b"", false).unwrap();
        assert!(!store.contains(text).unwrap(), "the batch is not complete");
        batch.commit().unwrap();
        assert_eq!(store.get(text).unwrap(), b"text");
        assert!(store.contains(text).unwrap() && store.contains(empty).unwrap());
        assert!(!other.contains(text).unwrap() && !other.contains(empty).unwrap());
        store.write_late().unwrap();
        assert!(!store.has_late());
        for store in [&store, &other] {
            assert_eq!((store.get(text).unwrap(), store.get(empty).unwrap()), (b"text".to_vec(), Vec::new()));
        }
    }

    #[test]
    fn a_late_blob_is_written_for_those_that_need_a_file() {
        let (_dir, store) = open();
        assert!(store.open_blob(put(&store, b"opened")).is_ok());
        let copied = put(&store, b"copied");
        assert!(store.blob_root().join(store.relative_blob_path(copied).unwrap()).exists());
        let linked = put(&store, b"linked");
        assert!(store.blob_path(linked, true).unwrap().exists());
        assert!(store.verify_blob(put(&store, b"verified")).unwrap());
        assert!(store.excerpt(put(&store, &[b'a'; 1000]), 10).is_ok());
    }

    #[test]
    fn nothing_is_published_that_refers_to_an_object_without_a_file() {
        let (_dir, store) = open();
        let digest = put(&store, b"text");
        let node = Node::File { digest, executable: false };
        let tree = store.put_tree(&Tree { nodes: [(RelPath::parse("a").unwrap(), node)].into() }).unwrap();
        assert!(Store::open(store.root()).unwrap().is_complete(tree).unwrap());
    }

    #[test]
    fn a_late_tree_is_complete_with_late_blobs() {
        let (_dir, store) = open();
        let mut batch = store.late_batch();
        let digest = batch.put(b"text", false).unwrap();
        let mut level = Directory::default();
        level.add("a".to_owned(), crate::store::Entry::File { digest, executable: false }).unwrap();
        let tree = batch.put_level(&level).unwrap();
        assert!(matches!(store.directory(tree), Err(Error::Missing(_))));
        batch.commit().unwrap();
        assert!(store.is_complete(tree).unwrap());
        store.write_late().unwrap();
        assert!(Store::open(store.root()).unwrap().is_complete(tree).unwrap());
    }

    #[test]
    fn what_does_not_fit_into_memory_is_written_at_once() {
        let (_dir, store) = open();
        let large = put(&store, &vec![7; MEMORY_BYTES + 1]);
        assert!(!store.has_late() && Store::open(store.root()).unwrap().contains(large).unwrap());
    }

    #[test]
    fn threads_that_add_objects_while_one_writes_them_lose_none() {
        let (_dir, store) = open();
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let store = &store;
                scope.spawn(move || {
                    for number in 0..50_u32 {
                        let digest = put(store, format!("{thread} {number}").as_bytes());
                        store.write_late_unless_busy().unwrap();
                        assert!(store.contains(digest).unwrap());
                    }
                });
            }
        });
        store.write_late().unwrap();
        let other = Store::open(store.root()).unwrap();
        for number in 0..200 {
            assert!(other.contains(Digest::of(format!("{} {}", number / 50, number % 50).as_bytes())).unwrap());
        }
    }
}
