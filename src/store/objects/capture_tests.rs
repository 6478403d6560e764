//! What a hostile or careless process may leave behind, and what becomes of it.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::stat::{Mode, SFlag, makedev, mkdirat, mknod};

use super::*;
use crate::store::remove_tree;

fn open_store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    (dir, store)
}

/// Captures what `leave` leaves; it must be refused with a message that names the path and says why.
fn refused(leave: impl FnOnce(&Path), at: &str, why: &str) {
    let (_dir, store) = open_store();
    let scratch = store.scratch().unwrap();
    fs::create_dir(scratch.path().join("sub")).unwrap();
    fs::write(scratch.path().join("sub/fine"), "fine").unwrap();
    leave(scratch.path());
    let limits = CaptureLimits { depth: 20, entries: 100, bytes: 1 << 30 };
    match store.capture(scratch.path(), &limits) {
        Err(Error::Refused { path, why: said }) => assert!(path == at && said.contains(why), "`{path}`: {said}"),
        other => panic!("expected a refusal of `{at}` ({why}), got {other:?}"),
    }
    assert_eq!(store.verify().unwrap().objects, 0, "something of a refused directory was published");
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn links_that_leave_the_tree_are_refused() {
    refused(|dir| symlink("/etc/passwd", dir.join("sub/out")).unwrap(), "sub/out", "outside");
    refused(|dir| symlink("../../x", dir.join("sub/out")).unwrap(), "sub/out", "outside");
    let chained = |dir: &Path| {
        symlink("..", dir.join("sub/up")).unwrap();
        symlink("up/../x", dir.join("sub/way")).unwrap();
    };
    refused(chained, "sub/way", "outside");
}

#[test]
fn special_files_are_refused() {
    let fifo = |dir: &Path| nix::unistd::mkfifo(&dir.join("sub/pipe"), Mode::S_IRWXU).unwrap();
    refused(fifo, "sub/pipe", "FIFO");
    refused(|dir| drop(UnixListener::bind(dir.join("s")).unwrap()), "s", "socket");
    if !is_root() {
        eprintln!("skipped: making a device needs root");
        return;
    }
    let device = |dir: &Path| mknod(&dir.join("null"), SFlag::S_IFCHR, Mode::S_IRWXU, makedev(1, 3)).unwrap();
    refused(device, "null", "device");
}

#[test]
fn modes_that_give_rights_or_hide_are_refused() {
    let chmod = |name: &'static str, mode: u32| {
        move |dir: &Path| fs::set_permissions(dir.join(name), Permissions::from_mode(mode)).unwrap()
    };
    refused(chmod("sub/fine", 0o4755), "sub/fine", "setuid");
    refused(chmod("sub/fine", 0o2755), "sub/fine", "setgid");
    refused(chmod("sub/fine", 0o000), "sub/fine", "keeps its owner from reading");
    refused(chmod("sub", 0o300), "sub", "keeps its owner from reading");
}

#[test]
fn attributes_that_carry_meaning_are_refused() {
    let flags = rustix::fs::XattrFlags::empty();
    let probe = tempfile::NamedTempFile::new().unwrap();
    if let Err(errno) = rustix::fs::setxattr(probe.path(), "user.waders", b"x", flags) {
        eprintln!("skipped: no user attributes on this file system: {errno}");
        return;
    }
    let set = |name: &'static str| {
        move |dir: &Path| rustix::fs::setxattr(dir.join(name), "user.waders", b"x", flags).unwrap()
    };
    refused(set("sub/fine"), "sub/fine", "`user.waders`");
    refused(set("sub"), "sub", "`user.waders`");
    refused(set("."), ".", "`user.waders`");
}

#[test]
fn names_that_are_not_text_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    refused(|dir| fs::write(dir.join("sub").join(name), "").unwrap(), "sub", r"`caf\xe9`");
    refused(|dir| symlink(name, dir.join("link")).unwrap(), "link", "not UTF-8");
}

#[test]
fn odd_but_valid_names_are_kept() {
    let (_dir, store) = open_store();
    let scratch = store.scratch().unwrap();
    for name in ["--bind", "@file", "$(x)", "a\nb", "…", ".hidden", "a\\b"] {
        fs::write(scratch.path().join(name), name).unwrap();
    }
    let tree = store.capture(scratch.path(), &CaptureLimits::default()).unwrap();
    assert_eq!(store.tree(tree).unwrap().nodes.len(), 7);
}

#[test]
fn too_many_too_large_and_too_deep_are_refused_at_once() {
    let many = |dir: &Path| (0..200).for_each(|n| fs::write(dir.join("sub").join(n.to_string()), "").unwrap());
    refused(many, "sub", "more than 100 entries");
    refused(|dir| fs::File::create(dir.join("tebibyte")).unwrap().set_len(1 << 40).unwrap(), "tebibyte", "bytes");
    let deep = |dir: &Path| {
        let mut at = std::fs::File::open(dir).unwrap();
        // Deeper than a path can name: PATH_MAX is 4096.
        for _ in 0..5000 {
            mkdirat(&at, "d", Mode::S_IRWXU).unwrap();
            at = nix::fcntl::openat(&at, "d", OFlag::O_DIRECTORY, Mode::empty()).unwrap().into();
        }
    };
    refused(deep, &["d"; 21].join("/"), "deeper than 20");
}

#[test]
fn hard_links_become_two_files_of_one_content() {
    let (_dir, store) = open_store();
    let scratch = store.scratch().unwrap();
    fs::write(scratch.path().join("a"), "same").unwrap();
    fs::hard_link(scratch.path().join("a"), scratch.path().join("b")).unwrap();
    let tree = store.tree(store.capture(scratch.path(), &CaptureLimits::default()).unwrap()).unwrap();
    let file = Node::File { digest: Digest::of(b"same"), executable: false };
    assert_eq!(tree.nodes.into_values().collect::<Vec<_>>(), [file.clone(), file]);
}

#[test]
fn a_handle_that_survived_cannot_change_what_is_stored() {
    use std::os::unix::fs::FileExt;
    let (_dir, store) = open_store();
    let scratch = store.scratch().unwrap();
    let content = vec![1; 3 << 20];
    fs::write(scratch.path().join("large"), &content).unwrap();
    let survivor = fs::File::options().write(true).open(scratch.path().join("large")).unwrap();
    store.capture(scratch.path(), &CaptureLimits::default()).unwrap();
    survivor.write_all_at(b"changed", 0).unwrap();
    assert!(store.get(Digest::of(&content)).unwrap() == content);
}

/// Swaps a file and a directory for links to a secret, over and over, while they are captured.
#[test]
fn a_link_swapped_in_during_capture_is_never_followed() {
    let (dir, store) = open_store();
    let secret = dir.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("x"), "secret").unwrap();
    let scratch = store.scratch().unwrap();
    let at = scratch.path();
    fs::create_dir_all(at.join("dir")).unwrap();
    fs::write(at.join("dir/x"), "open").unwrap();
    fs::write(at.join("x"), "open").unwrap();
    symlink(&secret, dir.path().join("dirlink")).unwrap();
    symlink(secret.join("x"), dir.path().join("filelink")).unwrap();
    let stop = AtomicBool::new(false);
    let swap = |one: &Path, two: &Path| {
        let flags = nix::fcntl::RenameFlags::RENAME_EXCHANGE;
        nix::fcntl::renameat2(nix::fcntl::AT_FDCWD, one, nix::fcntl::AT_FDCWD, two, flags).unwrap();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                swap(&at.join("dir"), &dir.path().join("dirlink"));
                swap(&at.join("x"), &dir.path().join("filelink"));
            }
        });
        for _ in 0..300 {
            let _ = store.capture(at, &CaptureLimits::default());
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(!store.contains(Digest::of(b"secret")).unwrap());
}

#[test]
fn any_tree_can_be_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (top, kept) = (dir.path().join("top"), dir.path().join("kept"));
    fs::write(&kept, "").unwrap();
    fs::create_dir_all(top.join("a/b/c")).unwrap();
    fs::create_dir_all(top.join(".removed.0")).unwrap();
    fs::write(top.join("a/b/c/file"), "").unwrap();
    fs::write(top.join(".removed.0/file"), "").unwrap();
    symlink(dir.path(), top.join("a/out")).unwrap();
    for (name, mode) in [("a/b/c", 0o000), ("a/b", 0o500), ("a", 0o000), (".removed.0", 0o555)] {
        fs::set_permissions(top.join(name), Permissions::from_mode(mode)).unwrap();
    }
    remove_tree(&top).unwrap();
    assert!(!top.exists() && kept.exists());
    remove_tree(&top).unwrap();
    remove_tree(&kept).unwrap();
    assert!(!kept.exists());
}
