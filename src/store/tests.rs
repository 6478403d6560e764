//! What every user of the store relies on. Crashes and other processes are in `tests/it/store_crash.rs`.

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

/// A tree of files; content is the second word, an empty name is an empty directory.
fn plant(store: &Store, files: &[(&str, &str)]) -> Digest {
    let mut tree = Tree::default();
    for (at, content) in files {
        let digest = store.put(content.as_bytes()).unwrap();
        tree.nodes.insert(path(at), Node::File { digest, executable: at.ends_with(".sh") });
    }
    store.put_tree(&tree).unwrap()
}

#[test]
fn what_is_put_comes_back() {
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
fn a_tree_survives_the_store() {
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
fn a_tree_with_something_below_a_file_is_refused() {
    let (_dir, store) = open();
    let file = Node::File { digest: Digest::of(b""), executable: false };
    for paths in [["a", "a/b"], ["", "b"]] {
        let tree = Tree { nodes: paths.iter().map(|at| (path(at), file.clone())).collect() };
        assert!(matches!(store.put_tree(&tree), Err(Error::Malformed { .. })), "{paths:?}");
    }
}

#[test]
fn an_image_holds_the_tree_and_is_found_again() {
    let (_dir, store) = open();
    let tree = plant(&store, &[("src/app.py", "print()"), ("src/run.sh", "exit"), ("__init__.py", "")]);
    let image = store.materialize(tree).unwrap();
    assert_eq!(fs::read_to_string(image.join("src/app.py")).unwrap(), "print()");
    assert_eq!(fs::metadata(image.join("src/run.sh")).unwrap().mode() & 0o7777, 0o555);
    assert_eq!(fs::metadata(image.join("src")).unwrap().mode() & 0o7777, 0o555);
    assert_eq!(fs::metadata(image.join("src/app.py")).unwrap().mtime(), 315_532_800);
    let inode = fs::metadata(&image).unwrap().ino();
    let again = Store::open(store.root()).unwrap();
    assert_eq!(again.materialize(tree).unwrap(), image);
    assert_eq!(fs::metadata(&image).unwrap().ino(), inode);
    assert_eq!(again.take_notices(), Vec::<String>::new());
}

#[test]
fn a_captured_image_is_the_same_tree() {
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
fn parts_merge_without_reading_what_does_not_meet() {
    let (_dir, store) = open();
    let (one, two) = (plant(&store, &[("x/a", "1"), ("x/s", "0")]), plant(&store, &[("x/b", "2"), ("x/s", "0")]));
    let absent = Digest::of(b"a tree that is not here");
    let merged = store
        .merge(&[(path(""), one), (path(""), two), (path("deps/left"), absent), (path("deps/right"), one)])
        .unwrap();
    let expected = plant(&store, &[("x/a", "1"), ("x/b", "2"), ("x/s", "0")]);
    assert_eq!(store.subtree(merged, &path("x")).unwrap(), store.subtree(expected, &path("x")).unwrap());
    assert_eq!(store.subtree(merged, &path("deps/left")).unwrap(), Some(absent));
    assert_eq!(store.merge(&[(path(""), one)]).unwrap(), one);
}

#[test]
fn parts_that_disagree_are_refused_by_path() {
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
fn the_index_remembers() {
    let (_dir, store) = open();
    store.remember(&[1; 32], b"one").unwrap();
    store.remember(&[1; 32], b"two").unwrap();
    assert_eq!(store.recall(&[1; 32]).unwrap().as_deref(), Some(&b"two"[..]));
    store.forget(&[1; 32]).unwrap();
    assert_eq!(store.recall(&[1; 32]).unwrap(), None);
}
