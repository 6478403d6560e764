//! Whether a directory holds exactly a tree: every entry's kind, size, mode, time and link target, and nothing else.
//! Contents are not read: `verify` does that.

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
    /// What is wrong with the image at `root`; `None` if nothing is.
    pub(in crate::store) fn image_fault(&self, tree: Digest, root: &Path) -> Result<Option<String>> {
        match self.level_fault(tree, root, 0) {
            // Part of it is missing, or another process is replacing it right now.
            Err(Error::Io { path, source, .. })
                if path.starts_with(root)
                    && matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
            {
                Ok(Some(format!("`{}` is gone", path.display())))
            }
            fault => fault,
        }
    }

    fn level_fault(&self, tree: Digest, at: &Path, depth: usize) -> Result<Option<String>> {
        if depth > MAX_DEPTH {
            return Err(malformed(tree, "it is too deep"));
        }
        let wrong = |what: &str| Ok(Some(format!("`{}` {what}", at.display())));
        let metadata = fs::symlink_metadata(at).map_err(Error::io("look at", at))?;
        if !metadata.is_dir() || metadata.mode() & 0o7777 != DIRECTORY_MODE || !has_fixed_time(&metadata) {
            return wrong("is not as it was made");
        }
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(at).map_err(Error::io("list", at))? {
            let entry = entry.map_err(Error::io("list", at))?;
            found.insert(entry.file_name(), entry);
        }
        for (name, entry) in &self.directory(tree)?.entries {
            let path = at.join(name);
            let Some(found) = found.remove(std::ffi::OsStr::new(name)) else {
                return Ok(Some(format!("`{}` is gone", path.display())));
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
            Some(extra) => wrong(&format!("holds `{}`, which was not there", extra.display())),
            None => Ok(None),
        }
    }
}

fn entry_fault(entry: &Entry, found: &fs::DirEntry, path: &Path) -> Result<Option<String>> {
    let metadata = found.metadata().map_err(Error::io("look at", path))?;
    let sound = match entry {
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
    Ok((!sound).then(|| format!("`{}` was changed", path.display())))
}
