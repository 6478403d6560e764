//! All objects and images of a store with their sizes. Contents are not read.

use std::collections::BTreeMap;
use std::fs;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::store::error::{Error, Result};
use crate::store::layout::Store;
use crate::store::objects::object_path::Form;

/// The size of the blocks that stat(2) counts.
const BLOCK_BYTES: u64 = 512;

/// A stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Object {
    pub path: PathBuf,
    /// `None` for a file that is not named like an object of its directory.
    pub identity: Option<([u8; 32], Form)>,
    pub size_bytes: u64,
    pub disk_bytes: u64,
}

/// Files and the space that they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// The number of files and links.
    pub files: u64,
    /// The sum of their sizes.
    pub size_bytes: u64,
    /// The space on the disk. The hard links of an image take none.
    pub disk_bytes: u64,
}

impl Space {
    /// Adds the other one.
    pub(in crate::store) fn add(&mut self, other: Space) {
        self.files += other.files;
        self.size_bytes += other.size_bytes;
        self.disk_bytes += other.disk_bytes;
    }
}

impl Store {
    /// All blobs and tree messages, sorted by path.
    pub(in crate::store) fn objects(&self) -> Result<Vec<Object>> {
        let mut dirs = Vec::new();
        for kind in ["blob", "tree"] {
            dirs.extend(entries(&self.root.join(kind))?);
        }
        let lists: Result<Vec<Vec<Object>>> = dirs.par_iter().map(|dir| self.objects_in(dir)).collect();
        Ok(lists?.into_iter().flatten().collect())
    }

    fn objects_in(&self, dir: &Path) -> Result<Vec<Object>> {
        let is_tree = dir.parent() == Some(&self.root.join("tree"));
        let mut objects = Vec::new();
        for path in entries(dir)? {
            let metadata = match fs::symlink_metadata(&path) {
                // Another process quarantined or removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata.map_err(Error::io("read the metadata of", &path))?,
            };
            let identity = identity(&path, is_tree).filter(|_| metadata.is_file());
            objects.push(Object { path, identity, size_bytes: metadata.len(), disk_bytes: disk_bytes(&metadata) });
        }
        Ok(objects)
    }

    /// All images, each with the hash of its tree and what it takes besides the blobs.
    pub(in crate::store) fn images(&self) -> Result<BTreeMap<[u8; 32], Space>> {
        let images = entries(&self.root.join("image"))?;
        let measure = |path: &PathBuf| {
            let hash = blake3::Hash::from_hex(path.file_name()?.as_encoded_bytes()).ok()?;
            Some((*hash.as_bytes(), space(path)))
        };
        Ok(images.par_iter().filter_map(measure).collect())
    }
}

/// The hash and the form of the object at a path.
pub(in crate::store) fn identity(path: &Path, is_tree: bool) -> Option<([u8; 32], Form)> {
    let name = path.file_name()?.to_str()?;
    let (hex, form) = match (name.strip_suffix("-x"), is_tree) {
        (_, true) => (name, Form::Tree),
        (Some(hex), false) => (hex, Form::Executable),
        (None, false) => (name, Form::Plain),
    };
    let is_canonical = path.parent()?.file_name()? == hex.get(..2)? && !hex.bytes().any(|c| c.is_ascii_uppercase());
    let hash = blake3::Hash::from_hex(hex).ok().filter(|_| is_canonical)?;
    Some((*hash.as_bytes(), form))
}

/// The paths of a directory's entries, sorted; none if the directory does not exist.
pub(in crate::store) fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let listing = match fs::read_dir(dir) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        listing => listing.map_err(Error::io("list", dir))?,
    };
    let paths = listing.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
    let mut paths = paths.map_err(Error::io("list", dir))?;
    paths.sort();
    Ok(paths)
}

/// What everything below a path takes. Hard links to files elsewhere take no space. Files that vanish are not counted.
pub(in crate::store) fn space(path: &Path) -> Space {
    let mut space = Space::default();
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            space.disk_bytes += disk_bytes(&metadata);
            left.extend(entries(&path).unwrap_or_default());
            continue;
        }
        space.files += 1;
        space.size_bytes += metadata.len();
        if metadata.nlink() == 1 {
            space.disk_bytes += disk_bytes(&metadata);
        }
    }
    space
}

pub(in crate::store) fn disk_bytes(metadata: &Metadata) -> u64 {
    metadata.blocks() * BLOCK_BYTES
}
