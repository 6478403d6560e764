//! The basic operations of the store. Crashes and concurrent processes are tested in `tests/it/store_crash.rs`.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::base::{Digest, RelPath};

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    (dir, store)
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

/// Stores a tree of files, given as paths and contents. Files that end in `.sh` are executable.
fn plant(store: &Store, files: &[(&str, &str)]) -> Digest {
    let mut tree = Tree::default();
    for (at, content) in files {
        let digest = store.put(content.as_bytes()).unwrap();
        tree.nodes.insert(path(at), Node::File { digest, executable: at.ends_with(".sh") });
    }
    store.put_tree(&tree).unwrap()
}

#[test]
fn stored_bytes_are_read_back() {
    let (_dir, store) = open();
    for bytes in [&b""[..], b"waders", &vec![7; 3 << 20]] {
        let digest = store.put_reader(bytes).unwrap();
        assert_eq!(digest, Digest::of(bytes));
        assert_eq!(store.put(bytes).unwrap(), digest);
        assert_eq!(store.get(digest).unwrap(), bytes);
    }
    assert!(matches!(store.get(Digest::of(b"never put")), Err(Error::Missing(_))));
}

#[test]
fn a_stored_tree_is_read_back() {
    let (_dir, store) = open();
    let digest = store.put(b"x").unwrap();
    let mut tree = Tree::default();
    tree.nodes.insert(path("a/b/c.sh"), Node::File { digest, executable: true });
    tree.nodes.insert(path("a-b"), Node::File { digest, executable: false });
    tree.nodes.insert(path("a/empty"), Node::EmptyDirectory);
    tree.nodes.insert(path("a/link"), Node::Symlink { target: "../a-b".to_owned() });
    let stored = store.put_tree(&tree).unwrap();
    assert_eq!(store.tree(stored).unwrap(), tree);
    assert_eq!(store.put_tree(&Tree::default()).unwrap(), Digest::of(b""));
}

#[test]
fn a_tree_with_nodes_below_a_file_is_refused() {
    let (_dir, store) = open();
    let file = Node::File { digest: Digest::of(b""), executable: false };
    for paths in [["a", "a/b"], ["", "b"]] {
        let tree = Tree { nodes: paths.iter().map(|at| (path(at), file.clone())).collect() };
        assert!(matches!(store.put_tree(&tree), Err(Error::Malformed { .. })), "{paths:?}");
    }
}

#[test]
fn an_image_contains_its_tree_and_is_reused() {
    let (_dir, store) = open();
    let tree = plant(&store, &[("src/app.py", "print()"), ("src/run.sh", "exit"), ("__init__.py", "")]);
    let image = store.materialize(tree).unwrap();
    assert_eq!(fs::read_to_string(image.join("src/app.py")).unwrap(), "print()");
    assert_eq!(fs::metadata(image.join("src/run.sh")).unwrap().mode() & 0o7777, 0o555);
    assert_eq!(fs::metadata(image.join("src")).unwrap().mode() & 0o7777, 0o555);
    assert_eq!(fs::metadata(image.join("src/app.py")).unwrap().mtime(), 315_705_600);
    let inode = fs::metadata(&image).unwrap().ino();
    let again = Store::open(store.root()).unwrap();
    assert_eq!(again.materialize(tree).unwrap(), image);
    assert_eq!(fs::metadata(&image).unwrap().ino(), inode);
    assert_eq!(again.take_notices(), Vec::<String>::new());
}

#[test]
fn capturing_an_image_yields_its_tree() {
    let (_dir, store) = open();
    let scratch = store.scratch().unwrap();
    fs::create_dir_all(scratch.path().join("a/b/empty")).unwrap();
    fs::write(scratch.path().join("a/data"), "data").unwrap();
    symlink("a/data", scratch.path().join("link")).unwrap();
    let tree = store.capture(scratch.path(), &CaptureLimits::default()).unwrap();
    let image = store.materialize(tree).unwrap();
    assert_eq!(store.capture(&image, &CaptureLimits::default()).unwrap(), tree);
}

#[test]
fn a_merge_reads_only_shared_levels() {
    let (_dir, store) = open();
    let (one, two) = (plant(&store, &[("x/a", "1"), ("x/s", "0")]), plant(&store, &[("x/b", "2"), ("x/s", "0")]));
    let absent = Digest::of(b"a tree that is not stored");
    let merged = store
        .merge(&[(path(""), one), (path(""), two), (path("deps/left"), absent), (path("deps/right"), one)])
        .unwrap();
    let expected = plant(&store, &[("x/a", "1"), ("x/b", "2"), ("x/s", "0")]);
    assert_eq!(store.subtree(merged, &path("x")).unwrap(), store.subtree(expected, &path("x")).unwrap());
    assert_eq!(store.subtree(merged, &path("deps/left")).unwrap(), Some(absent));
    assert_eq!(store.merge(&[(path(""), one)]).unwrap(), one);
}

#[test]
fn conflicting_parts_are_reported_with_their_path() {
    let (_dir, store) = open();
    let (one, two, file) =
        (plant(&store, &[("x/a", "1")]), plant(&store, &[("x/a", "2")]), plant(&store, &[("x", "")]));
    for (parts, at) in [([one, two], "d/x/a"), ([one, file], "d/x")] {
        match store.merge(&[(path("d"), parts[0]), (path("d"), parts[1])]) {
            Err(Error::Conflict { path }) => assert_eq!(path, at),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_index_stores_replaces_and_removes_values() {
    let (_dir, store) = open();
    store.index_put(&[1; 32], b"one").unwrap();
    store.index_put(&[1; 32], b"two").unwrap();
    assert_eq!(store.index_get(&[1; 32]).unwrap().as_deref(), Some(&b"two"[..]));
    store.index_remove(&[1; 32]).unwrap();
    assert_eq!(store.index_get(&[1; 32]).unwrap(), None);
}

#[test]
fn copying_out_replaces_files_and_follows_no_link() {
    let (dir, store) = open();
    let tree = plant(&store, &[("src/app.py", "print()"), ("src/run.sh", "exit")]);
    let (dest, elsewhere) = (dir.path().join("dist"), dir.path().join("elsewhere"));
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(elsewhere.join("kept"), "kept").unwrap();
    fs::create_dir(&dest).unwrap();
    symlink(&elsewhere, dest.join("src")).unwrap();
    store.copy_out(tree, &dest).unwrap();
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
    fs::remove_file(dest.join("src/app.py")).unwrap();
    symlink(elsewhere.join("kept"), dest.join("src/app.py")).unwrap();
    store.copy_out(tree, &dest).unwrap();
    assert_eq!(fs::read_to_string(elsewhere.join("kept")).unwrap(), "kept");
    assert_eq!(fs::read_to_string(dest.join("src/app.py")).unwrap(), "print()");
    assert_eq!(fs::metadata(dest.join("src/run.sh")).unwrap().mode() & 0o777, 0o755);
    fs::remove_file(dest.join("src/run.sh")).unwrap();
    fs::create_dir(dest.join("src/run.sh")).unwrap();
    assert!(store.copy_out(tree, &dest).is_err());
}

#[test]
#[ignore = "slow: creates 65,000 links"]
fn an_image_uses_copies_if_the_file_system_permits_no_more_links() {
    let (dir, store) = open();
    let tree = plant(&store, &[("__init__.py", "")]);
    let blob = Digest::of(b"").hex();
    let blob = store.root().join("blob").join(&blob[..2]).join(&blob);
    fs::create_dir(dir.path().join("links")).unwrap();
    let full = (0..70_000).any(|n| fs::hard_link(&blob, dir.path().join("links").join(n.to_string())).is_err());
    if !full {
        eprintln!("skipped: this file system permits more than 70,000 links to a file");
    }
    let image = store.materialize(tree).unwrap();
    assert_eq!(fs::metadata(image.join("__init__.py")).unwrap().mode() & 0o7777, 0o444);
    let again = Store::open(store.root()).unwrap();
    again.materialize(tree).unwrap();
    assert_eq!(again.take_notices(), Vec::<String>::new());
}
