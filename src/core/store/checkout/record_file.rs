//! Record files: each holds one kind of recorded state of one repository, is read as a whole and is replaced by one rename. The
//! header that detects damage is defined here; the contents are defined by `path_records` and `traces`.
//!
//! ```text
//! magic 12  version u32  BLAKE3 hash of all following bytes 32      numbers are little-endian
//! ```
//!
//! Losing a file costs time but never makes a result wrong, so these files are not synced. The hash detects a file that was
//! damaged by a power failure.

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::store::error::{Error, Result};
use crate::store::files;
use crate::store::layout::Store;
use crate::store::objects::durable;
use crate::store::upkeep::collect;

/// The length of the header.
pub(super) const HEADER_BYTES: usize = 48;

/// The header of one file format.
pub(super) struct Header {
    /// Identifies the format.
    pub magic: &'static [u8; 12],
    /// Must be raised when the layout changes. Files of other versions are ignored.
    pub version: u32,
}

impl Header {
    /// The header without its hash, which `seal` adds when the rest is complete.
    pub(super) fn encode_unsealed(&self) -> Vec<u8> {
        [self.magic.as_slice(), &self.version.to_le_bytes(), &[0; 32]].concat()
    }

    /// Writes the hash into the header of a complete file.
    pub(super) fn seal(bytes: &mut [u8]) {
        let check = *blake3::hash(&bytes[HEADER_BYTES..]).as_bytes();
        bytes[16..HEADER_BYTES].copy_from_slice(&check);
    }

    /// True for a whole file of this version, false for a file of another version. The error says how the file is damaged.
    pub(super) fn check(&self, bytes: &[u8]) -> std::result::Result<bool, String> {
        let (Some(magic), Some(version), Some(check)) =
            (read_array(bytes, 0), read_u32(bytes, 12), read_array(bytes, 16))
        else {
            return Err("it is truncated".to_owned());
        };
        if magic != *self.magic {
            return Err("it is not a file of this format".to_owned());
        }
        if version != self.version as usize {
            return Ok(false);
        }
        if *blake3::hash(&bytes[HEADER_BYTES..]).as_bytes() != check {
            return Err("it does not match its hash".to_owned());
        }
        Ok(true)
    }
}

/// How a record file of any format and version is damaged; `None` if it is not.
pub(in crate::store) fn fault(bytes: &[u8]) -> Option<&'static str> {
    match read_array::<32>(bytes, 16) {
        None => Some("it is truncated"),
        Some(check) if *blake3::hash(&bytes[HEADER_BYTES..]).as_bytes() != check => Some("it does not match its hash"),
        Some(_) => None,
    }
}

/// The path of a record file.
#[derive(Debug)]
pub(crate) struct RecordFilePath(pub(super) PathBuf);

impl Store {
    /// Records that the files of the checkout at `root` are used.
    pub(super) fn note_use_of_checkout(&self, root: &Path) -> Result<()> {
        self.note_use(&collect::checkout_key(&checkout_name(root)))
    }

    /// The path of the file that records `subject` of the checkout at `root`.
    pub(in crate::store) fn record_file_path(&self, root: &Path, subject: &str) -> RecordFilePath {
        let name = checkout_name(root);
        RecordFilePath(self.root.join("repository").join(format!("{name}-{subject}")))
    }

    /// Loads a file; the default value if there is none. A file that `parse` refuses is quarantined.
    pub(in crate::store) fn load_record_file<T: Default>(
        &self,
        RecordFilePath(path): &RecordFilePath,
        parse: impl FnOnce(Vec<u8>) -> std::result::Result<T, String>,
    ) -> Result<T> {
        let mut file = match files::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
            opened => opened.map_err(Error::io("open", path))?,
        };
        let metadata = file.metadata().map_err(Error::io("read the metadata of", path))?;
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
        file.read_to_end(&mut bytes).map_err(Error::io("read", path))?;
        match parse(bytes) {
            Ok(parsed) => Ok(parsed),
            Err(_) => self.quarantine(path, Some(metadata.ino())).map(|()| T::default()),
        }
    }

    /// Replaces a file in one step. If several processes do so, the last one wins, and readers always find a complete file.
    pub(in crate::store) fn publish_record_file(
        &self,
        RecordFilePath(path): &RecordFilePath,
        bytes: &[u8],
    ) -> Result<()> {
        let fresh = self.tmp.fresh_path();
        durable::write(&fresh, bytes, 0o644).inspect_err(|_| drop(files::remove(&fresh)))?;
        files::rename(&fresh, path).map_err(Error::io("rename", path))
    }

    /// Like `publish_record_file`, but never replaces a file. Returns whether there was none.
    pub(in crate::store) fn publish_new_record_file(
        &self,
        RecordFilePath(path): &RecordFilePath,
        bytes: &[u8],
    ) -> Result<bool> {
        let fresh = self.tmp.fresh_path();
        durable::write(&fresh, bytes, 0o644).inspect_err(|_| drop(files::remove(&fresh)))?;
        // Unlike a rename, a link never replaces a file.
        let linked = files::link(&fresh, path);
        files::remove(&fresh).map_err(Error::io("remove", &fresh))?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            linked => linked.map_err(Error::io("link", path)).map(|()| true),
        }
    }
}

/// The name of a checkout in the store: its record files begin with it.
pub(super) fn checkout_name(root: &Path) -> String {
    blake3::hash(root.as_os_str().as_bytes()).to_hex().to_string()
}

/// The bytes at an offset; `None` if there are too few.
pub(super) fn read_array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The number at an offset.
pub(super) fn read_u32(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(read_array(bytes, at)?)).ok()
}
