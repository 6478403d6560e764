//! The store never returns a wrong byte: every kind of damage to its files is detected, the damaged file is quarantined, and the
//! object can be stored again.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::fs::{File, FileTimes, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use waders::base::{Digest, RelPath};
use waders::store::{Error, Node, Store, Tree};

const CONTENT: &[u8] = b"what was stored";

struct Stored {
    _dir: tempfile::TempDir,
    store: Store,
    blob: Digest,
    tree: Digest,
}

impl Stored {
    fn new() -> Stored {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let blob = store.put(CONTENT).unwrap();
        let mut tree = Tree::default();
        tree.nodes.insert(RelPath::parse("sub/file").unwrap(), Node::File { digest: blob, executable: false });
        tree.nodes.insert(RelPath::parse("link").unwrap(), Node::Symlink { target: "sub/file".to_owned() });
        let tree = store.put_tree(&tree).unwrap();
        Stored { _dir: dir, store, blob, tree }
    }

    fn path(&self, kind: &str, digest: Digest) -> PathBuf {
        self.store.root().join(kind).join(&digest.hex()[..2]).join(digest.hex())
    }

    fn blob_path(&self) -> PathBuf {
        self.path("blob", self.blob)
    }

    fn quarantined(&self) -> usize {
        fs::read_dir(self.store.root().join("quarantine")).unwrap().count()
    }
}

/// Overwrites a read-only file. Its modification time changes.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
}

/// Flips one bit without changing the metadata, as a failing disk does.
fn flip_bit(path: &Path) {
    let mtime = fs::metadata(path).unwrap().modified().unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 3).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 3).unwrap();
    file.set_permissions(Permissions::from_mode(0o444)).unwrap();
    file.set_times(FileTimes::new().set_modified(mtime)).unwrap();
}

/// Asserts that a blob is reported as missing after `damage` to its file, and can be stored again.
fn assert_blob_is_missing(damage: impl Fn(&Path)) {
    let stored = Stored::new();
    damage(&stored.blob_path());
    assert!(matches!(stored.store.materialize(stored.tree), Err(Error::Missing(digest)) if digest == stored.blob));
    assert!(matches!(stored.store.get(stored.blob), Err(Error::Missing(_))));
    assert!(matches!(stored.store.open_blob(stored.blob), Err(Error::Missing(_))));
    assert!(!stored.store.contains(stored.blob).unwrap());
    assert_eq!(stored.store.take_notices().len(), stored.quarantined());
    assert_eq!(stored.store.put(CONTENT).unwrap(), stored.blob);
    assert_eq!(stored.store.get(stored.blob).unwrap(), CONTENT);
    let image = stored.store.materialize(stored.tree).unwrap();
    assert_eq!(fs::read(image.join("sub/file")).unwrap(), CONTENT);
}

#[test]
fn a_modified_blob_is_quarantined() {
    assert_blob_is_missing(|path| overwrite(path, b"what was storex"));
    assert_blob_is_missing(|path| overwrite(path, b"longer than what was stored"));
    assert_blob_is_missing(|path| overwrite(path, b"what was"));
    assert_blob_is_missing(|path| overwrite(path, b""));
}

#[test]
fn a_blob_that_is_not_a_file_is_missing() {
    assert_blob_is_missing(|path| fs::remove_file(path).unwrap());
    assert_blob_is_missing(|path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    });
    assert_blob_is_missing(|path| {
        fs::rename(path, path.with_extension("moved")).unwrap();
        symlink(path.with_extension("moved"), path).unwrap();
    });
}

#[test]
fn a_blob_with_a_flipped_bit_is_never_returned() {
    let stored = Stored::new();
    flip_bit(&stored.blob_path());
    assert!(matches!(stored.store.get(stored.blob), Err(Error::Missing(_))));
    assert_eq!(stored.quarantined(), 1);
    let stored = Stored::new();
    flip_bit(&stored.blob_path());
    assert_eq!(stored.store.verify().unwrap().damaged, [stored.blob.hex()]);
    assert!(matches!(stored.store.materialize(stored.tree), Err(Error::Missing(_))));
}

#[test]
fn a_flipped_bit_is_found_when_a_blob_is_copied_out() {
    let stored = Stored::new();
    flip_bit(&stored.blob_path());
    let dest = tempfile::tempdir().unwrap();
    let copied = stored.store.copy_out(stored.tree, dest.path());
    assert!(matches!(copied, Err(Error::Missing(digest)) if digest == stored.blob), "{copied:?}");
    assert!(!dest.path().join("sub/file").exists());
    assert_eq!(stored.quarantined(), 1);
}

/// Asserts that scrubbing finds `damage` to an image, and that the next process rebuilds the image.
fn assert_scrub_finds(damage: impl Fn(&Path)) {
    let stored = Stored::new();
    let image = stored.store.materialize(stored.tree).unwrap();
    assert_eq!(stored.store.scrub(u64::MAX, &AtomicBool::new(false)).unwrap().damaged, [""; 0]);
    damage(&image.join("sub/file"));
    let scrubbed = stored.store.scrub(u64::MAX, &AtomicBool::new(false)).unwrap();
    assert_eq!(scrubbed.damaged, [stored.blob.hex()]);
    let again = Store::open(stored.store.root()).unwrap();
    again.put(CONTENT).unwrap();
    let image = again.materialize(stored.tree).unwrap();
    assert_eq!(fs::read(image.join("sub/file")).unwrap(), CONTENT);
    assert!(again.take_notices().iter().any(|notice| notice.contains("is rebuilt")));
}

#[test]
fn a_flipped_bit_in_an_image_is_found_by_the_scrub() {
    assert_scrub_finds(flip_bit);
    // A file of an image can also be a copy of its blob.
    assert_scrub_finds(|path| {
        let dir = path.parent().unwrap();
        fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
        let modified = fs::metadata(path).unwrap().modified().unwrap();
        fs::copy(path, path.with_extension("copy")).unwrap();
        fs::rename(path.with_extension("copy"), path).unwrap();
        for touched in [path, dir] {
            File::open(touched).unwrap().set_times(FileTimes::new().set_modified(modified)).unwrap();
        }
        fs::set_permissions(dir, Permissions::from_mode(0o555)).unwrap();
        flip_bit(path);
    });
}

#[test]
fn the_scrub_continues_where_the_last_one_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let contents: Vec<Vec<u8>> = (0..50).map(|number| format!("content {number}").into_bytes()).collect();
    for content in &contents {
        store.put(content).unwrap();
    }
    let running = AtomicBool::new(false);
    assert_eq!(store.scrub(u64::MAX, &running).unwrap().objects, 50);
    let mut objects = 0;
    let mut calls = 0;
    while objects < 50 {
        let scrubbed = store.scrub(1, &running).unwrap();
        assert!((1..50).contains(&scrubbed.objects), "{scrubbed:?}");
        objects += scrubbed.objects;
        calls += 1;
    }
    // Each part was verified once, so the position came round to the start exactly now.
    let blob = Digest::of(&contents[7]);
    flip_bit(&store.root().join("blob").join(&blob.hex()[..2]).join(blob.hex()));
    let damaged: Vec<String> = (0..calls).flat_map(|_| store.scrub(1, &running).unwrap().damaged).collect();
    assert_eq!((objects, damaged), (50, vec![blob.hex()]));
    assert_eq!(store.scrub(u64::MAX, &AtomicBool::new(true)).unwrap().objects, 0);
}

#[test]
fn an_intact_blob_with_changed_metadata_is_restored() {
    let stored = Stored::new();
    let (path, fixed) = (stored.blob_path(), SystemTime::UNIX_EPOCH + Duration::from_secs(315_705_600));
    for mode in [0o444, 0o644, 0o000] {
        overwrite(&path, CONTENT);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        if mode == 0 && File::open(&path).is_err() {
            eprintln!("skipped: only root can open a file without permissions");
            continue;
        }
        assert!(stored.store.contains(stored.blob).unwrap());
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.modified().unwrap(), metadata.permissions().mode() & 0o7777), (fixed, 0o444));
    }
    assert_eq!(stored.quarantined(), 0);
}

#[test]
fn a_digest_with_a_wrong_size_is_missing_and_damages_nothing() {
    let stored = Stored::new();
    for size in [0, 1, CONTENT.len() as u64 + 1, u64::MAX] {
        let wrong = Digest::new(*stored.blob.hash(), size);
        assert!(matches!(stored.store.get(wrong), Err(Error::Missing(_))));
        assert!(!stored.store.contains(wrong).unwrap());
        let wrong = Digest::new(*stored.tree.hash(), size);
        assert!(matches!(stored.store.tree(wrong), Err(Error::Missing(_))));
    }
    assert_eq!(stored.quarantined(), 0);
    assert_eq!(stored.store.get(stored.blob).unwrap(), CONTENT);
}

#[test]
fn a_damaged_tree_message_is_missing() {
    for damage in [flip_bit, |path: &Path| overwrite(path, b""), |path: &Path| fs::remove_file(path).unwrap()] {
        let stored = Stored::new();
        damage(&stored.path("tree", stored.tree));
        assert!(matches!(stored.store.tree(stored.tree), Err(Error::Missing(digest)) if digest == stored.tree));
        assert!(matches!(stored.store.materialize(stored.tree), Err(Error::Missing(_))));
    }
}

#[test]
fn messages_that_are_not_canonical_are_refused() {
    let (dir, hash) = (tempfile::tempdir().unwrap(), "0".repeat(64));
    let store = Store::open(dir.path()).unwrap();
    let text = |tag: u8, text: &[u8]| [&[tag << 3 | 2, text.len() as u8], text].concat();
    let digest = text(2, &text(1, hash.as_bytes()));
    let file = |name: &str| text(1, &[text(1, name.as_bytes()), digest.clone()].concat());
    let child = |name: &str| text(2, &[text(1, name.as_bytes()), digest.clone()].concat());
    for (message, why) in [
        (b"\xff\xff".to_vec(), "malformed"),
        (file(".."), "invalid entry name `..`"),
        (file("a/b"), "invalid entry name `a/b`"),
        (file(""), "invalid entry name ``"),
        ([file("a"), file("a")].concat(), "two entries with the name `a`"),
        ([file("a"), child("a")].concat(), "two entries with the name `a`"),
        ([file("b"), file("a")].concat(), "canonical"),
        ([file("a"), text(9, b"unknown")].concat(), "canonical"),
        (text(1, &text(1, b"a")), "no digest"),
        (text(3, &text(1, b"a")), "no valid target"),
    ] {
        let digest = Digest::of(&message);
        let path = store.root().join("tree").join(&digest.hex()[..2]).join(digest.hex());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &message).unwrap();
        let error = store.tree(digest).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }) && error.to_string().contains(why), "{error} / {why}");
        assert!(store.materialize(digest).is_err());
    }
}

/// Asserts that an image is rebuilt after `damage`, with a notice, when the store is opened again.
fn assert_image_is_rebuilt(damage: impl Fn(&Path)) {
    let stored = Stored::new();
    let image = stored.store.materialize(stored.tree).unwrap();
    for dir in [image.clone(), image.join("sub")] {
        fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
    }
    damage(&image);
    for dir in [image.join("sub"), image.clone()] {
        if dir.is_dir() && !dir.is_symlink() {
            fs::set_permissions(&dir, Permissions::from_mode(0o555)).unwrap();
        }
    }
    let again = Store::open(stored.store.root()).unwrap();
    let image = match again.materialize(stored.tree) {
        // The damage affects the blob through its hard link, so the blob must be stored again.
        Err(Error::Missing(digest)) if digest == stored.blob => {
            again.put(CONTENT).unwrap();
            again.materialize(stored.tree).unwrap()
        }
        image => image.unwrap(),
    };
    assert_eq!(fs::read(image.join("sub/file")).unwrap(), CONTENT);
    assert_eq!(fs::read_link(image.join("link")).unwrap(), Path::new("sub/file"));
    assert_eq!(fs::read_dir(&image).unwrap().count(), 2);
    assert!(again.take_notices().iter().any(|notice| notice.contains("is rebuilt")));
}

#[test]
fn a_modified_image_is_rebuilt() {
    assert_image_is_rebuilt(|image| overwrite(&image.join("sub/file"), b"other"));
    assert_image_is_rebuilt(|image| fs::remove_file(image.join("sub/file")).unwrap());
    assert_image_is_rebuilt(|image| fs::write(image.join("extra"), "").unwrap());
    assert_image_is_rebuilt(|image| fs::create_dir(image.join("sub/extra")).unwrap());
    assert_image_is_rebuilt(|image| {
        fs::remove_file(image.join("link")).unwrap();
        symlink("elsewhere", image.join("link")).unwrap();
    });
    assert_image_is_rebuilt(|image| {
        fs::remove_dir_all(image.join("sub")).unwrap();
        symlink("/etc", image.join("sub")).unwrap();
    });
}

/// Asserts that an index is replaced after `damage`, with a notice.
fn assert_index_is_replaced(damage: impl Fn(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for n in 0..200 {
        store.index_put(&[n; 32], &[n; 3000]).unwrap();
    }
    drop(store);
    damage(&dir.path().join("index.db"));
    let store = Store::open(dir.path()).unwrap();
    for n in 0..200 {
        let found = store.index_get(&[n; 32]).unwrap();
        assert!(found.is_none() || found == Some(vec![n; 3000]));
    }
    store.index_put(&[7; 32], b"new").unwrap();
    assert_eq!(store.index_get(&[7; 32]).unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!(store.take_notices().len(), 1);
}

#[test]
fn a_damaged_index_is_quarantined() {
    assert_index_is_replaced(|path| fs::write(path, vec![b'x'; 100_000]).unwrap());
    assert_index_is_replaced(|path| fs::write(path, "short").unwrap());
    assert_index_is_replaced(|path| {
        let file = File::options().write(true).open(path).unwrap();
        let size = file.metadata().unwrap().len();
        for at in (4096..size).step_by(4096) {
            file.write_all_at(&[0xa5; 2048], at).unwrap();
        }
    });
    assert_index_is_replaced(|path| {
        let size = fs::metadata(path).unwrap().len();
        File::options().write(true).open(path).unwrap().set_len(size / 2).unwrap();
    });
}

#[test]
fn an_index_of_another_version_is_left_to_the_program_that_wrote_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let version = |version: i64| {
        let connection = rusqlite::Connection::open(dir.path().join("index.db")).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
    };
    version(999);
    let newer = fs::read(dir.path().join("index.db")).unwrap();
    for number in [1, 2] {
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.index_get(&[number - 1; 32]).unwrap().is_some(), number == 2, "its own index is kept");
        store.index_put(&[number; 32], b"value").unwrap();
        assert_eq!(store.take_notices(), [""; 0]);
    }
    assert_eq!(fs::read(dir.path().join("index.db")).unwrap(), newer);
}

#[test]
fn a_damaged_row_of_the_index_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.index_put(&[1; 32], b"value").unwrap();
    let connection = rusqlite::Connection::open(dir.path().join("index.db")).unwrap();
    for row in ["value = x'00'", "value = NULL", "value = 7", "hash = 'text'"] {
        // The update fails for a column that must not be null. The row is then unchanged.
        if connection.execute(&format!("UPDATE memory SET {row}"), []).is_ok() {
            assert_eq!(store.index_get(&[1; 32]).unwrap(), None, "{row}");
        }
        store.index_put(&[1; 32], b"value").unwrap();
    }
}
