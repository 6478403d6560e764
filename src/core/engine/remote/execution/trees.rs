//! Trees of the store as a server has them: every level as a message whose digests are of the server's hash function. Levels that
//! the server is known to have are not encoded again.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prost::Message;

use crate::base::Digest;
use crate::engine::remote::{Content, Contents, DigestFunction, DigestMap, Error, RemoteDigest, trees};
use crate::store::{Directory, Entry, Store};

/// Encodes trees for one server.
pub(super) struct Trees {
    map: DigestMap,
    function: DigestFunction,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Levels that were encoded.
    encoded: HashMap<Digest, RemoteDigest>,
    /// Trees whose whole content the server has.
    uploaded: HashSet<Digest>,
    /// Single contents that the server has.
    contents: HashSet<RemoteDigest>,
}

impl Trees {
    pub(super) fn new(map: DigestMap, function: DigestFunction) -> Trees {
        Trees { map, function, state: Mutex::default() }
    }

    /// The hash function of the server.
    pub(super) fn function(&self) -> DigestFunction {
        self.function
    }

    /// The digest of a tree on the server. Adds to `contents` what the server may lack.
    pub(super) fn encode(&self, store: &Store, tree: Digest, contents: &mut Contents) -> Result<RemoteDigest, Error> {
        let mut levels: HashMap<Digest, Directory> = HashMap::new();
        let mut pending = vec![tree];
        while let Some(level) = pending.pop() {
            if levels.contains_key(&level) || self.is_uploaded(level) {
                continue;
            }
            let directory = store.directory(level)?;
            pending.extend(directory.entries.values().filter_map(|entry| match entry {
                Entry::Directory(below) => Some(*below),
                _ => None,
            }));
            levels.insert(level, directory);
        }
        let files = levels.values().flat_map(|level| level.entries.values()).filter_map(|entry| match entry {
            Entry::File { digest, .. } => Some(*digest),
            _ => None,
        });
        let files: HashSet<Digest> = files.collect();
        let files = self.map.of_blobs(self.function, &files.into_iter().collect::<Vec<_>>())?;
        self.encode_level(&Decoded { levels, files }, tree, contents)
    }

    fn encode_level(&self, decoded: &Decoded, level: Digest, contents: &mut Contents) -> Result<RemoteDigest, Error> {
        let Some(directory) = decoded.levels.get(&level) else {
            let known = self.state().encoded.get(&level).copied();
            return Ok(known.expect("a level is uploaded after it was encoded"));
        };
        let mut below = HashMap::new();
        for entry in directory.entries.values() {
            if let Entry::Directory(level) = entry {
                let remote = match self.already_encoded(decoded, *level, contents) {
                    Some(remote) => remote,
                    None => self.encode_level(decoded, *level, contents)?,
                };
                below.insert(*level, remote);
            }
        }
        let files = directory.entries.values().filter_map(|entry| match entry {
            Entry::File { digest, .. } => Some((decoded.files[digest], Content::Blob(*digest))),
            _ => None,
        });
        contents.extend(files);
        let message = trees::to_message(directory, &decoded.files, |level| below[level]);
        let remote = add_message(self.function, &message, contents);
        self.state().encoded.insert(level, remote);
        Ok(remote)
    }

    /// The digest of a level that this call has encoded already, with everything below it.
    fn already_encoded(&self, decoded: &Decoded, level: Digest, contents: &Contents) -> Option<RemoteDigest> {
        let remote = self.state().encoded.get(&level).copied()?;
        (!decoded.levels.contains_key(&level) || contents.contains_key(&remote)).then_some(remote)
    }

    /// Whether the server is known to have a whole tree.
    pub(super) fn is_uploaded(&self, tree: Digest) -> bool {
        self.state().uploaded.contains(&tree)
    }

    /// Removes contents that the server is known to have.
    pub(super) fn retain_unknown(&self, contents: &mut Contents) {
        let state = self.state();
        contents.retain(|digest, _| !state.contents.contains(digest));
    }

    /// Records that the server has trees and contents.
    pub(super) fn uploaded(
        &self,
        trees: impl IntoIterator<Item = Digest>,
        contents: impl IntoIterator<Item = RemoteDigest>,
    ) {
        let mut state = self.state();
        state.uploaded.extend(trees);
        state.contents.extend(contents);
    }

    /// Forgets what the server is known to have, because it lost something.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.uploaded.clear();
        state.contents.clear();
    }

    /// Every change of the state is complete, also if a thread panics.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The levels of a tree, and the digests of its files on the server.
struct Decoded {
    levels: HashMap<Digest, Directory>,
    files: HashMap<Digest, RemoteDigest>,
}

/// Adds a message to `contents`, and returns its digest.
pub(super) fn add_message(function: DigestFunction, message: &impl Message, contents: &mut Contents) -> RemoteDigest {
    add_bytes(function, message.encode_to_vec(), contents)
}

/// Adds bytes to `contents`, and returns their digest.
pub(super) fn add_bytes(function: DigestFunction, bytes: Vec<u8>, contents: &mut Contents) -> RemoteDigest {
    let digest = function.of(&bytes);
    contents.insert(digest, Content::Bytes(bytes));
    digest
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::RelPath;
    use crate::engine::remote::reapi;
    use crate::store::{Node, Tree};

    fn tree(store: &Store, paths: &[&str]) -> Digest {
        let digest = store.put(b"text").unwrap();
        let node = |path: &&str| (RelPath::parse(path).unwrap(), Node::File { digest, executable: false });
        store.put_tree(&Tree { nodes: paths.iter().map(node).collect() }).unwrap()
    }

    fn with_trees(function: DigestFunction, check: impl Fn(&Store, &Trees)) {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        check(&store, &Trees::new(DigestMap::new(store.clone()), function));
    }

    #[test]
    fn a_server_with_blake3_gets_the_messages_of_the_store() {
        with_trees(DigestFunction::Blake3, |store, trees| {
            let tree = tree(store, &["a/b/c", "a/d", "e"]);
            let mut contents = Contents::new();
            assert_eq!(trees.encode(store, tree, &mut contents).unwrap(), RemoteDigest::from_blake3(tree));
            assert_eq!(contents.len(), 4);
        });
    }

    #[test]
    fn another_server_gets_messages_with_its_own_digests() {
        with_trees(DigestFunction::Sha256, |store, trees| {
            let mut contents = Contents::new();
            let root = trees.encode(store, tree(store, &["a/f", "b/f", "c"]), &mut contents).unwrap();
            let decode = |digest: &RemoteDigest| match &contents[digest] {
                Content::Bytes(bytes) => {
                    assert_eq!(DigestFunction::Sha256.of(bytes), *digest);
                    reapi::Directory::decode(&bytes[..]).unwrap()
                }
                Content::Blob(blob) => panic!("{blob}"),
            };
            let root = decode(&root);
            assert_eq!(root.directories[0].digest, root.directories[1].digest);
            let below = RemoteDigest::from_message(root.directories[0].digest.as_ref().unwrap()).unwrap();
            let file = decode(&below).files[0].digest.clone().unwrap();
            assert_eq!(RemoteDigest::from_message(&file), Some(DigestFunction::Sha256.of(b"text")));
        });
    }

    #[test]
    fn what_was_uploaded_is_not_encoded_again_until_the_server_loses_something() {
        with_trees(DigestFunction::Sha256, |store, trees| {
            let (first, second) = (tree(store, &["a/f", "b"]), tree(store, &["a/f", "c"]));
            let mut contents = Contents::new();
            let digest = trees.encode(store, first, &mut contents).unwrap();
            let below = store.subtree(first, &RelPath::parse("a").unwrap()).unwrap().unwrap();
            trees.uploaded([first, below], contents.keys().copied());
            let mut rest = Contents::new();
            assert_eq!(trees.encode(store, first, &mut rest).unwrap(), digest);
            assert!(rest.is_empty());
            trees.encode(store, second, &mut rest).unwrap();
            trees.retain_unknown(&mut rest);
            assert_eq!(rest.len(), 1, "only the root is new");
            trees.forget();
            let mut all = Contents::new();
            assert_eq!(trees.encode(store, first, &mut all).unwrap(), digest);
            assert!(all.keys().eq(contents.keys()));
        });
    }
}
