//! How fetched bytes become trees, by the names that fetches use. The engine knows no wheel; this room introduces them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use crate::base::{Digest, RelPath};
use crate::engine::Unpacker;
use crate::python::wheel;
use crate::store::{Node, Store, Tree};

type Result = std::result::Result<Digest, Box<dyn std::error::Error + Send + Sync>>;

pub fn all() -> BTreeMap<&'static str, Unpacker> {
    BTreeMap::from([("file-1", file as Unpacker), ("wheel-1", wheel)])
}

/// The file itself, under its name.
fn file(store: &Store, path: &Path, file_name: &str) -> Result {
    let node = Node::File { digest: store.put_file(path)?, executable: false };
    let name = RelPath::parse(file_name)?;
    Ok(store.put_tree(&Tree { nodes: [(name, node)].into() })?)
}

fn wheel(store: &Store, path: &Path, file_name: &str) -> Result {


    let unpacked = wheel::unpack(store, file_name, &mut File::open(path)?, &wheel::Limits::default())?;

    Ok(unpacked.tree)
}
