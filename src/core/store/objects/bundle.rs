//! Objects of the store as one file, for another store: a tar archive, compressed with gzip, so that every tar program reads it. Equal objects
//! give equal bytes. A bundle
//! of foreign origin is not trusted: each object must have the digest that its name states, and nothing but objects and the
//! expected members is read.
//!
//! ```text
//! <member>           a small file that the caller defines; the members come first, in the order of the caller
//! tree/<hex>         one level of a tree, sorted by name
//! blob/<hex>[-x]     the contents of a file, executable with `-x`, sorted by name
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::Path;

use ::tar::{Archive, Builder, Entry as TarEntry, EntryType, Header};
use flate2::Compression;
use flate2::GzBuilder;
use flate2::write::GzEncoder;

use super::archive::decompress::{self, Plain};
use super::archive::{UnpackLimits, Unpacking};
use super::batch::Batch;
use super::directory::{Directory, Entry};
use super::trees::MAX_DEPTH;
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

/// What the errors name.
const BUNDLE: &str = "the bundle";

/// The size limit of a member and of one level of a tree.
const SMALL_BYTES: u64 = 64 << 20;

/// An archive ends with two blocks of zeros.
const END_BYTES: u64 = 1024;

/// Objects of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// Levels of trees.
    pub trees: BTreeSet<Digest>,
    /// Blobs, and whether they are executable.
    pub blobs: BTreeSet<(Digest, bool)>,
}

impl Store {
    /// Adds a tree, all its levels and all its blobs to `objects`. `Error::Missing` if the store does not have a level.
    pub fn collect_objects(&self, tree: Digest, objects: &mut Objects) -> Result<()> {
        let mut left = vec![(tree, 0)];
        while let Some((tree, depth)) = left.pop() {
            if depth > MAX_DEPTH {
                return Err(refuse(format!("the tree {tree} is too deep")));
            }
            if !objects.trees.insert(tree) {
                continue;
            }
            for entry in self.directory(tree)?.entries.into_values() {
                match entry {
                    Entry::Directory(tree) => left.push((tree, depth + 1)),
                    Entry::File { digest, executable } => drop(objects.blobs.insert((digest, executable))),
                    Entry::Symlink(_) => {}
                }
            }
        }
        Ok(())
    }

    /// Writes a bundle. `Error::Missing` if the store does not have an object.
    pub fn write_bundle(&self, out: impl Write, members: &[(&str, &[u8])], objects: &Objects) -> Result<()> {
        let failed = || Error::io("write", BUNDLE);
        let mut builder = Builder::new(compressed(out));
        for (name, bytes) in members {
            append(&mut builder, name, bytes)?;
        }
        for tree in &objects.trees {
            append(&mut builder, &format!("tree/{}", tree.hex()), &self.directory(*tree)?.encode())?;
        }
        for (blob, executable) in &objects.blobs {
            append(&mut builder, &blob_name(*blob, *executable), &self.get(*blob)?)?;
        }
        let compressor = builder.into_inner().map_err(failed())?;
        let mut out = compressor.finish().map_err(failed())?;
        out.flush().map_err(failed())
    }

    /// Stores the objects of a bundle, and returns its members, which must be those of `names`. The objects are stored although
    /// a later one is refused: each has the right digest.
    pub fn read_bundle(&self, reader: impl Read, names: &[&str]) -> Result<BTreeMap<String, Vec<u8>>> {
        let limits: UnpackLimits = Unpacking::default().limits;
        let mut plain = decompress::open(self, reader, limits)?;
        let batch = self.batch();
        let mut found = Found { names, members: BTreeMap::new(), seen: BTreeSet::new() };
        let mut archive = Archive::new(&mut plain);
        for (count, entry) in archive.entries().map_err(unreadable("its head"))?.enumerate() {
            if count >= limits.entries {
                return Err(refuse(format!("it contains more than {count} entries")));
            }
            found.read(entry.map_err(unreadable("an entry"))?, &batch)?;
        }
        if !plain.drain(END_BYTES).map_err(unreadable("its end"))? {
            return Err(refuse("it is truncated"));
        }
        if let Some(name) = names.iter().find(|name| !found.members.contains_key(**name)) {
            return Err(refuse(format!("it contains no `{name}`")));
        }
        batch.commit()?;
        Ok(found.members)
    }
}

/// What was read so far.
struct Found<'n> {
    names: &'n [&'n str],
    members: BTreeMap<String, Vec<u8>>,
    seen: BTreeSet<String>,
}

impl Found<'_> {
    fn read(&mut self, mut entry: TarEntry<'_, &mut Plain<'_>>, batch: &Batch<'_>) -> Result<()> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let shown = name.escape_debug().take(100).collect::<String>();
        if entry.header().entry_type() != EntryType::Regular {
            return Err(refuse(format!("`{shown}` is not a regular file")));
        }
        if !self.seen.insert(name.clone()) {
            return Err(refuse(format!("it contains `{shown}` twice")));
        }
        let size = entry.size();
        let wrong = || refuse(format!("`{shown}` does not have the hash in its name"));
        if self.names.contains(&name.as_str()) {
            let bytes = small(&mut entry, size, &shown)?;
            self.members.insert(name, bytes);
        } else if let Some(hex) = name.strip_prefix("tree/") {
            let bytes = small(&mut entry, size, &shown)?;
            let directory =
                Directory::decode(&bytes).map_err(|why| refuse(format!("`{shown}` is not a tree: {why}")))?;
            let digest = batch.put_directory(&directory.encode())?;
            if digest.hex() != hex {
                return Err(wrong());
            }
        } else if let Some(hex) = name.strip_prefix("blob/") {
            let (hex, executable) = hex.strip_suffix("-x").map_or((hex, false), |hex| (hex, true));
            let at = Path::new(BUNDLE);
            let digest = match batch.put_reader(&mut entry, at, executable) {
                Err(Error::Io { tried: "read", path, source }) if path == at => {
                    return Err(unreadable("a blob")(source));
                }
                digest => digest?,
            };
            if digest.size_bytes() != size {
                return Err(refuse("it is truncated"));
            }
            if digest.hex() != hex {
                return Err(wrong());
            }
        } else {
            return Err(refuse(format!("it contains the unexpected file `{shown}`")));
        }
        Ok(())
    }
}

/// A file that is held in memory.
fn small(entry: &mut TarEntry<'_, &mut Plain<'_>>, size: u64, shown: &str) -> Result<Vec<u8>> {
    if size > SMALL_BYTES {
        return Err(refuse(format!("`{shown}` has more than {SMALL_BYTES} bytes")));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(unreadable("an entry"))?;
    if bytes.len() as u64 != size {
        return Err(refuse("it is truncated"));
    }
    Ok(bytes)
}

/// Compresses without a time or a file name.
fn compressed<W: Write>(out: W) -> GzEncoder<W> {
    GzBuilder::new().mtime(0).write(out, Compression::fast())
}

fn append(builder: &mut Builder<impl Write>, name: &str, bytes: &[u8]) -> Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes.len() as u64);
    builder.append_data(&mut header, name, bytes).map_err(Error::io("write", BUNDLE))
}

fn blob_name(blob: Digest, executable: bool) -> String {
    format!("blob/{}{}", blob.hex(), if executable { "-x" } else { "" })
}

fn refuse(why: impl Into<String>) -> Error {
    Error::Archive { archive: BUNDLE, why: why.into(), source: None }
}

fn unreadable(what: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Archive { archive: BUNDLE, why: format!("{what} cannot be read"), source: Some(source) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RelPath;
    use crate::store::tree::{Node, Tree};

    const NAMES: [&str; 2] = ["about.json", "more"];

    fn store(dir: &Path) -> Store {
        Store::open(dir).unwrap()
    }

    /// A tree with a file, an executable file of the same content, a link and an empty directory.
    fn sample(store: &Store) -> (Digest, Objects) {
        let content = store.put(b"content").unwrap();
        let batch = store.batch();
        batch.put(b"content", true).unwrap();
        batch.commit().unwrap();
        let path = |text: &str| RelPath::parse(text).unwrap();
        let nodes = [
            (path("a/file"), Node::File { digest: content, executable: false }),
            (path("a/program"), Node::File { digest: content, executable: true }),
            (path("b/link"), Node::Symlink { target: "../a/file".to_owned() }),
            (path("empty"), Node::EmptyDirectory),
        ];
        let tree = store.put_tree(&Tree { nodes: nodes.into() }).unwrap();
        let mut objects = Objects::default();
        store.collect_objects(tree, &mut objects).unwrap();
        (tree, objects)
    }

    fn bundle(store: &Store, objects: &Objects) -> Vec<u8> {
        let mut bytes = Vec::new();
        store.write_bundle(&mut bytes, &[("about.json", b"{}"), ("more", b"")], objects).unwrap();
        bytes
    }

    /// A bundle with other entries: name, type, content, and the size that the header states.
    fn forged(entries: &[(&str, EntryType, &[u8], u64)]) -> Vec<u8> {
        let mut tar = Vec::new();
        for (name, kind, content, size) in entries {
            let mut header = Header::new_gnu();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(*size);
            header.set_mode(0o644);
            header.set_cksum();
            tar.extend(header.as_bytes());
            tar.extend(*content);
            tar.resize(tar.len().next_multiple_of(512), 0);
        }
        tar.resize(tar.len() + 1024, 0);
        let mut writer = compressed(Vec::new());
        writer.write_all(&tar).unwrap();
        writer.finish().unwrap()
    }

    fn refused(bytes: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        store(dir.path()).read_bundle(bytes, &NAMES).unwrap_err().to_string()
    }

    #[test]
    fn a_bundle_moves_a_tree_to_another_store() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (store(one.path()), store(other.path()));
        let (tree, objects) = sample(&from);
        let bytes = bundle(&from, &objects);
        assert_eq!(bytes, bundle(&from, &objects), "equal objects give equal bytes");
        let members = to.read_bundle(&bytes[..], &NAMES).unwrap();
        assert_eq!(members["about.json"], b"{}");
        assert_eq!(to.tree(tree).unwrap(), from.tree(tree).unwrap());
        assert!(to.is_complete(tree).unwrap());
        to.materialize(tree).unwrap();
    }

    #[test]
    fn a_large_file_is_moved() {
        let one = tempfile::tempdir().unwrap();
        let from = store(one.path());
        let large: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let blob = from.put(&large).unwrap();
        let objects = Objects { trees: BTreeSet::new(), blobs: BTreeSet::from([(blob, false)]) };
        let bytes = bundle(&from, &objects);
        let other = tempfile::tempdir().unwrap();
        let to = store(other.path());
        to.read_bundle(&bytes[..], &NAMES).unwrap();
        assert_eq!(to.get(blob).unwrap(), large);
    }

    #[test]
    fn every_truncation_is_refused() {
        let one = tempfile::tempdir().unwrap();
        let from = store(one.path());
        let (_, objects) = sample(&from);
        let bytes = bundle(&from, &objects);
        let other = tempfile::tempdir().unwrap();
        let to = store(other.path());
        for at in (0..bytes.len()).step_by(7) {
            assert!(to.read_bundle(&bytes[..at], &NAMES).is_err(), "cut at {at}");
        }
        for at in (0..bytes.len()).step_by(11) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            // A changed bit is found by a hash or a checksum, or it is in a field without a meaning.
            if let Ok(members) = to.read_bundle(&changed[..], &NAMES) {
                assert_eq!(members["about.json"], b"{}", "byte {at}");
            }
        }
    }

    #[test]
    fn forged_bundles_are_refused() {
        let file = EntryType::Regular;
        let wrong = format!("blob/{}", Digest::of(b"other").hex());
        let right = format!("blob/{}", Digest::of(b"content").hex());
        let tree = format!("tree/{}", Digest::of(b"\xff").hex());
        let check = |entries: &[(&str, EntryType, &[u8], u64)], expected: &str| {
            let message = refused(&forged(entries));
            assert!(message.contains(expected), "{message}");
        };
        check(&[(&wrong, file, b"content", 7)], "does not have the hash in its name");
        check(&[(&right, file, b"content", 7), (&right, file, b"content", 7)], "twice");
        check(&[(&tree, file, b"\xff", 1)], "is not a tree");
        check(&[("blob/../../escaped", file, b"content", 7)], "does not have the hash in its name");
        check(&[("../escaped", file, b"content", 7)], "unexpected file `../escaped`");
        check(&[("/etc/passwd", file, b"content", 7)], "unexpected file");
        check(&[("about.json", EntryType::Symlink, b"", 0)], "is not a regular file");
        check(&[("about.json", file, b"{}", 1 << 40)], "more than");
        check(&[("about.json", file, b"{}", 2)], "it contains no `more`");
        check(&[], "it contains no `about.json`");
        assert!(refused(b"not a bundle").contains("the bundle"));
    }

    #[test]
    fn a_decompression_bomb_is_refused() {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let mut header = Header::new_gnu();
        header.set_path("about.json").unwrap();
        header.set_entry_type(EntryType::Regular);
        header.set_size(60 << 20);
        header.set_cksum();
        writer.write_all(header.as_bytes()).unwrap();
        writer.write_all(&vec![0; 60 << 20]).unwrap();
        let bytes = writer.finish().unwrap();
        assert!(bytes.len() < 300_000, "{}", bytes.len());
        let dir = tempfile::tempdir().unwrap();
        assert!(store(dir.path()).read_bundle(&bytes[..], &NAMES).is_err());
    }
}
