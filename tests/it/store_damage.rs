//! The store never serves a wrong byte: whatever happens to its files is noticed, set aside, and can be made again.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::fs::{File, FileTimes, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
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

    fn path(&self, shelf: &str, digest: Digest) -> PathBuf {
        self.store.root().join(shelf).join(&digest.hex()[..2]).join(digest.hex())
    }

    fn blob_path(&self) -> PathBuf {
        self.path("blob", self.blob)
    }

    fn quarantined(&self) -> usize {
        fs::read_dir(self.store.root().join("quarantine")).unwrap().count()
    }
}

/// Writes into a read-only file as a careless root would; the time changes with it.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
}

/// Changes one bit and nothing that stat(2) shows, as a failing disk would.
fn rot(path: &Path) {
    let mtime = fs::metadata(path).unwrap().modified().unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 3).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 3).unwrap();
    file.set_permissions(Permissions::from_mode(0o444)).unwrap();
    file.set_times(FileTimes::new().set_modified(mtime)).unwrap();
}

/// After `damage` to the blob's file it is missing, set aside, and can be stored again.
fn blob_is_missed(damage: impl Fn(&Path)) {
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
fn a_changed_blob_is_set_aside() {
    blob_is_missed(|path| overwrite(path, b"what was storex"));
    blob_is_missed(|path| overwrite(path, b"longer than what was stored"));
    blob_is_missed(|path| overwrite(path, b"what was"));
    blob_is_missed(|path| overwrite(path, b""));
}

#[test]
fn a_blob_that_is_no_file_any_more_is_set_aside() {
    blob_is_missed(|path| fs::remove_file(path).unwrap());
    blob_is_missed(|path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    });
    blob_is_missed(|path| {
        fs::rename(path, path.with_extension("moved")).unwrap();
        symlink(path.with_extension("moved"), path).unwrap();
    });
}

#[test]
fn a_rotten_blob_is_never_given_out() {
    let stored = Stored::new();
    rot(&stored.blob_path());
    assert!(matches!(stored.store.get(stored.blob), Err(Error::Missing(_))));
    assert_eq!(stored.quarantined(), 1);
    let stored = Stored::new();
    rot(&stored.blob_path());
    assert_eq!(stored.store.verify().unwrap().damaged, [stored.blob.hex()]);
    assert!(matches!(stored.store.materialize(stored.tree), Err(Error::Missing(_))));
}

#[test]
fn a_touched_blob_with_the_right_bytes_is_kept_and_sealed_again() {
    let stored = Stored::new();
    let (path, fixed) = (stored.blob_path(), SystemTime::UNIX_EPOCH + Duration::from_secs(315_532_800));
    for mode in [0o444, 0o644, 0o000] {
        overwrite(&path, CONTENT);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        if mode == 0 && File::open(&path).is_err() {
            eprintln!("skipped: only root can repair a file without any mode bit");
            continue;
        }
        assert!(stored.store.contains(stored.blob).unwrap());
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.modified().unwrap(), metadata.permissions().mode() & 0o7777), (fixed, 0o444));
    }
    assert_eq!(stored.quarantined(), 0);
}

#[test]
fn a_damaged_tree_message_is_missed() {
    for damage in [rot, |path: &Path| overwrite(path, b""), |path: &Path| fs::remove_file(path).unwrap()] {
        let stored = Stored::new();
        damage(&stored.path("tree", stored.tree));
        assert!(matches!(stored.store.tree(stored.tree), Err(Error::Missing(digest)) if digest == stored.tree));
        assert!(matches!(stored.store.materialize(stored.tree), Err(Error::Missing(_))));
    }
}

#[test]
fn bytes_that_are_no_canonical_tree_are_refused() {
    let (dir, hash) = (tempfile::tempdir().unwrap(), "0".repeat(64));
    let store = Store::open(dir.path()).unwrap();
    let text = |tag: u8, text: &[u8]| [&[tag << 3 | 2, text.len() as u8], text].concat();
    let digest = text(2, &text(1, hash.as_bytes()));
    let file = |name: &str| text(1, &[text(1, name.as_bytes()), digest.clone()].concat());
    let child = |name: &str| text(2, &[text(1, name.as_bytes()), digest.clone()].concat());
    for (message, why) in [
        (b"\xff\xff".to_vec(), "malformed"),
        (file(".."), "`..` is no name"),
        (file("a/b"), "`a/b` is no name"),
        (file(""), "`` is no name"),
        ([file("a"), file("a")].concat(), "two entries named `a`"),
        ([file("a"), child("a")].concat(), "two entries named `a`"),
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

/// After `damage` to an image, a store opened afterwards makes it anew, and says so.
fn image_is_made_anew(damage: impl Fn(&Path)) {
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
        // The damage reached the blob through the hard link: whoever made it makes it again.
        Err(Error::Missing(digest)) if digest == stored.blob => {
            again.put(CONTENT).unwrap();
            again.materialize(stored.tree).unwrap()
        }
        image => image.unwrap(),
    };
    assert_eq!(fs::read(image.join("sub/file")).unwrap(), CONTENT);
    assert_eq!(fs::read_link(image.join("link")).unwrap(), Path::new("sub/file"));
    assert_eq!(fs::read_dir(&image).unwrap().count(), 2);
    assert!(again.take_notices().iter().any(|notice| notice.contains("made anew")));
}

#[test]
fn a_changed_image_is_made_anew() {
    image_is_made_anew(|image| overwrite(&image.join("sub/file"), b"other"));
    image_is_made_anew(|image| fs::remove_file(image.join("sub/file")).unwrap());
    image_is_made_anew(|image| fs::write(image.join("extra"), "").unwrap());
    image_is_made_anew(|image| fs::create_dir(image.join("sub/extra")).unwrap());
    image_is_made_anew(|image| {
        fs::remove_file(image.join("link")).unwrap();
        symlink("elsewhere", image.join("link")).unwrap();
    });
    image_is_made_anew(|image| {
        fs::remove_dir_all(image.join("sub")).unwrap();
        symlink("/etc", image.join("sub")).unwrap();
    });
}

/// After `damage` to the index file the store works, with an empty index, and says so.
fn index_is_made_anew(damage: impl Fn(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for n in 0..200 {
        store.remember(&[n; 32], &[n; 3000]).unwrap();
    }
    drop(store);
    damage(&dir.path().join("index.db"));
    let store = Store::open(dir.path()).unwrap();
    for n in 0..200 {
        let found = store.recall(&[n; 32]).unwrap();
        assert!(found.is_none() || found == Some(vec![n; 3000]));
    }
    store.remember(&[7; 32], b"new").unwrap();
    assert_eq!(store.recall(&[7; 32]).unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!(store.take_notices().len(), 1);
}

#[test]
fn a_damaged_index_is_set_aside() {
    index_is_made_anew(|path| fs::write(path, vec![b'x'; 100_000]).unwrap());
    index_is_made_anew(|path| fs::write(path, "short").unwrap());
    index_is_made_anew(|path| {
        let file = File::options().write(true).open(path).unwrap();
        let size = file.metadata().unwrap().len();
        for at in (4096..size).step_by(4096) {
            file.write_all_at(&[0xa5; 2048], at).unwrap();
        }
    });
    index_is_made_anew(|path| {
        let size = fs::metadata(path).unwrap().len();
        File::options().write(true).open(path).unwrap().set_len(size / 2).unwrap();
    });
}

#[test]
fn an_index_of_a_newer_version_is_set_aside() {
    index_is_made_anew(|path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();
    });
}

#[test]
fn a_damaged_row_of_the_index_is_a_miss() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.remember(&[1; 32], b"value").unwrap();
    let connection = rusqlite::Connection::open(dir.path().join("index.db")).unwrap();
    for row in ["value = x'00'", "value = NULL", "value = 7", "hash = 'text'"] {
        // A column that must not be null refuses: as good as unchanged.
        if connection.execute(&format!("UPDATE memory SET {row}"), []).is_ok() {
            assert_eq!(store.recall(&[1; 32]).unwrap(), None, "{row}");
        }
        store.remember(&[1; 32], b"value").unwrap();
    }
}
