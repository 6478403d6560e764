//! Mounts of every kind: what a step sees of the host's directories, and what it changes in them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use waders_sandbox::{Mount, MountKind, TreeEntry};

use crate::fixtures::{
    SharedTempDir, chain, copied, copied_with, python, read_only, run, scratch, start_with, succeed, writable,
};
use crate::harness::Suite;

pub fn add(suite: &mut Suite) {
    suite.test("a step can change its copied tree, and the originals stay the same", writable_copies);
    suite.test("a copied tree has the modes and times of the request", modes_and_times);
    suite.test("a copied tree is limited in size", limited_size);
    suite.test("a copied tree contains exactly the entries of the request", exact_entries);
    suite.test("the entries of a copied tree can be created in the reverse order", reversed_entries);
    suite.test("a read-only copied tree looks like a read-only mount", read_only_copies);
    suite.test("originals that differ from the request are refused", different_originals);
    suite.test("entries of a copied tree cannot be outside of it", entries_stay_inside);
    suite.test("a source below a private directory can be mounted", private_home);
    suite.test("the caller can use what a step writes into a writable directory", left_behind);
    suite.test("the existing contents of a writable directory are writable", populated);
    suite.test("scratch space is empty at the start of each step", fresh_scratch);
    suite.test("the size of shared memory can be set by the request", limited_shared_memory);
    suite.test("a mount below another mount is visible", nested);
    suite.test("the host's mounts and devices are not changed", host_unchanged);
}

/// Creates a tree with the modes that files and directories have in the store.
fn create_tree(temp: &SharedTempDir) -> PathBuf {
    let root = temp.dir("tree");
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/b/file"), "content").unwrap();
    fs::write(root.join("program"), "#!/bin/sh\necho ran\n").unwrap();
    for (path, mode) in [("a/b/file", 0o444), ("program", 0o555), ("a/b", 0o555), ("a", 0o555), ("", 0o555)] {
        fs::set_permissions(root.join(path), Permissions::from_mode(mode)).unwrap();
    }
    root
}

fn snapshot(root: &Path) -> Vec<(PathBuf, u32, u32, i64, Vec<u8>)> {
    let mut all = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if meta.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        all.push((path, meta.mode(), meta.uid(), meta.mtime(), content));
    }
    all.sort();
    all
}

const CHANGES: &str = r"
import os, shutil
open('/src/a/b/file', 'a').write(' and more')
assert open('/src/a/b/file').read() == 'content and more'
open('/src/a/new', 'w').write('new')
os.mkdir('/src/a/b/dir')
os.chmod('/src/program', 0o700)
os.rename('/src/program', '/src/a/program')
os.unlink('/src/a/b/file')
assert os.listdir('/src/a/b') == ['dir']
shutil.rmtree('/src/a')
os.mkdir('/src/a')
assert os.listdir('/src/a') == []
os.chmod('/src', 0o700)
";

fn writable_copies() {
    let temp = SharedTempDir::new();
    let source = create_tree(&temp);
    let before = snapshot(&source);
    let mut request = python(CHANGES);
    request.mounts.push(copied("/src", &source));
    assert_eq!(succeed(&request), "");
    assert_eq!(snapshot(&source), before);
}

fn modes_and_times() {
    let temp = SharedTempDir::new();
    let mut request = python(
        "import os, subprocess\nfor path in ['', 'a', 'a/b/file', 'program']:\n    stat = os.stat('/src/' + path)\n    \
         print(stat.st_mtime, stat.st_uid, oct(stat.st_mode & 0o777))\nprint(subprocess.check_output('/src/program', text=True))",
    );
    request.mounts.push(copied("/src", create_tree(&temp)));
    assert_eq!(succeed(&request), "1.0 1000 0o755\n1.0 1000 0o755\n1.0 1000 0o644\n1.0 1000 0o755\nran\n\n");
}

fn limited_size() {
    let temp = SharedTempDir::new();
    let code = "import errno\ntry:\n    open('/src/a/large', 'wb').write(bytes(8 << 20))\nexcept OSError as error:\n    \
                print(error.errno == errno.ENOSPC)\nopen('/src/a/large', 'wb').write(bytes(1 << 19))";
    let mut request = python(code);
    request.mounts.push(copied_with("/src", create_tree(&temp), 1 << 20));
    assert_eq!(succeed(&request), "True\n");
}

/// Returns a mount of these entries. The source directory contains one file, `seven`, of 7 bytes.
fn copied_entries(temp: &SharedTempDir, entries: &[(&str, TreeEntry)]) -> Mount {
    let source = temp.dir("source");
    fs::write(source.join("seven"), "content").unwrap();
    let entries = entries.iter().map(|(path, entry)| ((*path).to_owned(), entry.clone())).collect();
    crate::fixtures::copied_entries("/src", source, entries, (0, 0))
}

fn file(from: &str, size_bytes: u64) -> TreeEntry {
    TreeEntry::File { from: from.to_owned(), size_bytes, executable: false, blake3: None }
}

/// Lists the same tree with both orders, and everything in it.
fn reversed_entries() {
    let temp = SharedTempDir::new();
    let names = ["a/x", "a-b", "a/y", "b", "c/d/e", "c/f"];
    let entries = names.map(|name| (name, file("seven", 7)));
    let listing = |is_reversed| {
        let mut mount = copied_entries(&temp, &entries);
        if let MountKind::Copied { reversed, .. } = &mut mount.kind {
            *reversed = is_reversed;
        }
        let mut request =
            python("import os\nprint(os.listdir('/src'), sorted(os.listdir('/src/c')), os.stat('/src/a/x').st_size)");
        request.mounts.push(mount);
        succeed(&request)
    };
    assert_eq!(listing(false), "['c', 'b', 'a', 'a-b'] ['d', 'f'] 7\n");
    assert_eq!(listing(true), "['a-b', 'a', 'b', 'c'] ['d', 'f'] 7\n");
}

fn read_only_copies() {
    let temp = SharedTempDir::new();
    let mut mount = copied("/src", create_tree(&temp));
    if let MountKind::Copied { read_only, .. } = &mut mount.kind {
        *read_only = true;
    }
    let mut request = python(
        "import errno, os\nfor path in ['', 'a', 'a/b/file', 'program']:\n    stat = os.stat('/src/' + path)\n    \
         print(stat.st_mtime, oct(stat.st_mode & 0o777))\ntry:\n    open('/src/new', 'w')\nexcept OSError as error:\n    \
         print(error.errno == errno.EROFS)",
    );
    request.mounts.push(mount);
    assert_eq!(succeed(&request), "1.0 0o555\n1.0 0o555\n1.0 0o444\n1.0 0o555\nTrue\n");
}

fn exact_entries() {
    let temp = SharedTempDir::new();
    let link = TreeEntry::Symlink { target: "../x".to_owned() };
    let entries = [("a/b/x", file("seven", 7)), ("a-b", file("none", 0)), ("a/y", link), ("a/z", TreeEntry::Directory)];
    let mut request = python(
        "import os\nfor at, dirs, files in sorted(os.walk('/src')): print(at, sorted(dirs), sorted(files))\n\
         print(open('/src/a/b/x').read(), os.readlink('/src/a/y'), os.stat('/src/a-b').st_size)",
    );
    request.mounts.push(copied_entries(&temp, &entries));
    let expected = "/src ['a'] ['a-b']\n/src/a ['b', 'z'] ['y']\n/src/a/b [] ['x']\n/src/a/z [] []\ncontent ../x 0\n";
    assert_eq!(succeed(&request), expected);
}

fn different_originals() {
    let temp = SharedTempDir::new();
    let hashed = |blake3: &str| TreeEntry::File {
        from: "seven".to_owned(),
        size_bytes: 7,
        executable: false,
        blake3: Some(blake3.to_owned()),
    };
    let mut intact = python("print(open('/src/a/x').read())");
    intact.mounts.push(copied_entries(&temp, &[("a/x", hashed(blake3::hash(b"content").to_hex().as_str()))]));
    assert_eq!(succeed(&intact), "content\n");
    for (entry, expected) in [
        (file("seven", 8), "the original of `a/x` is damaged: it has fewer than 8 bytes"),
        (hashed(blake3::hash(b"c0ntent").to_hex().as_str()), "the original of `a/x` is damaged: its hash is "),
        (file("none", 1), "the original of `a/x` is damaged: it does not exist"),
        (file("../source/../../etc/hostname", 1 << 20), "`a/x`"),
    ] {
        let mut request = python("print('ran')");
        request.mounts.push(copied_entries(&temp, &[("a/x", entry.clone())]));
        let (outcome, output) = run(&request);
        let error = chain(&outcome.expect_err(&format!("{entry:?} {output}")));
        assert!(error.contains(expected) && output.is_empty(), "{error} {output}");
    }
}

fn entries_stay_inside() {
    let temp = SharedTempDir::new();
    let link = TreeEntry::Symlink { target: "/tmp".to_owned() };
    let mut bad: Vec<Vec<(&str, TreeEntry)>> =
        ["../x", "a/../../x", "/x", "a//x", "a/./x", ""].map(|path| vec![(path, file("seven", 7))]).into();
    bad.push(vec![("a", link), ("a/x", file("seven", 7))]);
    for entries in bad {
        let mut request = python("print('ran')");
        request.mounts.push(copied_entries(&temp, &entries));
        let (outcome, output) = run(&request);
        assert!(outcome.is_err() && output.is_empty(), "{entries:?} {output}");
    }
}

fn private_home() {
    let temp = SharedTempDir::new();
    let home = temp.dir("home");
    let inner = temp.dir("home/store/image");
    let out = temp.dir("home/store/out");
    fs::write(inner.join("file"), "content").unwrap();
    fs::set_permissions(&home, Permissions::from_mode(0o700)).unwrap();
    let mut request =
        python("print(open('/in/file').read()); open('/src/file', 'a').write('x'); open('/out/file', 'w').write('x')");
    request.mounts.extend([read_only("/in", &inner), copied("/src", &inner), writable("/out", &out)]);
    assert_eq!(succeed(&request), "content\n");
    assert_eq!(fs::read_to_string(out.join("file")).unwrap(), "x");
}

fn left_behind() {
    let temp = SharedTempDir::new();
    let out = temp.dir("out");
    let mut request = python(
        "import os\nos.makedirs('/out/a/b')\nopen('/out/a/b/file', 'w').write('x')\nos.chmod('/out/a/b/file', 0o600)\nos.symlink('/etc/passwd', '/out/link')",
    );
    request.mounts.push(writable("/out", &out));
    succeed(&request);
    assert_eq!(fs::read_to_string(out.join("a/b/file")).unwrap(), "x");
    assert!(fs::symlink_metadata(out.join("link")).unwrap().is_symlink());
    fs::remove_dir_all(&out).unwrap();
}

fn populated() {
    let temp = SharedTempDir::new();
    let out = temp.dir("out");
    fs::create_dir(out.join("cache")).unwrap();
    fs::write(out.join("cache/file"), "old").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", out.join("cache/link")).unwrap();
    let before = fs::metadata("/etc/hostname").map(|meta| meta.uid()).ok();
    let mut request = python("open('/out/cache/file', 'w').write('new'); open('/out/cache/more', 'w').close()");
    request.mounts.push(writable("/out", &out));
    succeed(&request);
    assert_eq!(fs::read_to_string(out.join("cache/file")).unwrap(), "new");
    assert_eq!(
        fs::metadata("/etc/hostname").map(|meta| meta.uid()).ok(),
        before,
        "the owner was changed through a link"
    );
}

fn fresh_scratch() {
    let code = "import os\nfor path in ['/tmp', '/dev/shm', '/scratch']:\n    print(os.listdir(path))\n    open(path + '/remains', 'w').close()";
    for _ in 0..6 {
        let mut request = python(code);
        request.mounts.push(scratch("/scratch"));
        assert_eq!(succeed(&request), "[]\n[]\n[]\n");
    }
}

fn host_unchanged() {
    let observe = || {
        let device = fs::metadata("/dev/null").unwrap();
        (fs::read_to_string("/proc/self/mountinfo").unwrap(), device.uid(), device.mode())
    };
    let before = observe();
    let spawner = waders_sandbox::Spawner::start().unwrap();
    let temp = SharedTempDir::new();
    let mut request = python("print('ran')");
    request.mounts.extend([copied("/src", create_tree(&temp)), writable("/out", temp.dir("out"))]);
    let during = start_with(&spawner, &request).unwrap();
    assert_eq!(observe(), before);
    during.wait().0.unwrap();
    drop(spawner);
    assert_eq!(observe(), before);
}

fn limited_shared_memory() {
    let mut request = python(
        "import os, multiprocessing.shared_memory as shared\nstat = os.statvfs('/dev/shm')\n\
         memory = shared.SharedMemory(create=True, size=1 << 20)\nmemory.buf[0] = 1\nmemory.close()\nmemory.unlink()\n\
         print(stat.f_blocks * stat.f_frsize, oct(os.stat('/dev/shm').st_mode))",
    );
    request.mounts.push(scratch("/dev/shm"));
    assert_eq!(succeed(&request), format!("{} 0o41777\n", 64 << 20));
}

fn nested() {
    let temp = SharedTempDir::new();
    let (outer, inner) = (temp.dir("outer"), temp.dir("inner"));
    fs::create_dir(outer.join("below")).unwrap();
    fs::write(inner.join("file"), "inner").unwrap();
    let mut request = python("print(open('/src/below/file').read()); print(open('/src/new/file').read())");
    request.mounts.extend([copied("/src", &outer), read_only("/src/below", &inner), read_only("/src/new", &inner)]);
    assert_eq!(succeed(&request), "inner\ninner\n");
    assert_eq!(fs::read_dir(outer).unwrap().count(), 1);
    let mut missing = python("");
    missing.mounts.extend([read_only("/in", &inner), read_only("/in/new", &inner)]);
    assert!(run(&missing).0.is_err(), "a mount point was created in a read-only tree");
}
