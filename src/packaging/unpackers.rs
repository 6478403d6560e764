//! How fetched bytes become trees: the functions that the engine is given, by the names that `Fetch` steps use.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use crate::base::Digest;
use crate::packaging::wheel;
use crate::store::{Store, Unpacking};

type Result = std::result::Result<Digest, Box<dyn std::error::Error + Send + Sync>>;

/// Turns a downloaded file, whose published name is given, into a tree of the store.
pub type Unpacker = fn(&Store, &Path, &str) -> Result;

/// Every unpacker by its name. The number in a name is raised when its trees change.
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
