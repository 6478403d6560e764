//! The layers of images of registries. Their archives are used as they are; what they contain is read for two reasons: their hash before
//! compression is part of every image on top of them, and their directories and links decide where its files appear.

use std::collections::BTreeMap;
use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::Error;
use super::existing::{Existing, Member};
use super::layer::{DESCRIPTION, Layer};
use crate::base::{Digest, RelPath};
use crate::store::{Node, Store, Tree, Unpacking};

/// The archive in the tree of a pulled layer.
const ARCHIVE: &str = "layer";
/// Its members, in the tree of a pulled layer.
const MEMBERS: &str = "members.json";

/// Checks the archive of a layer. `tree` contains it as its only file. Returns a tree with the archive and its descriptions.
pub fn read(store: &Store, tree: Digest, diff_sha256: &str, media_type: &str) -> Result<Digest, Error> {
    let nodes = store.tree(tree)?.nodes;
    let (name, content) = match nodes.iter().next().map(|(name, node)| (name, node.content())) {
        Some((name, Some(content))) if nodes.len() == 1 => (name, content),
        _ => return Err(Error::Missing { name: ARCHIVE.to_owned() }),
    };
    let plain = store.decompressed(store.open_blob(content)?, Unpacking::default().limits)?;
    let mut plain = Hashing { inner: plain, hasher: Sha256::new() };
    let members = Member::read(&mut plain)?;
    // The end of the archive, which its reader leaves.
    io::copy(&mut plain, &mut io::sink())?;
    let got = format!("{:x}", plain.hasher.finalize());
    if got != diff_sha256 {
        return Err(Error::WrongContent { got, expected: diff_sha256.to_owned() });
    }
    let (sha256, media_type) = (name.to_string(), media_type.to_owned());
    let layer = Layer { content, sha256, diff_sha256: got, comment: String::new(), media_type };
    let batch = store.batch();
    let file = |name: &str, bytes: Vec<u8>| -> Result<(RelPath, Node), Error> {
        Ok((clean(name), Node::File { digest: batch.put(&bytes, false)?, executable: false }))
    };
    let nodes = BTreeMap::from([
        (clean(ARCHIVE), Node::File { digest: content, executable: false }),
        file(DESCRIPTION, serde_json::to_vec(&layer).map_err(io::Error::from)?)?,
        file(MEMBERS, serde_json::to_vec(&members).map_err(io::Error::from)?)?,
    ]);
    let tree = batch.put_tree(&Tree { nodes })?;
    batch.commit()?;
    Ok(tree)
}

/// What an image of these layers has, the lowest first. Those that were not pulled are read as a whole.
pub fn existing(store: &Store, layers: &[Digest]) -> Result<Existing, Error> {
    let mut image = Existing::default();
    for layer in layers {
        image.add(match store.tree(*layer)?.nodes.get(&clean(MEMBERS)).and_then(Node::content) {
            Some(members) => serde_json::from_slice(&store.get(members)?)
                .map_err(|source| Error::Read { name: MEMBERS.to_owned(), source })?,
            None => {
                let archive = store.open_blob(Layer::read(store, *layer)?.content)?;
                Member::read(store.decompressed(archive, Unpacking::default().limits)?)?
            }
        });
    }
    Ok(image)
}

/// Hashes what is read.
struct Hashing<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        Ok(length)
    }
}

fn clean(name: &str) -> RelPath {
    RelPath::parse(name).expect("constants are clean")
}

#[cfg(test)]
mod tests {
    use super::super::layer;
    use super::*;

    #[test]
    fn a_layer_is_checked_and_described() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let digest = store.put(b"x").unwrap();
        let nodes = BTreeMap::from([(clean("usr/bin/tool"), Node::File { digest, executable: true })]);
        let whole = layer::pack(&store, store.put_tree(&Tree { nodes }).unwrap(), &RelPath::root()).unwrap();
        let packed = Layer::read(&store, whole).unwrap();
        let file = Node::File { digest: packed.content, executable: false };
        let fetched = store.put_tree(&Tree { nodes: BTreeMap::from([(clean(&packed.sha256), file)]) }).unwrap();
        let tree = read(&store, fetched, &packed.diff_sha256, &packed.media_type).unwrap();
        let found = Layer::read(&store, tree).unwrap();
        assert_eq!(Layer { comment: packed.comment.clone(), ..found }, packed);
        assert_eq!(
            existing(&store, &[tree]).unwrap(),
            existing(&store, &[whole]).unwrap(),
            "the layer that was not pulled"
        );
        assert!(existing(&store, &[tree]).unwrap().is_directory(&clean("usr/bin")));
        let error = read(&store, fetched, &"0".repeat(64), &packed.media_type).unwrap_err().to_string();
        assert!(error.contains("which the configuration of the image names"), "{error}");
    }
}
