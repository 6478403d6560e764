//! Copies the tree of an environment from the store to a directory that belongs to the user, as writable files. No file is a hard
//! link, because the store must not change when the user edits a package. Where the file system supports it, copies share
//! their blocks (`copy_file_range`(2)).

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::Path;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::base::{Digest, RelPath};
use crate::prepare::Error;
use crate::store::{Node, Store};

/// Up to this size, one read and one write take fewer system calls than `copy_file_range`.
const SMALL_BYTES: u64 = 64 << 10;

/// Copies a tree to the directory `dest`, which must not exist. If this fails, part of it may exist.
pub(super) fn copy(store: &Store, tree: Digest, dest: &Path) -> Result<(), Error> {
    let nodes: Vec<(RelPath, Node)> = store.tree(tree)?.nodes.into_iter().collect();
    let mut directories: BTreeSet<RelPath> = BTreeSet::from([RelPath::root()]);
    for (path, node) in &nodes {
        directories.extend(path.ancestors().filter(|above| above != path));
        if *node == Node::EmptyDirectory {
            directories.insert(path.clone());
        }
    }
    for directory in directories {
        let path = directory.to_path(dest);
        fs::create_dir(&path).map_err(Error::export("create", &path))?;
    }
    nodes.par_iter().try_for_each(|(path, node)| copy_node(store, node, &path.to_path(dest)))
}

fn copy_node(store: &Store, node: &Node, at: &Path) -> Result<(), Error> {
    match node {
        Node::EmptyDirectory => Ok(()),
        Node::Symlink { target } => symlink(target, at).map_err(Error::export("create", at)),
        Node::File { digest, executable } => {
            let from = store.open_blob(*digest)?;
            let to = create(at, *executable).map_err(Error::export("create", at))?;
            copy_content(from, to, digest.size_bytes()).map_err(Error::export("write", at))
        }
    }
}

fn create(at: &Path, executable: bool) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(if executable { 0o777 } else { 0o666 }).open(at)
}

fn copy_content(mut from: File, mut to: File, size_bytes: u64) -> io::Result<()> {
    if size_bytes > SMALL_BYTES {
        return io::copy(&mut from, &mut to).map(drop);
    }
    let mut bytes = vec![0; usize::try_from(size_bytes).unwrap_or_default()];
    from.read_exact(&mut bytes)?;
    to.write_all(&bytes)
}
