//! Images: trees as read-only directories of hard links to blobs, published by one rename. Writes only below `image/` and `tmp/`.
//! `image_check` verifies an existing image.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::UtimensatFlags;

use super::batch::copy_hashing;
use super::directory::Entry;
use super::durable;
use super::object_path::Form;
use super::remove::remove_tree;
use super::trees::{MAX_DEPTH, malformed};
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::files;
use crate::store::layout::{Store, lock};

/// The mode of every directory of an image.
pub(in crate::store) const DIRECTORY_MODE: u32 = 0o555;

/// The number of attempts to link a blob. Between locating and linking it, another process can quarantine it and a third one can
/// publish it again.
const LINK_TRIES: usize = 16;

impl Store {
    /// The path of a directory with exactly this tree, for a read-only mount. At its first use in a process an existing image is
    /// verified entry by entry, and rebuilt if it differs. `Error::Missing` if a blob or a level is missing.
    pub fn materialize(&self, tree: Digest) -> Result<PathBuf> {
        let entry = lock(&self.images).entry(tree).or_default().clone();
        let mut is_verified = lock(&entry);
        let image = self.root.join("image").join(tree.hex());
        let root = self.image_path(tree);
        if *is_verified && root.is_dir() {
            return Ok(root);
        }
        let present = inode(&image)?;
        if present.is_some() {
            match self.image_fault(tree, &root)? {
                None => {
                    *is_verified = true;
                    return Ok(root);
                }
                Some(fault) => {
                    self.add_notice(format!("the image `{}` is damaged and is rebuilt: {fault}", image.display()))
                }
            }
        }
        let made = self.tmp.fresh_path();
        self.compose(tree, &made).inspect_err(|_| drop(remove_tree(&made)))?;
        publish(&made, &image, present)?;
        *is_verified = true;
        Ok(root)
    }

    /// The path at which `materialize` creates the directory of a tree.
    pub fn image_path(&self, tree: Digest) -> PathBuf {
        self.root.join("image").join(tree.hex()).join("root")
    }

    /// Composes an image in the subdirectory `root` of `image`. The extra level is necessary because renaming a directory needs write
    /// permission on it.
    fn compose(&self, tree: Digest, image: &Path) -> Result<()> {
        files::create_dir(image, 0o755).map_err(Error::io("create", image))?;
        files::set_mode(image, 0o755).map_err(Error::io("set the mode of", image))?;
        self.compose_level(tree, &image.join("root"), 0)
    }

    fn compose_level(&self, tree: Digest, at: &Path, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(malformed(tree, "it is too deep"));
        }
        let directory = self.directory(tree)?;
        files::create_dir(at, 0o755).map_err(Error::io("create", at))?;
        for (name, entry) in &directory.entries {
            let path = at.join(name);
            match entry {
                Entry::Directory(tree) => self.compose_level(*tree, &path, depth + 1)?,
                Entry::File { digest, executable } => self.compose_file(*digest, *executable, &path)?,
                Entry::Symlink(target) => {
                    files::symlink(target, &path).map_err(Error::io("create", &path))?;
                    fix_time(&path, UtimensatFlags::NoFollowSymlink)?;
                }
            }
        }
        files::set_mode(at, DIRECTORY_MODE).map_err(Error::io("set the mode of", at))?;
        fix_time(at, UtimensatFlags::FollowSymlink)
    }

    /// Creates a hard link to a blob, or a copy if the file system does not permit the link. ext4 permits 65,000 links to a file,
    /// and all empty `__init__.py` files are the same blob. Other file systems permit none, or none to a file of another user
    /// (link(2)).
    fn compose_file(&self, digest: Digest, executable: bool, path: &Path) -> Result<()> {
        let mut blob = self.blob_path(digest, executable)?;
        let mut linked = files::link(&blob, path);
        for _ in 0..LINK_TRIES {
            if !linked.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                break;
            }
            blob = self.blob_path(digest, executable)?;
            linked = files::link(&blob, path);
        }
        match linked {
            Err(error) if is_link_refused(&error) => {}
            linked => return linked.map_err(Error::io("link", path)),
        }
        let file = files::open(&blob).map_err(Error::io("open", &blob))?;
        let form = Form::blob(executable);
        if copy_hashing(file, &blob, path, form.mode())? != digest {
            self.rehash(&blob, digest, form)?;
            return Err(Error::Missing(digest));
        }
        // Verifying an image checks sizes and times only. After a power failure these can be correct although the content is lost.
        durable::sync(&self.syncs, &self.root, [path.to_owned()].iter())
    }
}

/// Publishes an image. If none exists, the first process that renames wins, and later ones find an equal image. A `faulty` image,
/// given by its inode, is exchanged with the new one, so that other processes always find one.
fn publish(made: &Path, image: &Path, faulty: Option<u64>) -> Result<()> {
    let Some(faulty) = faulty else { return publish_first(made, image) };
    match files::exchange(made, image) {
        Ok(()) => {}
        // renameat2(2): some file systems do not support the exchange. An overlay cannot move directories of its lower layers.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::CrossesDevices) => {
            let old = made.with_extension("old");
            match files::rename(image, &old) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => remove_tree(image)?,
                renamed => renamed.map_err(Error::io("move", image))?,
            }
            // Here and below, dropping the `TmpDir` tries again.
            let _ = remove_tree(&old);
            return publish_first(made, image);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return publish_first(made, image),
        Err(error) => return Err(Error::io("exchange", image)(error)),
    }
    if inode(made)? != Some(faulty) {
        // Another process has already replaced the image, and it can be in use: undo the exchange.
        files::exchange(made, image).map_err(Error::io("exchange", image))?;
    }
    let _ = remove_tree(made);
    Ok(())
}

fn publish_first(made: &Path, image: &Path) -> Result<()> {
    match files::rename(made, image) {
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
            remove_tree(made)
        }
        renamed => renamed.map_err(Error::io("rename", image)),
    }
}

fn is_link_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), TooManyLinks | CrossesDevices | PermissionDenied | Unsupported)
}

fn inode(path: &Path) -> Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        metadata => metadata.map(|metadata| Some(metadata.ino())).map_err(Error::io("read the metadata of", path)),
    }
}

fn fix_time(path: &Path, follow: UtimensatFlags) -> Result<()> {
    files::fix_time(path, follow).map_err(Error::io("set the time of", path))
}

/// Whether a directory or link has the fixed modification time.
pub(in crate::store) fn has_fixed_time(metadata: &fs::Metadata) -> bool {
    (metadata.mtime(), metadata.mtime_nsec()) == (durable::FIXED_MTIME_SECONDS, 0)
}
