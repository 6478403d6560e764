//! Unpackers: functions that turn a downloaded file into a tree. `Fetch` steps refer to them by name. Downloading is done
//! by the engine.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use crate::base::{Digest, RelPath};
use crate::packaging::wheel;
use crate::store::{Node, Store, Tree, Unpacking};

type Result = std::result::Result<Digest, Box<dyn std::error::Error + Send + Sync>>;

/// Unpacks a downloaded file into the store and returns its tree. The last argument is the published file name.
pub type Unpacker = fn(&Store, &Path, &str) -> Result;

/// All unpackers by name. The number in a name must be incremented when the resulting trees change.
pub fn all() -> BTreeMap<&'static str, Unpacker> {
    BTreeMap::from([("file-1", file as Unpacker), ("sdist-1", sdist), ("wheel-1", wheel)])
}

/// The file itself, under its published name.
fn file(store: &Store, path: &Path, file_name: &str) -> Result {
    let batch = store.batch();
    let node = Node::File { digest: batch.put_file(path, false)?, executable: false };
    let tree = batch.put_tree(&Tree { nodes: BTreeMap::from([(RelPath::parse(file_name)?, node)]) })?;
    batch.commit()?;
    Ok(tree)
}

/// The contents of the single top-level directory of a source distribution.
fn sdist(store: &Store, path: &Path, _file_name: &str) -> Result {
    Ok(store.unpack_tar(File::open(path)?, &Unpacking { strip_components: 1, ..Unpacking::default() })?)
}

fn wheel(store: &Store, path: &Path, file_name: &str) -> Result {
    Ok(wheel::unpack(store, file_name, &mut File::open(path)?, &wheel::Limits::default())?.tree)
}
