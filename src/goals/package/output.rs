//! Writes built packages to the directory for results. Each file or directory is replaced in one step, so that it has its old or
//! its new content, and a file that already has the right content is left alone. Nothing is written if two packages have
//! different files at the same path.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::base::{Digest, RelPath, UNFINISHED_PREFIX};
use crate::goals::Error;
use crate::goals::package::BuiltPackage;
use crate::packaging::oci::layout;
use crate::report::packages::{WrittenFile, WrittenImage, WrittenPackage};
use crate::session::Session;
use crate::store::{self, Node, Store, Tree};

/// Writes the packages and reports each file.
pub(super) fn write(session: &mut Session, built: &[BuiltPackage]) -> Result<Vec<WrittenPackage>, Error> {
    if built.is_empty() {
        return Ok(Vec::new());
    }
    let store = session.services.open_store()?;
    let dist = session.context.dist_dir();
    let context = session.context.clone();
    let shown = |path: &RelPath| context.display_path(&path.to_path(&dist));
    let trees = built.iter().map(|built| Ok(store.tree(built.tree)?)).collect::<Result<Vec<Tree>, Error>>()?;
    refuse_conflicts(built.iter().map(|built| built.address.as_str()).zip(&trees))?;
    let mut written = Vec::new();
    for (package, tree) in built.iter().zip(&trees) {
        let mut files = Vec::new();
        match &package.directory {
            Some(directory) => {
                let content = store
                    .subtree(package.tree, directory)?
                    .ok_or_else(|| Error::NoOutput { package: package.address.clone(), path: directory.clone() })?;
                replace_directory(&store, content, &directory.to_path(&dist))?;
                let size_bytes =
                    tree.nodes.values().filter_map(Node::content).map(|content| content.size_bytes()).sum();
                let image = written_image(&store, content)?;
                files.push(WrittenFile { path: shown(directory), size_bytes, sha256: None, digest: content, image });
            }
            None => {
                for (path, node) in &tree.nodes {
                    files.extend(write_file(&store, path, node, &dist, &shown)?);
                }
            }
        }
        files.iter().for_each(|file| session.ui.summary(&file.to_line()));
        written.push(WrittenPackage { address: package.address.clone(), files });
    }
    Ok(written)
}

/// Writes the files of trees below a directory; files that are already there stay. Each tree has the name of its origin.
pub(in crate::goals) fn write_trees(store: &Store, trees: &[(String, Tree)], dir: &Path) -> Result<(), Error> {
    refuse_conflicts(trees.iter().map(|(name, tree)| (name.as_str(), tree)))?;
    for (path, node) in trees.iter().flat_map(|(_, tree)| &tree.nodes) {
        let target = path.to_path(dir);
        match node {
            Node::EmptyDirectory => {
                fs::create_dir_all(&target).map_err(|source| Error::Output { path: target.clone(), source })?;
            }
            _ if read_unchanged(&target, node).is_some() => {}
            _ => replace_file(store, node, &target)?,
        }
    }
    Ok(())
}

/// An error if two packages have different files at the same path, or one has a file where the other has a directory.
fn refuse_conflicts<'t>(trees: impl Iterator<Item = (&'t str, &'t Tree)>) -> Result<(), Error> {
    let mut known: BTreeMap<&RelPath, (&str, &Node)> = BTreeMap::new();
    let refuse = |path: &RelPath, first: &str, second: &str| {
        Err(Error::SameOutput { path: path.clone(), first: first.to_owned(), second: second.to_owned() })
    };
    for (name, tree) in trees {
        for (path, node) in &tree.nodes {
            match known.insert(path, (name, node)) {
                Some((other, known)) if known != node => return refuse(path, other, name),
                _ => {}
            }
        }
    }
    for (path, (owner, _)) in &known {
        if let Some((above, (other, _))) = path.ancestors().find_map(|above| known.get_key_value(&above)) {
            return refuse(above, other, owner);
        }
    }
    Ok(())
}

fn write_file(
    store: &Store,
    path: &RelPath,
    node: &Node,
    dist: &Path,
    shown: &dyn Fn(&RelPath) -> String,
) -> Result<Option<WrittenFile>, Error> {
    let Node::File { digest, .. } = node else { return Ok(None) };
    let target = path.to_path(dist);
    let sha256 = match read_unchanged(&target, node) {
        Some(bytes) => format!("{:x}", Sha256::digest(&bytes)),
        None => {
            replace_file(store, node, &target)?;
            sha256(store, *digest)?
        }
    };
    let (path, size_bytes) = (shown(path), digest.size_bytes());
    Ok(Some(WrittenFile { path, size_bytes, sha256: Some(sha256), digest: *digest, image: None }))
}

/// The image whose layout this directory is.
fn written_image(store: &Store, directory: Digest) -> Result<Option<WrittenImage>, Error> {
    if !layout::is_layout(store, directory)? {
        return Ok(None);
    }
    let image = layout::read(store, directory)?;
    Ok(Some(WrittenImage { names: image.names, sha256: image.sha256 }))
}

/// Replaces whatever is at `path` by a file.
fn replace_file(store: &Store, file: &Node, path: &Path) -> Result<(), Error> {
    let name = RelPath::parse("file").expect("the path is clean");
    let tree = store.put_tree(&Tree { nodes: BTreeMap::from([(name, file.clone())]) })?;
    replace(store, tree, "new/file", path)
}

/// The content of the file if it exists and has the content and mode of this node.
fn read_unchanged(path: &Path, node: &Node) -> Option<Vec<u8>> {
    use std::os::unix::fs::PermissionsExt;
    let Node::File { digest, executable } = node else { return None };
    let metadata = fs::symlink_metadata(path).ok()?;
    let is_executable = metadata.permissions().mode() & 0o111 != 0;
    if !metadata.is_file() || metadata.len() != digest.size_bytes() || is_executable != *executable {
        return None;
    }
    fs::read(path).ok().filter(|bytes| Digest::of(bytes) == *digest)
}

/// Replaces whatever is at `path` by a directory with this content.
fn replace_directory(store: &Store, content: Digest, path: &Path) -> Result<(), Error> {
    if is_same_directory(&store.tree(content)?, path) {
        return Ok(());
    }
    replace(store, content, "new", path)
}

/// Writes a tree to the directory `new` in a temporary directory beside `path`, and puts `fresh`, a path there, in the place of
/// whatever is at `path`. The new content is complete before the old one is removed.
fn replace(store: &Store, tree: Digest, fresh: &str, path: &Path) -> Result<(), Error> {
    let fail = |source| Error::Output { path: path.to_owned(), source };
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(|source| Error::Output { path: parent.to_owned(), source })?;
    let temporary = tempfile::Builder::new().prefix(UNFINISHED_PREFIX).tempdir_in(parent).map_err(fail)?;
    let copied = store.copy_out(tree, &temporary.path().join("new"));
    copied.map_err(|error| match error {
        // The directory for results has other remedies than the store.
        store::Error::Io { path, source, .. } | store::Error::Full { path, source }
            if path.starts_with(temporary.path()) =>
        {
            fail(source)
        }
        error => error.into(),
    })?;
    let fresh = temporary.path().join(fresh);
    // One rename replaces a file by a file. Everything else has to be moved away first.
    let is_file = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_dir());
    if fs::symlink_metadata(path).is_ok() && !(is_file(path) && is_file(&fresh)) {
        fs::rename(path, temporary.path().join("old")).map_err(fail)?;
    }
    fs::rename(&fresh, path).map_err(fail)
}

/// Whether a directory has exactly the files of a tree.
fn is_same_directory(tree: &Tree, path: &Path) -> bool {
    let count = walk(path).map(|files| files.len());
    count == Some(tree.nodes.len())
        && tree.nodes.iter().all(|(file, node)| match node {
            Node::Symlink { target } => {
                fs::read_link(file.to_path(path)).is_ok_and(|link| link.as_os_str() == target.as_str())
            }
            Node::EmptyDirectory => file.to_path(path).is_dir(),
            Node::File { .. } => read_unchanged(&file.to_path(path), node).is_some(),
        })
}

/// All files, links and empty directories below a directory; `None` if it cannot be read.
fn walk(path: &Path) -> Option<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    let mut left = vec![path.to_owned()];
    while let Some(dir) = left.pop() {
        let entries: Vec<_> = fs::read_dir(&dir).ok()?.collect::<Result<_, _>>().ok()?;
        if entries.is_empty() && dir != path {
            found.push(dir);
            continue;
        }
        for entry in entries {
            match entry.file_type().ok()?.is_dir() {
                true => left.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    Some(found)
}

/// The SHA-256 hash of a blob, which package indexes and pip use, in hexadecimal digits.
fn sha256(store: &Store, digest: Digest) -> Result<String, Error> {
    let mut file = store.open_blob(digest)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(|source| Error::Output { path: store.blob_root(), source })? {
            0 => return Ok(format!("{:x}", hasher.finalize())),
            length => hasher.update(&buffer[..length]),
        }
    }
}
