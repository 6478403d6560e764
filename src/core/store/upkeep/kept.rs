//! Images that something outside the store points into, such as an exported environment: they are kept as long as that exists.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::store::error::Result;
use crate::store::layout::Store;

/// The value of a row of the index: a path outside the store, and the trees whose images it needs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    kept_for: PathBuf,
    trees: Vec<Digest>,
}

impl Store {
    /// Keeps the images of these trees as long as `user` exists, an absolute path of a file, directory or link. Replaces what was
    /// kept for this path before.
    pub fn keep_for(&self, user: &Path, trees: &[Digest]) -> Result<()> {
        let key = blake3::hash(format!("kept for 1\n{}", user.display()).as_bytes());
        let kept = Kept { kept_for: user.to_owned(), trees: trees.to_vec() };
        // A path that is not UTF-8 cannot be represented. Its images are kept like other results.
        match serde_json::to_vec(&kept) {
            Ok(value) => self.index_put(key.as_bytes(), &value),
            Err(_) => Ok(()),
        }
    }
}

/// Whether a row keeps images for something that exists.
pub(super) fn is_needed(value: &[u8]) -> bool {
    let kept = serde_json::from_slice::<Kept>(value);
    kept.is_ok_and(|kept| match kept.kept_for.symlink_metadata() {
        Ok(_) => true,
        // In doubt, for example if a disk is not mounted or its directory cannot be read, it is kept.
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    })
}
