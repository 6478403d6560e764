//! Unpackers: functions that turn a downloaded file into a tree. `Fetch` steps refer to them by name. Downloading is done
//! by the engine.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use crate::base::Digest;
use crate::packaging::wheel;
use crate::store::{Store, Unpacking};

type Result = std::result::Result<Digest, Box<dyn std::error::Error + Send + Sync>>;

/// Unpacks a downloaded file into the store and returns its tree. The last argument is the published file name.
pub type Unpacker = fn(&Store, &Path, &str) -> Result;

/// All unpackers by name. The number in a name must be incremented when the resulting trees change.
pub fn all() -> BTreeMap<&'static str, Unpacker> {
    BTreeMap::from([("sdist-1", sdist as Unpacker), ("wheel-1", wheel)])
}

/// The contents of the single top-level directory of a source distribution.
fn sdist(store: &Store, path: &Path, _file_name: &str) -> Result {
    Ok(store.unpack_tar(File::open(path)?, &Unpacking { strip_components: 1, ..Unpacking::default() })?)
}

fn wheel(store: &Store, path: &Path, file_name: &str) -> Result {
    Ok(wheel::unpack(store, file_name, &mut File::open(path)?, &wheel::Limits::default())?.tree)
}
