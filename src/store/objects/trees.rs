//! Whole trees in and out of the store: `Tree` to `Directory` messages and back. Merging is `merge`.

use super::batch::Batch;
use super::directory::{Directory, Entry};
use super::object_path::Form;
use super::tree::{Node, Tree};
use crate::base::{Digest, RelPath};
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

/// Deeper trees are refused: nothing real is, and every walk here may recurse.
pub const MAX_DEPTH: usize = 256;

/// Trees with more nodes are refused, since a few messages that name each other can stand for any number.
const MAX_NODES: usize = 4_000_000;

impl Batch<'_> {
    /// Adds the tree's messages; the blobs it names are the caller's. The digest is that of the root's message.
    pub fn put_tree(&self, tree: &Tree) -> Result<Digest> {
        put_levels(tree, &mut |directory| self.put_directory(&directory.encode()))
    }
}

impl Store {
    pub fn put_tree(&self, tree: &Tree) -> Result<Digest> {
        let batch = self.batch();
        let digest = batch.put_tree(tree)?;
        batch.commit()?;
        Ok(digest)
    }

    /// The whole tree, flat. Whether its blobs are there is not looked at.
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

    /// Whether every level and every content is there.
    pub fn is_whole(&self, digest: Digest) -> Result<bool> {
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
        let bytes = match self.named_level(digest) {
            Some(bytes) => bytes,
            None => self.read(digest, Form::Tree)?.ok_or(Error::Missing(digest))?,
        };
        Directory::decode(&bytes).map_err(|why| malformed(digest, &why))
    }

    /// What lies at a path of a tree; `None` if nothing does. The root is `Entry::Directory` of the tree itself.
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

    /// The tree below a directory of a tree; `None` if no directory is there.
    pub fn subtree(&self, tree: Digest, path: &RelPath) -> Result<Option<Digest>> {
        Ok(match self.lookup(tree, path)? {
            Some(Entry::Directory(digest)) => Some(digest),
            _ => None,
        })
    }
}

/// The levels of a tree from the lowest up, each given to `put`, which tells its digest; that of the root.
pub(in crate::store) fn put_levels(tree: &Tree, put: &mut dyn FnMut(&Directory) -> Result<Digest>) -> Result<Digest> {
    let nodes: Vec<(&str, &Node)> = tree.nodes.iter().map(|(path, node)| (path.as_str(), node)).collect();
    put_level(put, &nodes, 0, 0)
}

/// `nodes` share their first `depth` components, which with a slash after each are `skip` bytes.
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
            // The level itself as a node: only a directory can hold others or be the root.
            if **node != Node::EmptyDirectory {
                return Err(refuse("something lies below a file, or the root is one".to_owned()));
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
