//! Files that hold all that is known of one subject of a repository: read at once, published by rename. What vouches for
//! their bytes is here; what stands in them is `pack`'s and `traces`'.
//!
//! ```text
//! magic 12  version u32  BLAKE3 of the rest 32      numbers are little-endian
//! ```
//!
//! Losing one costs time, never correctness, so none is synced: what a power cut tears is noticed by its hash.

use std::fs;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::store::error::{Error, Result};
use crate::store::layout::Store;
use crate::store::objects::durable;
use crate::store::objects::failpoint;

/// What follows stands from here on.
pub const HEAD: usize = 48;

/// What a file is, in its first bytes.
pub struct Head {
    pub magic: &'static [u8; 12],
    /// Raise it when the layout changes: files of other versions are as none.
    pub version: u32,
}

impl Head {
    /// The beginning of a file, to be sealed when the rest stands.
    pub fn begin(&self) -> Vec<u8> {
        [self.magic.as_slice(), &self.version.to_le_bytes(), &[0; 32]].concat()
    }

    pub fn seal(bytes: &mut [u8]) {
        let check = *blake3::hash(&bytes[HEAD..]).as_bytes();
        bytes[16..HEAD].copy_from_slice(&check);
    }

    /// Whether these bytes are a whole file of this version, or else of another. Or why they are none.
    pub fn is_of(&self, bytes: &[u8]) -> std::result::Result<bool, String> {
        let (Some(magic), Some(version), Some(check)) = (read(bytes, 0), number(bytes, 12), read(bytes, 16)) else {
            return Err("it is cut off".to_owned());
        };
        if magic != *self.magic {
            return Err("it is something else".to_owned());
        }
        if version != self.version as usize {
            return Ok(false);
        }
        if *blake3::hash(&bytes[HEAD..]).as_bytes() != check {
            return Err("its bytes are not those that were written".to_owned());
        }
        Ok(true)
    }
}

/// Where one lies.
#[derive(Debug)]
pub struct Place(PathBuf);

impl Store {
    /// Of what is known of the workspace at `root`: a file for each subject.
    pub(in crate::store) fn known_place(&self, root: &Path, subject: &str) -> Place {
        let name = blake3::hash(root.as_os_str().as_bytes()).to_hex();
        Place(self.root.join("repository").join(format!("{name}-{subject}")))
    }

    /// One that is damaged is set aside, and is as none: `parse` refuses it.
    pub(in crate::store) fn load_known<T: Default>(
        &self,
        Place(path): &Place,
        parse: impl FnOnce(Vec<u8>) -> std::result::Result<T, String>,
    ) -> Result<T> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
            opened => opened.map_err(Error::io("open", path))?,
        };
        let metadata = file.metadata().map_err(Error::io("look at", path))?;
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
        file.read_to_end(&mut bytes).map_err(Error::io("read", path))?;
        match parse(bytes) {
            Ok(known) => Ok(known),
            Err(_) => self.set_aside(path, Some(metadata.ino())).map(|()| T::default()),
        }
    }

    /// Whatever other processes do, the file is always one that somebody wrote whole: the last one stays.
    pub(in crate::store) fn publish_known(&self, Place(path): &Place, bytes: &[u8]) -> Result<()> {
        let fresh = self.session.fresh();
        durable::write(&fresh, bytes, 0o644).inspect_err(|_| drop(fs::remove_file(&fresh)))?;
        failpoint::reach("pack: written");
        fs::rename(&fresh, path).map_err(Error::io("rename", path))?;
        failpoint::reach("pack: published");
        Ok(())
    }
}

pub fn read<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub fn number(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(read(bytes, at)?)).ok()
}
