//! Verification of the store in small parts, for damage that leaves the metadata of a file as it was (bit rot). Each run that
//! executes steps verifies the next part. Blobs, trees and outputs that a step reads are verified when they are read; this is
//! for images, which are mounted as a whole.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::object_path::{hash_file, mark_damaged};
use super::tree::Node;
use super::verify::{Verified, sorted};
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

/// Names the row of the index with the directory that was verified last.
const POSITION: &str = "scrub-1";

impl Store {
    /// Verifies directories of the store, from the one after the last call's on, until `budget_bytes` were read, every directory
    /// was verified, or `stop` is set. Damaged objects are quarantined, and damaged files of images are marked, so that the
    /// next process rebuilds the images.
    pub fn scrub(&self, budget_bytes: u64, stop: &AtomicBool) -> Result<Verified> {
        let mut verified = Verified::default();
        let mut parts = Vec::new();
        for kind in ["blob", "image", "tree"] {
            for dir in sorted(&self.root.join(kind))? {
                parts.push(format!("{kind}/{}", dir.file_name().unwrap_or_default().to_string_lossy()));
            }
        }
        let key = Digest::of(POSITION.as_bytes());
        let last = self.index_get(key.hash())?.unwrap_or_default();
        let first = parts.partition_point(|part| part.as_bytes() <= &last[..]);
        parts.rotate_left(first);
        for part in parts {
            if verified.bytes >= budget_bytes || stop.load(Ordering::Relaxed) {
                break;
            }
            self.verify_part(&part, stop, &mut verified)?;
            self.index_put(key.hash(), part.as_bytes())?;
        }
        Ok(verified)
    }

    fn verify_part(&self, part: &str, stop: &AtomicBool, verified: &mut Verified) -> Result<()> {
        let dir = self.root.join(part);
        if part.starts_with("image/") {
            return self.verify_copies(&dir, stop, verified);
        }
        for path in sorted(&dir)? {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            self.verify_object(&path, part.starts_with("tree/"), verified)?;
        }
        Ok(())
    }

    /// Verifies the files of an image that are copies rather than hard links to blobs.
    fn verify_copies(&self, image: &Path, stop: &AtomicBool, verified: &mut Verified) -> Result<()> {
        let hash = image.file_name().and_then(|name| blake3::Hash::from_hex(name.as_encoded_bytes()).ok());
        let Some(hash) = hash else { return Ok(()) };
        let Some(tree) = self.stored_level(*hash.as_bytes())? else { return Ok(()) };
        let tree = match self.tree(tree) {
            // An image without its tree is not used.
            Err(Error::Missing(_)) => return Ok(()),
            tree => tree?,
        };
        for (path, node) in &tree.nodes {
            let (Node::File { digest, .. }, false) = (node, stop.load(Ordering::Relaxed)) else { continue };
            let path = path.to_path(&image.join("root"));
            match fs::File::open(&path).and_then(|file| Ok((file.metadata()?, file))) {
                Ok((metadata, file)) if metadata.nlink() == 1 => {
                    if hash_file(&file, &path)? == *digest {
                        verified.objects += 1;
                    } else {
                        mark_damaged(&path);
                        self.add_notice(format!("`{}` is damaged; the next run rebuilds the image", path.display()));
                        verified.damaged.push(digest.hex());
                    }
                    verified.bytes += metadata.len();
                }
                // A damaged image is rebuilt before it is used again.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("open", &path)(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The digest of a stored level with this hash.
    pub(in crate::store) fn stored_level(&self, hash: [u8; 32]) -> Result<Option<Digest>> {
        let path = super::object_path::Form::Tree.path(&self.root, Digest::new(hash, 0));
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read the metadata of", &path)(error)),
            Ok(metadata) => Ok(Some(Digest::new(hash, metadata.len()))),
        }
    }
}
