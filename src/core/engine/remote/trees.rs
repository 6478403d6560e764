//! Trees as a server knows them: the message `Tree`, whose directories refer to each other and to files by the server's digests,
//! and, for servers with SHA-256, the BLAKE3 digests of the files.

use std::collections::{BTreeMap, HashMap};

use prost::Message;

use crate::base::Digest;
use crate::engine::remote::{DigestFunction, DigestMap, RemoteDigest, reapi};
use crate::store::{Directory, Entry, Error, Result, Store};

/// The maximum number of directories of a tree from a server.
const MAX_DIRECTORIES: usize = 1_000_000;

/// A file of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TreeFile {
    /// Its digest in the store.
    pub(super) local: Digest,
    /// Its digest on the server.
    pub(super) remote: RemoteDigest,
    /// Whether it is executable.
    pub(super) executable: bool,
}

/// A tree for a server.
pub(super) struct EncodedTree {
    /// The message `Tree`.
    pub(super) message: Vec<u8>,
    /// The BLAKE3 digests of the distinct files, 32 bytes each, in the order in which the message mentions them first. Empty for
    /// a server that uses BLAKE3.
    pub(super) digests: Vec<u8>,
    /// The distinct files.
    pub(super) files: Vec<TreeFile>,
    /// The messages of the directories. Some servers, such as buildbox-casd, hide results if they do not have these, too.
    pub(super) directories: Vec<(RemoteDigest, Vec<u8>)>,
}

/// A tree from a server, verified.
pub(super) struct DecodedTree {
    /// The levels, each after those below it.
    pub(super) levels: Vec<Directory>,
    /// The distinct files.
    pub(super) files: Vec<TreeFile>,
}

/// The message `Tree`, whose directories stay encoded: their digests are those of the bytes.
#[derive(Clone, PartialEq, prost::Message)]
struct RawTree {
    #[prost(bytes = "vec", tag = "1")]
    root: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    children: Vec<Vec<u8>>,
}

/// Encodes a tree of the store.
pub(super) fn encode(store: &Store, map: &DigestMap, function: DigestFunction, tree: Digest) -> Result<EncodedTree> {
    let levels = levels(store, tree)?;
    let mut files = Vec::new();
    for (_, directory) in &levels {
        for entry in directory.entries.values() {
            if let Entry::File { digest, executable } = entry {
                files.push((*digest, *executable));
            }
        }
    }
    let blobs: Vec<Digest> = files.iter().map(|(digest, _)| *digest).collect();
    let remote = map.of_blobs(function, &blobs)?;
    let mut encoded: HashMap<Digest, (RemoteDigest, Vec<u8>)> = HashMap::new();
    for (digest, directory) in levels.iter().rev() {
        let message = to_message(directory, &remote, |below| encoded[below].0).encode_to_vec();
        encoded.insert(*digest, (function.of(&message), message));
    }
    let mut messages = levels.iter().map(|(digest, _)| encoded[digest].1.clone());
    let raw = RawTree { root: messages.next().unwrap_or_default(), children: messages.collect() };
    let message = raw.encode_to_vec();
    let (digests, files) =
        distinct(files.into_iter().map(|(local, executable)| TreeFile { local, remote: remote[&local], executable }));
    let digests = if function == DigestFunction::Blake3 { Vec::new() } else { digests };
    Ok(EncodedTree { message, digests, files, directories: encoded.into_values().collect() })
}

/// The levels of a tree, each before those below it, and each once.
fn levels(store: &Store, tree: Digest) -> Result<Vec<(Digest, Directory)>> {
    let mut order: Vec<(Digest, Directory)> = Vec::new();
    let mut seen: HashMap<Digest, usize> = HashMap::new();
    visit(store, tree, &mut seen, &mut order, 0)?;
    // The levels were found after those below them.
    order.reverse();
    Ok(order)
}

fn visit(
    store: &Store,
    tree: Digest,
    seen: &mut HashMap<Digest, usize>,
    order: &mut Vec<(Digest, Directory)>,
    depth: usize,
) -> Result<()> {
    if seen.insert(tree, depth).is_some() {
        return Ok(());
    }
    if depth > 256 {
        return Err(Error::Malformed { tree: tree.to_string(), why: "it is too deep".to_owned() });
    }
    let directory = store.directory(tree)?;
    for entry in directory.entries.values() {
        if let Entry::Directory(below) = entry {
            visit(store, *below, seen, order, depth + 1)?;
        }
    }
    order.push((tree, directory));
    Ok(())
}

/// A level as a server with these digests has it.
pub(super) fn to_message(
    directory: &Directory,
    files: &HashMap<Digest, RemoteDigest>,
    below: impl Fn(&Digest) -> RemoteDigest,
) -> reapi::Directory {
    let mut message = reapi::Directory::default();
    for (name, entry) in &directory.entries {
        let name = name.clone();
        match entry {
            Entry::File { digest, executable } => message.files.push(file_node(name, files[digest], *executable)),
            Entry::Directory(digest) => message.directories.push(directory_node(name, below(digest))),
            Entry::Symlink(target) => {
                let target = target.clone();
                message.symlinks.push(reapi::SymlinkNode { name, target, ..reapi::SymlinkNode::default() });
            }
        }
    }
    message
}

pub(super) fn file_node(name: String, digest: RemoteDigest, is_executable: bool) -> reapi::FileNode {
    reapi::FileNode { name, digest: Some(digest.to_message()), is_executable, node_properties: None }
}

pub(super) fn directory_node(name: String, digest: RemoteDigest) -> reapi::DirectoryNode {
    reapi::DirectoryNode { name, digest: Some(digest.to_message()) }
}

/// Decodes a tree. `tree` is its digest in the store, and `digests` as in [`EncodedTree`]. Whatever is inconsistent is an error
/// with the reason.
pub(super) fn decode(
    function: DigestFunction,
    tree: Digest,
    message: &[u8],
    digests: &[u8],
) -> std::result::Result<DecodedTree, String> {
    let raw = RawTree::decode(message).map_err(|error| format!("its tree is malformed: {error}"))?;
    if raw.children.len() > MAX_DIRECTORIES {
        return Err("its tree is too large".to_owned());
    }
    let mut local = Locals { function, digests: digests.chunks_exact(32), known: BTreeMap::new(), files: Vec::new() };
    let mut parsed = Vec::new();
    for bytes in std::iter::once(&raw.root).chain(&raw.children) {
        let directory =
            reapi::Directory::decode(&bytes[..]).map_err(|error| format!("its tree is malformed: {error}"))?;
        // The order of the digests is that of the message.
        for file in &directory.files {
            local.file(file)?;
        }
        parsed.push((function.of(bytes), directory));
    }
    let mut below: HashMap<RemoteDigest, Digest> = HashMap::new();
    let mut levels = Vec::new();
    let mut root = None;
    // Directories come after those that contain them.
    for (remote, message) in parsed.into_iter().rev() {
        let directory = from_message(message, &local.known, &below)?;
        let digest = Digest::of(&directory.encode());
        below.insert(remote, digest);
        levels.push(directory);
        root = Some(digest);
    }
    match root {
        Some(root) if root == tree => Ok(DecodedTree { levels, files: distinct(local.files.into_iter()).1 }),
        _ => Err(format!("its tree is not {tree}")),
    }
}

/// The digests of files in the store.
struct Locals<'d> {
    function: DigestFunction,
    digests: std::slice::ChunksExact<'d, u8>,
    known: BTreeMap<RemoteDigest, Digest>,
    files: Vec<TreeFile>,
}

impl Locals<'_> {
    fn file(&mut self, file: &reapi::FileNode) -> std::result::Result<(), String> {
        let remote = file.digest.as_ref().and_then(RemoteDigest::from_message);
        let remote = remote.ok_or_else(|| format!("`{}` has a malformed digest", file.name.escape_debug()))?;
        let local = match (self.known.get(&remote), self.function) {
            (Some(local), _) => *local,
            (None, DigestFunction::Blake3) => Digest::new(remote.hash, remote.size_bytes),
            (None, DigestFunction::Sha256) => {
                let hash = self.digests.next().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                let hash = hash.ok_or_else(|| "the list of BLAKE3 digests is too short".to_owned())?;
                Digest::new(hash, remote.size_bytes)
            }
        };
        self.known.insert(remote, local);
        self.files.push(TreeFile { local, remote, executable: file.is_executable });
        Ok(())
    }
}

fn from_message(
    message: reapi::Directory,
    files: &BTreeMap<RemoteDigest, Digest>,
    below: &HashMap<RemoteDigest, Digest>,
) -> std::result::Result<Directory, String> {
    let mut directory = Directory::default();
    for file in message.files {
        let remote = file.digest.as_ref().and_then(RemoteDigest::from_message);
        let digest = remote.and_then(|remote| files.get(&remote)).ok_or("a file has no digest")?;
        directory.add(file.name, Entry::File { digest: *digest, executable: file.is_executable })?;
    }
    for child in message.directories {
        let remote = child.digest.as_ref().and_then(RemoteDigest::from_message);
        let digest = remote.and_then(|remote| below.get(&remote));
        let digest = digest.ok_or_else(|| format!("the directory `{}` is missing", child.name.escape_debug()))?;
        directory.add(child.name, Entry::Directory(*digest))?;
    }
    for link in message.symlinks {
        directory.add(link.name, Entry::Symlink(link.target))?;
    }
    Ok(directory)
}

/// The distinct files in the order of their first mention, and the list of their BLAKE3 hashes. A content that is executable at
/// one place and not at another is listed twice, with one hash.
fn distinct(files: impl Iterator<Item = TreeFile>) -> (Vec<u8>, Vec<TreeFile>) {
    let mut hashed = std::collections::BTreeSet::new();
    let mut seen = std::collections::BTreeSet::new();
    let (mut hashes, mut found) = (Vec::new(), Vec::new());
    for file in files {
        if hashed.insert(file.remote) {
            hashes.extend_from_slice(file.local.hash());
        }
        if seen.insert(file) {
            found.push(file);
        }
    }
    (hashes, found)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::RelPath;
    use crate::store::tree::{Node, Tree};

    fn sample(store: &Store) -> Digest {
        let one = store.put(b"one").unwrap();
        let two = store.put(b"two").unwrap();
        let path = |text: &str| RelPath::parse(text).unwrap();
        let nodes = [
            (path("a/b/file"), Node::File { digest: one, executable: false }),
            (path("a/b/program"), Node::File { digest: one, executable: true }),
            (path("c/b/file"), Node::File { digest: one, executable: false }),
            (path("c/b/program"), Node::File { digest: one, executable: true }),
            (path("c/two"), Node::File { digest: two, executable: false }),
            (path("empty"), Node::EmptyDirectory),
            (path("link"), Node::Symlink { target: "c/two".to_owned() }),
        ];
        store.put_tree(&Tree { nodes: nodes.into() }).unwrap()
    }

    fn open() -> (tempfile::TempDir, Arc<Store>) {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        (dir, store)
    }

    fn check(function: DigestFunction) {
        let (_dir, store) = open();
        let map = DigestMap::new(store.clone());
        let tree = sample(&store);
        let encoded = encode(&store, &map, function, tree).unwrap();
        let standard = reapi::Tree::decode(&encoded.message[..]).unwrap();
        assert_eq!(standard.children.len(), 4, "`a/b` and `c/b` are equal");
        let decoded = decode(function, tree, &encoded.message, &encoded.digests).unwrap();
        assert_eq!(decoded.files, encoded.files);
        assert_eq!(decoded.files.len(), 3);
        assert_eq!(Digest::of(&decoded.levels.last().unwrap().encode()), tree);
        assert_eq!(encoded.digests.len(), if function == DigestFunction::Sha256 { 64 } else { 0 });
        // Every other tree, and every changed byte, is refused.
        assert!(decode(function, Digest::of(b"other"), &encoded.message, &encoded.digests).is_err());
        for at in 0..encoded.message.len() {
            let mut changed = encoded.message.clone();
            changed[at] ^= 1;
            assert!(decode(function, tree, &changed, &encoded.digests).is_err(), "byte {at}");
        }
        if function == DigestFunction::Sha256 {
            assert!(decode(function, tree, &encoded.message, &encoded.digests[..40]).is_err());
        }
    }

    #[test]
    fn a_tree_survives_its_form_for_a_server_with_sha256() {
        check(DigestFunction::Sha256);
    }

    #[test]
    fn a_tree_survives_its_form_for_a_server_with_blake3() {
        check(DigestFunction::Blake3);
    }

    #[test]
    fn an_empty_tree_survives() {
        let (_dir, store) = open();
        let tree = store.put_tree(&Tree::default()).unwrap();
        let map = DigestMap::new(store.clone());
        let encoded = encode(&store, &map, DigestFunction::Sha256, tree).unwrap();
        assert!(decode(DigestFunction::Sha256, tree, &encoded.message, b"").unwrap().files.is_empty());
    }
}
