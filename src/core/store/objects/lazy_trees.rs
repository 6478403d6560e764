//! Lazily written trees: the digest is computed now, and the messages are written only if a step needs them. Most trees are inputs
//! of steps with a cached outcome. Writing them all would be most of the work of a run in which nothing changed.

use std::collections::HashMap;

use super::batch::Batch;
use super::directory::{Directory, Entry};
use super::tree::Tree;
use super::trees::put_levels;
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::layout::{Store, lock};

/// Messages of trees that are possibly not written yet, by their digests.
pub(in crate::store) type LazyLevels = HashMap<Digest, Vec<u8>>;

impl Store {
    /// Returns the same digest as `put_tree`, but keeps the messages in memory, where this process can read them. `write_lazy_tree`
    /// writes them to the disk.
    pub fn put_tree_lazily(&self, tree: &Tree) -> Result<Digest> {
        let mut levels = LazyLevels::new();
        let digest = put_levels(tree, &mut |directory: &Directory| {
            let message = directory.encode();
            let digest = Digest::of(&message);
            levels.insert(digest, message);
            Ok(digest)
        })?;
        lock(&self.lazy_levels).extend(levels);
        Ok(digest)
    }

    /// Writes a lazy tree. It must be called before anything that refers to the tree is stored. Other trees are ignored.
    /// `Error::Missing` if a blob of the tree is missing.
    pub fn write_lazy_tree(&self, tree: Digest) -> Result<()> {
        let batch = self.batch();
        self.write_level(&batch, tree)?;
        batch.commit()
    }

    fn write_level(&self, batch: &Batch<'_>, level: Digest) -> Result<()> {
        let Some(message) = self.lazy_level(level) else { return Ok(()) };
        batch.put_directory(&message)?;
        let directory = Directory::decode(&message).map_err(|why| super::trees::malformed(level, &why))?;
        for entry in directory.entries.into_values() {
            match entry {
                Entry::Directory(below) => self.write_level(batch, below)?,
                Entry::File { digest, .. } if !self.contains(digest)? => return Err(Error::Missing(digest)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The message of a level of a lazy tree.
    pub(in crate::store) fn lazy_level(&self, level: Digest) -> Option<Vec<u8>> {
        lock(&self.lazy_levels).get(&level).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RelPath;
    use crate::store::Node;

    fn tree(store: &Store) -> Tree {
        let digest = store.put(b"text").unwrap();
        let node = |path: &str| (RelPath::parse(path).unwrap(), Node::File { digest, executable: false });
        Tree { nodes: [node("a/b/c.py"), node("a/d.py"), node("e.py")].into() }
    }

    #[test]
    fn a_lazy_tree_has_the_digest_of_a_stored_tree_and_is_written_on_request() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open(&dir.path().join("store")).unwrap();
        let store = open();
        let tree = tree(&store);
        let lazy = store.put_tree_lazily(&tree).unwrap();
        assert_eq!(store.tree(lazy).unwrap(), tree);
        assert!(matches!(open().tree(lazy), Err(Error::Missing(_))), "it was written too early");
        store.write_lazy_tree(lazy).unwrap();
        assert_eq!(open().tree(lazy).unwrap(), tree);
        assert_eq!(store.put_tree(&tree).unwrap(), lazy);
        store.write_lazy_tree(Digest::of(b"not a lazy tree")).unwrap();
    }

    #[test]
    fn a_tree_with_missing_blobs_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let digest = Digest::of(b"never stored");
        let node = Node::File { digest, executable: false };
        let lazy = store.put_tree_lazily(&Tree { nodes: [(RelPath::parse("a/b").unwrap(), node)].into() }).unwrap();
        assert!(matches!(store.write_lazy_tree(lazy), Err(Error::Missing(lost)) if lost == digest));
        assert!(matches!(Store::open(store.root()).unwrap().tree(lazy), Err(Error::Missing(_))));
    }

    #[test]
    fn a_merge_writes_its_lazy_parts() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open(&dir.path().join("store")).unwrap();
        let store = open();
        let lazy = store.put_tree_lazily(&tree(&store)).unwrap();
        let part = |path: &str| (RelPath::parse(path).unwrap(), lazy);
        let merged = store.merge(&[part("x"), part("y")]).unwrap();
        assert_eq!(open().tree(merged).unwrap().nodes.len(), 6);
    }
}
