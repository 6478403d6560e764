//! Verifies that an image matches its tree: the kind, size, mode, time and link target of every entry, and that there are no other
//! entries. Contents are not read: `verify` does that.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::directory::Entry;
use super::durable;
use super::image::{DIRECTORY_MODE, has_fixed_time};
use super::object_path::Form;
use super::trees::{MAX_DEPTH, malformed};
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

impl Store {
    /// The first difference between the image at `root` and its tree; `None` if there is none.
    pub(in crate::store) fn image_fault(&self, tree: Digest, root: &Path) -> Result<Option<String>> {
        match self.level_fault(tree, root, 0) {
            // A part of the image is missing, or another process is replacing it now.
            Err(Error::Io { path, source, .. })
                if path.starts_with(root)
                    && matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
            {
                Ok(Some(format!("`{}` is missing", path.display())))
            }
            fault => fault,
        }
    }

    fn level_fault(&self, tree: Digest, at: &Path, depth: usize) -> Result<Option<String>> {
        if depth > MAX_DEPTH {
            return Err(malformed(tree, "it is too deep"));
        }
        let differs = |what: &str| Ok(Some(format!("`{}` {what}", at.display())));
        let metadata = fs::symlink_metadata(at).map_err(Error::io("read the metadata of", at))?;
        if !metadata.is_dir() || metadata.mode() & 0o7777 != DIRECTORY_MODE || !has_fixed_time(&metadata) {
            return differs("has another kind, mode or time");
        }
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(at).map_err(Error::io("list", at))? {
            let entry = entry.map_err(Error::io("list", at))?;
            found.insert(entry.file_name(), entry);
        }
        for (name, entry) in &self.directory(tree)?.entries {
            let path = at.join(name);
            let Some(found) = found.remove(std::ffi::OsStr::new(name)) else {
                return Ok(Some(format!("`{}` is missing", path.display())));
            };
            let fault = match entry {
                Entry::Directory(tree) => self.level_fault(*tree, &path, depth + 1)?,
                entry => entry_fault(entry, &found, &path)?,
            };
            if fault.is_some() {
                return Ok(fault);
            }
        }
        match found.keys().next() {
            Some(extra) => differs(&format!("contains the additional entry `{}`", extra.display())),
            None => Ok(None),
        }
    }
}

fn entry_fault(entry: &Entry, found: &fs::DirEntry, path: &Path) -> Result<Option<String>> {
    let metadata = found.metadata().map_err(Error::io("read the metadata of", path))?;
    let is_intact = match entry {
        Entry::File { digest, executable } => {
            durable::is_sealed(&metadata, digest.size_bytes(), Form::blob(*executable).mode())
        }
        Entry::Symlink(target) => {
            metadata.is_symlink()
                && has_fixed_time(&metadata)
                && fs::read_link(path).is_ok_and(|found| found.as_os_str() == target.as_str())
        }
        Entry::Directory(_) => metadata.is_dir(),
    };
    Ok((!is_intact).then(|| format!("`{}` was modified", path.display())))
}
