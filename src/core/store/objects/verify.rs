//! Verification of the whole store: every object is read and hashed. Damaged objects are quarantined as usual. `scrub` verifies
//! a part of the store each time it is called.

use std::fs;
use std::path::Path;

use super::object_path::Form;
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Number of intact objects.
    pub objects: u64,
    /// Sum of their sizes.
    pub bytes: u64,
    /// Names of damaged objects, which were quarantined.
    pub damaged: Vec<String>,
}

impl Store {
    /// Verifies every blob and every tree message.
    pub fn verify(&self) -> Result<Verified> {
        let mut verified = Verified::default();
        for (kind, is_tree) in [("blob", false), ("tree", true)] {
            for dir in sorted(&self.root.join(kind))? {
                for path in sorted(&dir)? {
                    self.verify_object(&path, is_tree, &mut verified)?;
                }
            }
        }
        Ok(verified)
    }

    pub(in crate::store) fn verify_object(&self, path: &Path, is_tree: bool, verified: &mut Verified) -> Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (hex, form) = match (name.strip_suffix("-x"), is_tree) {
            (_, true) => (name.as_str(), Form::Tree),
            (Some(hex), false) => (hex, Form::Executable),
            (None, false) => (name.as_str(), Form::Plain),
        };
        let metadata = fs::symlink_metadata(path).map_err(Error::io("read the metadata of", path))?;
        let hash = blake3::Hash::from_hex(hex).ok().filter(|_| metadata.is_file());
        let digest = hash.map(|hash| Digest::new(*hash.as_bytes(), metadata.len()));
        let is_intact = match digest {
            Some(digest) if form.path(&self.root, digest) == path => self.rehash(path, digest, form)?,
            _ => self.quarantine(path, None).map(|()| false)?,
        };
        if is_intact {
            verified.objects += 1;
            verified.bytes += metadata.len();
        } else {
            verified.damaged.push(name);
        }
        Ok(())
    }
}

/// The paths of a directory's entries, sorted.
pub(in crate::store) fn sorted(dir: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(dir).map_err(Error::io("list", dir))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(Error::io("list", dir))?;
    paths.sort();
    Ok(paths)
}
