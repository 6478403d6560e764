//! Layers: one tree of the store as a compressed tar archive, which appears at one directory of the image. The bytes depend on the
//! tree and that directory alone: members are sorted, have fixed times, and belong to the user 0 except for a home directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};

use flate2::GzBuilder;
use flate2::write::GzEncoder;
use oci_spec::image::MediaType;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::existing::Existing;
use super::{Error, HOME, USER_ID, USER_NAME};
use crate::base::{Digest, RelPath};
use crate::packaging::archive::{mode, tar_header};
use crate::store::{Node, Store, Tree};

/// The archive in the tree of a layer.
const ARCHIVE: &str = "layer.tar.gz";
/// What is known of the archive, in the tree of a layer.
pub(super) const DESCRIPTION: &str = "layer.json";

/// Directories that are links into `usr` where that has them, as on all current distributions ("merged /usr").
pub(super) const MERGED: [&str; 6] = ["bin", "lib", "lib32", "lib64", "libx32", "sbin"];

/// A layer in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The digest of the archive in the store.
    pub content: Digest,
    /// The SHA-256 hash of the archive, in hexadecimal digits.
    pub sha256: String,
    /// The SHA-256 hash of the archive before compression.
    pub diff_sha256: String,
    /// What is in the layer, in words.
    pub comment: String,
    /// The media type of the archive.
    #[serde(default = "gzip", skip_serializing_if = "is_gzip")]
    pub media_type: String,
}

fn gzip() -> String {
    MediaType::ImageLayerGzip.to_string()
}

fn is_gzip(media_type: &str) -> bool {
    media_type == gzip()
}

impl Layer {
    /// Reads the layer that the tree of a step contains.
    pub fn read(store: &Store, tree: Digest) -> Result<Layer, Error> {
        let name = RelPath::parse(DESCRIPTION).expect("the name is clean");
        let nodes = store.tree(tree)?.nodes;
        let missing = || Error::Missing { name: DESCRIPTION.to_owned() };
        let content = nodes.get(&name).and_then(Node::content).ok_or_else(missing)?;
        serde_json::from_slice(&store.get(content)?)
            .map_err(|source| Error::Read { name: DESCRIPTION.to_owned(), source })
    }
}

/// Packs a tree that appears at `at`, a directory of the image; the root is the empty path. Returns a tree with the archive and its
/// description.
pub fn pack(store: &Store, tree: Digest, at: &RelPath) -> Result<Digest, Error> {
    pack_on(store, tree, at, &Existing::default())
}

/// Like [`pack`], above what `base` has: its directories stay as they are.
pub fn pack_on(store: &Store, tree: Digest, at: &RelPath, base: &Existing) -> Result<Digest, Error> {
    let nodes = store.tree(tree)?.nodes;
    let comment = format!("/{at}");
    write(store, comment, |archive| {
        let paths = nodes.keys().map(|path| at.join(path)).flat_map(|path| path.ancestors().collect::<Vec<_>>());
        archive.directories.extend(paths.filter(|path| base.is_directory(path)));
        archive.directory(at)?;
        for (path, node) in &nodes {
            archive.node(store, &at.join(path), node)?;
        }
        if at.as_str() == "usr" {
            for name in MERGED.into_iter().filter(|name| nodes.keys().any(|path| path.starts_with(&clean(name)))) {
                archive.node(store, &clean(name), &Node::Symlink { target: format!("usr/{name}") })?;
            }
        }
        Ok(())
    })
}

/// Packs what every system has besides its packages: the databases of users, the search order of names, directories for temporary
/// files and for what runtimes mount, and the home directory.
pub fn pack_base(store: &Store) -> Result<Digest, Error> {
    let home = clean(HOME.trim_start_matches('/'));
    let files = [
        ("etc/group", format!("root:x:0:\n{USER_NAME}:x:{USER_ID}:\nnogroup:x:65534:\n")),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n".to_owned()),
        (
            "etc/passwd",
            format!(
                "root:x:0:0:root:/root:/bin/sh\n{USER_NAME}:x:{USER_ID}:{USER_ID}:{USER_NAME}:{HOME}:/bin/sh\n\
                 nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
            ),
        ),
        ("etc/timezone", "Etc/UTC\n".to_owned()),
    ];
    write(store, "users and directories for temporary files".to_owned(), |archive| {
        for (path, text) in &files {
            archive.text(&clean(path), text)?;
        }
        archive.owned_directory(&home, mode(true), USER_ID)?;
        archive.owned_directory(&clean("root"), 0o700, 0)?;
        // Where runtimes mount, which they can only do there if the root is read-only.
        for path in ["dev", "proc", "run", "sys"] {
            archive.directory(&clean(path))?;
        }
        for path in ["tmp", "var/tmp"] {
            archive.owned_directory(&clean(path), 0o1777, 0)?;
        }
        Ok(())
    })
}

fn write(
    store: &Store,
    comment: String,
    members: impl FnOnce(&mut Archive) -> Result<(), Error>,
) -> Result<Digest, Error> {
    let scratch = store.scratch()?;
    let path = scratch.path().join(ARCHIVE);
    let file = Hashing { inner: BufWriter::new(File::create(&path)?), hasher: Sha256::new() };
    // Neither a time nor the operating system enters the header.
    let compressed = GzBuilder::new().operating_system(255).write(file, flate2::Compression::default());
    let mut archive = Archive {
        tar: tar::Builder::new(Hashing { inner: compressed, hasher: Sha256::new() }),
        directories: BTreeSet::from([RelPath::root()]),
    };
    members(&mut archive)?;
    let Hashing { inner: compressed, hasher: diff } = archive.tar.into_inner()?;
    let Hashing { inner: mut file, hasher } = compressed.finish()?;
    file.flush()?;
    drop(file);
    let batch = store.batch();
    let content = batch.put_file(&path, false)?;
    let layer = Layer {
        content,
        sha256: format!("{:x}", hasher.finalize()),
        diff_sha256: format!("{:x}", diff.finalize()),
        comment,
        media_type: gzip(),
    };
    let text = serde_json::to_vec(&layer).map_err(io::Error::from)?;
    let nodes = BTreeMap::from([
        (clean(ARCHIVE), Node::File { digest: content, executable: false }),
        (clean(DESCRIPTION), Node::File { digest: batch.put(&text, false)?, executable: false }),
    ]);
    let tree = batch.put_tree(&Tree { nodes })?;
    batch.commit()?;
    Ok(tree)
}

/// The archive of a layer while it is written.
struct Archive {
    tar: tar::Builder<Hashing<GzEncoder<Hashing<BufWriter<File>>>>>,
    /// The directories that already are members.
    directories: BTreeSet<RelPath>,
}

impl Archive {
    /// Adds a directory and those above it, unless they already are members.
    fn directory(&mut self, path: &RelPath) -> Result<(), Error> {
        match self.directories.contains(path) {
            true => Ok(()),
            false => self.owned_directory(path, mode(true), 0),
        }
    }

    /// Adds a directory, and those above it unless they already are members.
    fn owned_directory(&mut self, path: &RelPath, mode: u32, owner: u64) -> Result<(), Error> {
        self.parent(path)?;
        let mut header = tar_header(tar::EntryType::Directory, mode, 0);
        header.set_uid(owner);
        header.set_gid(owner);
        self.tar.append_data(&mut header, format!("{path}/"), io::empty())?;
        self.directories.insert(path.clone());
        Ok(())
    }

    fn parent(&mut self, path: &RelPath) -> Result<(), Error> {
        path.parent().map_or(Ok(()), |parent| self.directory(&parent))
    }

    fn text(&mut self, path: &RelPath, text: &str) -> Result<(), Error> {
        self.parent(path)?;
        let mut header = tar_header(tar::EntryType::Regular, mode(false), text.len() as u64);
        Ok(self.tar.append_data(&mut header, path.as_str(), text.as_bytes())?)
    }

    fn node(&mut self, store: &Store, path: &RelPath, node: &Node) -> Result<(), Error> {
        self.parent(path)?;
        match node {
            Node::File { digest, executable } => {
                let mut header = tar_header(tar::EntryType::Regular, mode(*executable), digest.size_bytes());
                self.tar.append_data(&mut header, path.as_str(), store.open_blob(*digest)?)?;
            }
            Node::Symlink { target } => {
                let mut header = tar_header(tar::EntryType::Symlink, 0o777, 0);
                self.tar.append_link(&mut header, path.as_str(), target)?;
            }
            Node::EmptyDirectory => self.directory(path)?,
        }
        Ok(())
    }
}

/// Hashes what is written.
struct Hashing<W> {
    inner: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn clean(path: &str) -> RelPath {
    RelPath::parse(path).expect("constants are clean")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn new_store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        (dir, store)
    }
    fn members(store: &Store, tree: Digest) -> Vec<String> {
        let layer = Layer::read(store, tree).unwrap();
        let bytes = store.get(layer.content).unwrap();
        assert_eq!(format!("{:x}", Sha256::digest(&bytes)), layer.sha256);
        let mut plain = Vec::new();
        GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
        assert_eq!(format!("{:x}", Sha256::digest(&plain)), layer.diff_sha256);
        let mut archive = tar::Archive::new(plain.as_slice());
        let text = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
            let entry = entry.unwrap();
            let header = entry.header();
            let link = entry.link_name().unwrap().map(|link| format!(" -> {}", link.display())).unwrap_or_default();
            let path = entry.path().unwrap().display().to_string();
            format!("{:o} {}:{} {path}{link}", header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap())
        };
        archive.entries().unwrap().map(text).collect()
    }

    #[test]
    fn a_layer_contains_the_tree_at_its_place() {
        let (_dir, store) = new_store();
        let digest = store.put(b"x").unwrap();
        let nodes = BTreeMap::from([
            (clean("bin/tool"), Node::File { digest, executable: true }),
            (clean("empty"), Node::EmptyDirectory),
            (clean("lib/a/data"), Node::File { digest, executable: false }),
            (clean("lib/link"), Node::Symlink { target: "a/data".to_owned() }),
        ]);
        let tree = store.put_tree(&Tree { nodes }).unwrap();
        let packed = pack(&store, tree, &clean("usr")).unwrap();
        assert_eq!(
            members(&store, packed),
            [
                "755 0:0 usr/",
                "755 0:0 usr/bin/",
                "755 0:0 usr/bin/tool",
                "755 0:0 usr/empty/",
                "755 0:0 usr/lib/",
                "755 0:0 usr/lib/a/",
                "644 0:0 usr/lib/a/data",
                "777 0:0 usr/lib/link -> a/data",
                "777 0:0 bin -> usr/bin",
                "777 0:0 lib -> usr/lib",
            ]
        );
        assert_eq!(pack(&store, tree, &clean("usr")).unwrap(), packed, "the same tree gives the same bytes");
    }

    #[test]
    fn the_base_has_a_home_of_its_user_and_shared_directories() {
        let (_dir, store) = new_store();
        let members = members(&store, pack_base(&store).unwrap());
        for expected in
            ["755 1000:1000 home/app/", "755 0:0 proc/", "1777 0:0 tmp/", "1777 0:0 var/tmp/", "644 0:0 etc/passwd"]
        {
            assert!(members.iter().any(|member| member == expected), "{expected}: {members:?}");
        }
    }

    #[test]
    fn long_paths_are_not_cut_off() {
        let (_dir, store) = new_store();
        let digest = store.put(b"x").unwrap();
        let long = clean(&["directory"; 30].join("/"));
        let nodes = BTreeMap::from([(long.clone(), Node::File { digest, executable: false })]);
        let tree = store.put_tree(&Tree { nodes }).unwrap();
        let packed = pack(&store, tree, &clean("src")).unwrap();
        assert_eq!(members(&store, packed).last().unwrap(), &format!("644 0:0 src/{long}"));
    }
}
