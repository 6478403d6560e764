//! How fetched bytes become trees, by the names that fetches use. The engine knows no wheel; this room introduces them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use crate::base::Digest;
use crate::engine::Unpacker;
use crate::python::wheel;
use crate::store::{Store, Unpacking};

type Result = std::result::Result<Digest, Box<dyn std::error::Error + Send + Sync>>;

pub fn all() -> BTreeMap<&'static str, Unpacker> {
    BTreeMap::from([("sdist-1", sdist as Unpacker), ("wheel-1", wheel)])
}

/// What the one directory of a source distribution holds.
fn sdist(store: &Store, path: &Path, _file_name: &str) -> Result {
    Ok(store.unpack_tar(File::open(path)?, &Unpacking { strip_components: 1, ..Unpacking::default() })?)
}

fn wheel(store: &Store, path: &Path, file_name: &str) -> Result {
    Ok(wheel::unpack(store, file_name, &mut File::open(path)?, &wheel::Limits::default())?.tree)
}
