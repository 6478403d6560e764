//! Capturing directories that hostile or careless processes wrote.

use std::collections::BTreeMap;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::stat::{Mode, SFlag, makedev, mkdirat, mknod};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::*;
use crate::store::remove_tree;

/// The number of openat2(2), which is the same on all architectures.
const SYS_OPENAT2: i64 = 437;

fn open_store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    (dir, store)
}

/// Asserts that a directory that `write` filled is refused, with a message that names the path `at` and the reason.
fn refused(write: impl FnOnce(&Path), at: &str, why: &str) {
    let (_dir, store) = open_store();
    let scratch = store.scratch().unwrap();
    fs::create_dir(scratch.path().join("sub")).unwrap();
    fs::write(scratch.path().join("sub/fine"), "fine").unwrap();
    write(scratch.path());
    let limits = CaptureLimits { depth: 20, entries: 100, bytes: 1 << 30 };
    match store.capture(scratch.path(), &limits) {
        Err(Error::Refused { path, why: found }) => assert!(path == at && found.contains(why), "`{path}`: {found}"),
        other => panic!("expected a refusal of `{at}` ({why}), got {other:?}"),
    }
    assert_eq!(store.verify().unwrap().objects, 0, "an object of a refused directory was published");
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

/// Filters of containers are older than some system calls. The filter holds for this thread alone.
#[test]
fn a_tree_is_captured_without_openat2() {
    let denied = |errno: Errno| {
        let calls = BTreeMap::from([(SYS_OPENAT2, Vec::new())]);
        let arch = std::env::consts::ARCH.try_into().unwrap();
        let action = SeccompAction::Errno(errno as u32);
        let filter = SeccompFilter::new(calls, SeccompAction::Allow, action, arch).unwrap();
        let program: BpfProgram = filter.try_into().unwrap();
        nix::sys::prctl::set_no_new_privs().unwrap();
        seccompiler::apply_filter(&program).unwrap();
        refused(|dir| symlink("/etc/passwd", dir.join("sub/out")).unwrap(), "sub/out", "outside");
        let (_dir, store) = open_store();
        let scratch = store.scratch().unwrap();
        fs::create_dir_all(scratch.path().join("sub/below")).unwrap();
        fs::write(scratch.path().join("sub/below/file"), "text").unwrap();
        let tree = store.tree(store.capture(scratch.path(), &CaptureLimits::default()).unwrap()).unwrap();
        assert_eq!(tree.nodes.keys().map(ToString::to_string).collect::<Vec<_>>(), ["sub/below/file"]);
    };
    for errno in [Errno::ENOSYS, Errno::EPERM] {
        std::thread::spawn(move || denied(errno)).join().unwrap();
    }
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
fn setuid_setgid_and_unreadable_modes_are_refused() {
    let chmod = |name: &'static str, mode: u32| {
        move |dir: &Path| fs::set_permissions(dir.join(name), Permissions::from_mode(mode)).unwrap()
    };
    refused(chmod("sub/fine", 0o4755), "sub/fine", "setuid");
    refused(chmod("sub/fine", 0o2755), "sub/fine", "setgid");
    refused(chmod("sub/fine", 0o000), "sub/fine", "does not permit the owner to read");
    refused(chmod("sub", 0o300), "sub", "does not permit the owner to read");
}

#[test]
fn extended_attributes_are_refused() {
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
fn names_that_are_not_utf8_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    refused(|dir| fs::write(dir.join("sub").join(name), "").unwrap(), "sub", r"`caf\xe9`");
    refused(|dir| symlink(name, dir.join("link")).unwrap(), "link", "not UTF-8");
}

#[test]
fn unusual_valid_names_are_captured() {
    let (_dir, store) = open_store();
    let scratch = store.scratch().unwrap();
    for name in ["--bind", "@file", "$(x)", "a\nb", "…", ".hidden", "a\\b"] {
        fs::write(scratch.path().join(name), name).unwrap();
    }
    let tree = store.capture(scratch.path(), &CaptureLimits::default()).unwrap();
    assert_eq!(store.tree(tree).unwrap().nodes.len(), 7);
}

#[test]
fn the_limits_are_enforced() {
    let many = |dir: &Path| (0..200).for_each(|n| fs::write(dir.join("sub").join(n.to_string()), "").unwrap());
    refused(many, "sub", "more than 100 entries");
    refused(|dir| fs::File::create(dir.join("tebibyte")).unwrap().set_len(1 << 40).unwrap(), "tebibyte", "bytes");
    let deep = |dir: &Path| {
        let mut at = std::fs::File::open(dir).unwrap();
        // Deeper than any path can express: PATH_MAX is 4096.
        for _ in 0..5000 {
            mkdirat(&at, "d", Mode::S_IRWXU).unwrap();
            at = nix::fcntl::openat(&at, "d", OFlag::O_DIRECTORY, Mode::empty()).unwrap().into();
        }
    };
    refused(deep, &["d"; 21].join("/"), "deeper than 20");
}

#[test]
fn hard_links_become_separate_files() {
    let (_dir, store) = open_store();
    let scratch = store.scratch().unwrap();
    fs::write(scratch.path().join("a"), "same").unwrap();
    fs::hard_link(scratch.path().join("a"), scratch.path().join("b")).unwrap();
    let tree = store.tree(store.capture(scratch.path(), &CaptureLimits::default()).unwrap()).unwrap();
    let file = Node::File { digest: Digest::of(b"same"), executable: false };
    assert_eq!(tree.nodes.into_values().collect::<Vec<_>>(), [file.clone(), file]);
}

#[test]
fn an_open_handle_cannot_change_stored_bytes() {
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

/// Repeatedly exchanges a file and a directory with links to a secret while they are captured.
#[test]
fn a_link_that_appears_during_capture_is_not_followed() {
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
