//! Tree to directory: read-only, composed of hardlinks to blobs, published by one rename. Writes only below `image/`
//! and `tmp/`; checking an image that is already there is `image_check`.

use std::fs;
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

use super::batch::copy_hashing;
use super::directory::Entry;
use super::durable::{self, FIXED_MTIME_SECONDS};
use super::failpoint;
use super::object_path::Form;
use super::remove::remove_tree;
use super::trees::{MAX_DEPTH, malformed};
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::layout::{Store, lock};

/// The mode of every directory of an image.
pub(in crate::store) const DIRECTORY_MODE: u32 = 0o555;

/// Another process may set a blob aside, and a third one publish it again, between the look and the link.
const LINK_TRIES: usize = 16;

impl Store {
    /// A directory that holds exactly this tree, to be bound read-only. It is checked entry by entry on its first use
    /// in a process, and made anew if anything is wrong. `Error::Missing` names a blob or level that is not there.
    pub fn materialize(&self, tree: Digest) -> Result<PathBuf> {
        let gate = lock(&self.images).entry(tree).or_default().clone();
        let mut known_good = lock(&gate);
        let home = self.root.join("image").join(tree.hex());
        let root = home.join("root");
        if *known_good && root.is_dir() {
            return Ok(root);
        }
        let present = inode(&home)?;
        if present.is_some() {
            match self.image_fault(tree, &root)? {
                None => {
                    *known_good = true;
                    return Ok(root);
                }
                Some(fault) => self.note(format!("image `{}` is made anew: {fault}", home.display())),
            }
        }
        let made = self.session.fresh();
        self.compose(tree, &made).inspect_err(|_| drop(remove_tree(&made)))?;
        failpoint::reach("image: composed");
        publish(&made, &home, present)?;
        failpoint::reach("image: published");
        *known_good = true;
        Ok(root)
    }

    /// The image lies in `root` below its home, since renaming a directory needs write permission on it.
    fn compose(&self, tree: Digest, home: &Path) -> Result<()> {
        fs::create_dir(home).map_err(Error::io("create", home))?;
        fs::set_permissions(home, Permissions::from_mode(0o755)).map_err(Error::io("set the mode of", home))?;
        self.compose_level(tree, &home.join("root"), 0)
    }

    fn compose_level(&self, tree: Digest, at: &Path, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(malformed(tree, "it is too deep"));
        }
        let directory = self.directory(tree)?;
        DirBuilder::new().mode(0o755).create(at).map_err(Error::io("create", at))?;
        for (name, entry) in &directory.entries {
            let path = at.join(name);
            match entry {
                Entry::Directory(tree) => self.compose_level(*tree, &path, depth + 1)?,
                Entry::File { digest, executable } => self.compose_file(*digest, *executable, &path)?,
                Entry::Symlink(target) => {
                    symlink(target, &path).map_err(Error::io("create", &path))?;
                    fix_time(&path, UtimensatFlags::NoFollowSymlink)?;
                }
            }
        }
        failpoint::reach("image: level");
        fs::set_permissions(at, Permissions::from_mode(DIRECTORY_MODE)).map_err(Error::io("set the mode of", at))?;
        fix_time(at, UtimensatFlags::FollowSymlink)
    }

    /// A link where the file system allows one more, else a copy: ext4 allows 65,000 links to a file, and empty
    /// `__init__.py` files are all one blob; others have no links at all, or none to a file of another user (link(2)).
    fn compose_file(&self, digest: Digest, executable: bool, path: &Path) -> Result<()> {
        let mut blob = self.blob_path(digest, executable)?;
        let mut linked = fs::hard_link(&blob, path);
        for _ in 0..LINK_TRIES {
            if !linked.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                break;
            }
            blob = self.blob_path(digest, executable)?;
            linked = fs::hard_link(&blob, path);
        }
        match linked {
            Err(error) if is_no_link(&error) => {}
            linked => return linked.map_err(Error::io("link", path)),
        }
        let file = File::open(&blob).map_err(Error::io("open", &blob))?;
        let form = Form::blob(executable);
        if copy_hashing(file, &blob, path, form.mode())? != digest {
            self.rehash(&blob, digest, form)?;
            return Err(Error::Missing(digest));
        }
        // A check of the image sees sizes and times only, which a power cut may leave right over lost content.
        durable::sync(&self.root, [path.to_owned()].iter())
    }
}

/// Without a `faulty` image, whoever renames first wins, and a later one finds the same image there. A faulty one is
/// exchanged for the new one, so that no other process ever finds nothing.
fn publish(made: &Path, home: &Path, faulty: Option<u64>) -> Result<()> {
    let Some(faulty) = faulty else { return publish_first(made, home) };
    match renameat2(AT_FDCWD, made, AT_FDCWD, home, RenameFlags::RENAME_EXCHANGE) {
        Ok(()) => {}
        // rename(2): some file systems cannot exchange.
        Err(Errno::EINVAL) => {
            let old = made.with_extension("old");
            fs::rename(home, &old).map_err(Error::io("move away", home))?;
            // The session's removal tries again, here and below.
            let _ = remove_tree(&old);
            return publish_first(made, home);
        }
        Err(Errno::ENOENT) => return publish_first(made, home),
        Err(errno) => return Err(Error::os("exchange", home)(errno)),
    }
    if inode(made)? != Some(faulty) {
        // Another process was faster. Its image may be in use already: back with it.
        let back = renameat2(AT_FDCWD, made, AT_FDCWD, home, RenameFlags::RENAME_EXCHANGE);
        back.map_err(Error::os("exchange", home))?;
    }
    let _ = remove_tree(made);
    Ok(())
}

fn publish_first(made: &Path, home: &Path) -> Result<()> {
    match fs::rename(made, home) {
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
            remove_tree(made)
        }
        renamed => renamed.map_err(Error::io("rename", home)),
    }
}

fn is_no_link(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), TooManyLinks | CrossesDevices | PermissionDenied | Unsupported)
}

fn inode(path: &Path) -> Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        metadata => metadata.map(|metadata| Some(metadata.ino())).map_err(Error::io("look at", path)),
    }
}

fn fix_time(path: &Path, follow: UtimensatFlags) -> Result<()> {
    let time = TimeSpec::new(FIXED_MTIME_SECONDS, 0);
    utimensat(AT_FDCWD, path, &time, &time, follow).map_err(Error::os("set the time of", path))
}

/// Used by `image_check`: whether a directory or link has the fixed time.
pub(in crate::store) fn has_fixed_time(metadata: &fs::Metadata) -> bool {
    (metadata.mtime(), metadata.mtime_nsec()) == (durable::FIXED_MTIME_SECONDS, 0)
}
