//! Writing and reading of whole trees: converts `Tree` to `Directory` messages and back. `merge` combines trees.

use super::batch::Batch;
use super::directory::{Directory, Entry};
use super::object_path::Form;
use super::tree::{Node, Tree};
use crate::base::{Digest, RelPath};
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

/// The maximum depth of a tree. Functions of this room can therefore recurse over levels.
pub(in crate::store) const MAX_DEPTH: usize = 256;

/// The maximum number of nodes. A few messages that refer to each other several times can describe an exponential number.
const MAX_NODES: usize = 4_000_000;

impl Batch<'_> {
    /// Adds the messages of a tree. Its blobs must be stored by the caller. The digest is that of the message of the root.
    pub fn put_tree(&self, tree: &Tree) -> Result<Digest> {
        put_levels(tree, &mut |directory| self.put_directory(&directory.encode()))
    }
}

impl Store {
    /// Stores the messages of a tree. Its blobs must be stored by the caller.
    pub fn put_tree(&self, tree: &Tree) -> Result<Digest> {
        let batch = self.batch();
        let digest = batch.put_tree(tree)?;
        batch.commit()?;
        Ok(digest)
    }

    /// A whole tree. Its blobs are not verified.
    pub fn tree(&self, digest: Digest) -> Result<Tree> {
        let mut tree = Tree::default();
        let mut left = vec![(RelPath::root(), digest)];
        while let Some((path, digest)) = left.pop() {
            if path.components().count() > MAX_DEPTH || tree.nodes.len() + left.len() > MAX_NODES {
                return Err(malformed(digest, "it is too deep or too large"));
            }
            let directory = self.directory(digest)?;
            if directory.entries.is_empty() && !path.is_root() {
                tree.nodes.insert(path.clone(), Node::EmptyDirectory);
            }
            for (name, entry) in directory.entries {
                let path = path.push(&name).map_err(|error| malformed(digest, &error.to_string()))?;
                match entry {
                    Entry::File { digest, executable } => {
                        drop(tree.nodes.insert(path, Node::File { digest, executable }))
                    }
                    Entry::Symlink(target) => drop(tree.nodes.insert(path, Node::Symlink { target })),
                    Entry::Directory(digest) => left.push((path, digest)),
                }
            }
        }
        Ok(tree)
    }

    /// Whether all levels and all blobs of a tree are in the store.
    pub fn is_complete(&self, digest: Digest) -> Result<bool> {
        let tree = match self.tree(digest) {
            Err(Error::Missing(_)) => return Ok(false),
            tree => tree?,
        };
        for content in tree.nodes.values().filter_map(Node::content) {
            if !self.contains(content)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One level of a tree.
    pub fn directory(&self, digest: Digest) -> Result<Directory> {
        let bytes = match self.lazy_level(digest) {
            Some(bytes) => bytes,
            None => self.read(digest, Form::Tree)?.ok_or(Error::Missing(digest))?,
        };
        Directory::decode(&bytes).map_err(|why| malformed(digest, &why))
    }

    /// The entry at a path of a tree; `None` if there is none. The root yields `Entry::Directory` with the tree itself.
    pub fn lookup(&self, tree: Digest, path: &RelPath) -> Result<Option<Entry>> {
        let mut found = Entry::Directory(tree);
        for name in path.components() {
            let Entry::Directory(digest) = found else { return Ok(None) };
            match self.directory(digest)?.entries.remove(name) {
                Some(entry) => found = entry,
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    /// The subtree at a path of a tree; `None` if there is no directory.
    pub fn subtree(&self, tree: Digest, path: &RelPath) -> Result<Option<Digest>> {
        Ok(match self.lookup(tree, path)? {
            Some(Entry::Directory(digest)) => Some(digest),
            _ => None,
        })
    }
}

/// Passes the levels of a tree to `put`, the deepest first, and returns the digest of the root. `put` returns the digest of a level.
pub(in crate::store) fn put_levels(tree: &Tree, put: &mut dyn FnMut(&Directory) -> Result<Digest>) -> Result<Digest> {
    let nodes: Vec<(&str, &Node)> = tree.nodes.iter().map(|(path, node)| (path.as_str(), node)).collect();
    put_level(put, &nodes, 0, 0)
}

/// One level. All `nodes` share their first `depth` components; these and their slashes are `skip` bytes.
fn put_level(
    put: &mut dyn FnMut(&Directory) -> Result<Digest>,
    nodes: &[(&str, &Node)],
    depth: usize,
    skip: usize,
) -> Result<Digest> {
    let shown = || nodes.first().map(|(path, _)| path[..skip.min(path.len())].to_owned()).unwrap_or_default();
    let refuse = |why: String| Error::Malformed { tree: shown(), why };
    if depth > MAX_DEPTH {
        return Err(refuse(format!("it is deeper than {MAX_DEPTH} directories")));
    }
    let mut directory = Directory::default();
    let mut rest = nodes;
    while let Some((path, node)) = rest.first() {
        let Some(below) = path.get(skip..).filter(|below| !below.is_empty()) else {
            // The node is the level itself: only a directory can contain other nodes or be the root.
            if **node != Node::EmptyDirectory {
                return Err(refuse("a file has other nodes below it, or the root is a file".to_owned()));
            }
            rest = &rest[1..];
            continue;
        };
        let name = below.split('/').next().unwrap_or(below);
        let is_same = |path: &str| {
            let rest = path.get(skip..).and_then(|below| below.strip_prefix(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let count = rest.iter().take_while(|(path, _)| is_same(path)).count();
        let (group, after) = rest.split_at(count);
        let entry = match node {
            Node::File { digest, executable } if count == 1 && name.len() == below.len() => {
                Entry::File { digest: *digest, executable: *executable }
            }
            Node::Symlink { target } if count == 1 && name.len() == below.len() => Entry::Symlink(target.clone()),
            _ => Entry::Directory(put_level(put, group, depth + 1, skip + name.len() + 1)?),
        };
        directory.add(name.to_owned(), entry).map_err(refuse)?;
        rest = after;
    }
    put(&directory)
}

pub(in crate::store) fn malformed(tree: Digest, why: &str) -> Error {
    Error::Malformed { tree: tree.to_string(), why: why.to_owned() }
}
