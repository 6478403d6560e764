//! Repair: damaged files go to `quarantine/`, and what refers to lost contents is forgotten, so that the next run makes it again.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::damage::{Damage, DamagedPart, is_unreadable};
use super::listing::entries;
use super::rows::RowId;
use crate::store::error::{Error, Result};
use crate::store::files;
use crate::store::layout::Store;
use crate::store::objects::object_path::Form;
use crate::store::objects::remove::remove_tree;

impl Store {
    /// Removes what is damaged. Other processes can use the store in the meantime.
    pub fn repair(&self, damages: &[Damage]) -> Result<()> {
        let mut rows: Vec<RowId> = Vec::new();
        for damage in damages {
            match &damage.part {
                DamagedPart::File(path) => self.repair_file(path)?,
                DamagedPart::Image(path) => self.discard(path)?,
                DamagedPart::Row(table, key) => rows.push((table.clone(), *key)),
                DamagedPart::Checkout(name) => self.forget_checkout(name)?,
            }
        }
        self.remove_rows(&rows)
    }

    /// An object whose metadata alone was changed is restored; any other file is quarantined.
    fn repair_file(&self, path: &Path) -> Result<()> {
        let inode = fs::symlink_metadata(path).ok().map(|metadata| metadata.ino());
        if let Some((digest, form)) = self.object_at(path) {
            match self.rehash(path, digest, form) {
                Ok(false) => {}
                Err(Error::Io { source, .. }) if is_unreadable(&source) => {}
                restored => return restored.map(drop),
            }
        }
        if inode.is_some() && path.symlink_metadata().is_ok() {
            self.quarantine(path, inode)?;
        }
        Ok(())
    }

    /// The digest and form of the object that belongs at a path.
    fn object_at(&self, path: &Path) -> Option<(crate::base::Digest, Form)> {
        let metadata = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
        let is_tree = path.starts_with(self.root.join("tree"));
        let (hash, form) = super::listing::identity(path, is_tree)?;
        Some((crate::base::Digest::new(hash, metadata.len()), form))
    }

    /// Removes a directory in one step for other processes, which may use it.
    pub(in crate::store) fn discard(&self, path: &Path) -> Result<()> {
        let discarded = self.tmp.fresh_path();
        match files::rename(path, &discarded) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            // An overlay cannot move directories of its lower layers.
            Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => remove_tree(path),
            moved => {
                moved.map_err(Error::io("move", path))?;
                remove_tree(&discarded)
            }
        }
    }

    /// Removes all record files of a checkout, those of its runs included.
    pub(in crate::store) fn forget_checkout(&self, name: &str) -> Result<()> {
        remove_tree(&self.root.join("run").join(name))?;
        for path in entries(&self.root.join("repository"))? {
            let is_own = path.file_name().is_some_and(|found| found.as_encoded_bytes().starts_with(name.as_bytes()));
            if is_own {
                match files::remove(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Error::io("remove", &path)(error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
