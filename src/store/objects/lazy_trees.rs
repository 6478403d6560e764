//! Trees that have a name before they are written. Most trees are inputs of steps whose outcome is known by that name
//! already: nobody will read them, so writing them all would be most of the work of a run in which nothing changed.

use std::collections::HashMap;

use super::batch::Batch;
use super::directory::{Directory, Entry};
use super::tree::Tree;
use super::trees::put_levels;
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::layout::{Store, lock};

/// The messages of named trees, level by level.
pub(in crate::store) type Named = HashMap<Digest, Vec<u8>>;

impl Store {
    /// The digest that `put_tree` would give. Its levels can be read by this process; on disk they are after
    /// `write_named`.
    pub fn name_tree(&self, tree: &Tree) -> Result<Digest> {
        let mut levels = Named::new();
        let digest = put_levels(tree, &mut |directory: &Directory| {
            let message = directory.encode();
            let digest = Digest::of(&message);
            levels.insert(digest, message);
            Ok(digest)
        })?;
        lock(&self.named).extend(levels);
        Ok(digest)
    }

    /// Writes what was named, to be called before anything is kept that refers to the tree; does nothing to other trees.
    /// `Error::Missing` if a file's content is not there.
    pub fn write_named(&self, tree: Digest) -> Result<()> {
        let batch = self.batch();
        self.write_level(&batch, tree)?;
        batch.commit()
    }

    fn write_level(&self, batch: &Batch<'_>, level: Digest) -> Result<()> {
        let Some(message) = self.named_level(level) else { return Ok(()) };
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

    pub(in crate::store) fn named_level(&self, level: Digest) -> Option<Vec<u8>> {
        lock(&self.named).get(&level).cloned()
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
    fn a_named_tree_is_the_one_that_would_be_put_and_is_written_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open(&dir.path().join("store")).unwrap();
        let store = open();
        let tree = tree(&store);
        let named = store.name_tree(&tree).unwrap();
        assert_eq!(store.tree(named).unwrap(), tree);
        assert!(matches!(open().tree(named), Err(Error::Missing(_))), "it is on disk already");
        store.write_named(named).unwrap();
        assert_eq!(open().tree(named).unwrap(), tree);
        assert_eq!(store.put_tree(&tree).unwrap(), named);
        store.write_named(Digest::of(b"no tree of ours")).unwrap();
    }

    #[test]
    fn a_tree_whose_files_are_not_there_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let digest = Digest::of(b"never stored");
        let node = Node::File { digest, executable: false };
        let named = store.name_tree(&Tree { nodes: [(RelPath::parse("a/b").unwrap(), node)].into() }).unwrap();
        assert!(matches!(store.write_named(named), Err(Error::Missing(lost)) if lost == digest));
        assert!(matches!(Store::open(store.root()).unwrap().tree(named), Err(Error::Missing(_))));
    }

    #[test]
    fn what_is_made_of_named_trees_is_written_with_them() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open(&dir.path().join("store")).unwrap();
        let store = open();
        let named = store.name_tree(&tree(&store)).unwrap();
        let part = |path: &str| (RelPath::parse(path).unwrap(), named);
        let merged = store.merge(&[part("x"), part("y")]).unwrap();
        assert_eq!(open().tree(merged).unwrap().nodes.len(), 6);
    }
}
