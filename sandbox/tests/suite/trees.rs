//! Directories of the host as a step sees them, and what is left of them afterwards.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use waders_sandbox::MountKind;

use crate::harness::Suite;
use crate::kit::{Place, copy_on_write, python, read_only, run, scratch, start_with, succeed, writable};

pub fn add(suite: &mut Suite) {
    for (name, writable_by_mode) in [("stacked", true), ("copied", false)] {
        suite.test(&format!("a {name} tree can be changed at will and is not changed"), move || {
            changed_at_will(writable_by_mode)
        });
        suite.test(&format!("a {name} tree keeps modes and times"), move || keeps_modes(writable_by_mode));
        suite.test(&format!("a {name} tree has room for its limit only"), move || limited(writable_by_mode));
    }
    suite.test("a tree below a directory that only its owner may enter can be mounted", private_home);
    suite.test("what a step leaves in a writable directory is there for the caller", left_behind);
    suite.test("a writable directory that holds something already is the step's", populated);
    suite.test("scratch space holds nothing of the former user", fresh_scratch);
    suite.test("a mount below a mount is seen", nested);
    suite.test("the host's mounts and devices stay as they are", host_unchanged);
}

/// With modes as the store makes them, or as a checkout has them.
fn tree(place: &Place, writable_by_mode: bool) -> PathBuf {
    let root = place.dir("tree");
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/b/file"), "content").unwrap();
    fs::write(root.join("program"), "#!/bin/sh\necho ran\n").unwrap();
    let (file, dir) = if writable_by_mode { (0o644, 0o755) } else { (0o444, 0o555) };
    for (path, mode) in [("a/b/file", file), ("program", file | 0o111), ("a/b", dir), ("a", dir), ("", dir)] {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        fs::File::open(root.join(path)).unwrap().set_modified(time).unwrap();
        fs::set_permissions(root.join(path), Permissions::from_mode(mode)).unwrap();
    }
    root
}

fn snapshot(root: &Path) -> Vec<(PathBuf, u32, u32, i64, Vec<u8>)> {
    let mut all = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if meta.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
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

fn changed_at_will(writable_by_mode: bool) {
    let place = Place::for_everyone();
    let source = tree(&place, writable_by_mode);
    let before = snapshot(&source);
    let mut request = python(CHANGES);
    request.mounts.push(copy_on_write("/src", &source));
    assert_eq!(succeed(&request), "");
    assert_eq!(snapshot(&source), before);
}

fn keeps_modes(writable_by_mode: bool) {
    let place = Place::for_everyone();
    let mut request = python(
        "import os, subprocess\nfor path in ['', 'a', 'a/b/file', 'program']:\n    stat = os.stat('/src/' + path)\n    \
         print(stat.st_mtime, stat.st_uid, bool(stat.st_mode & 0o111))\nprint(subprocess.check_output('/src/program', text=True))",
    );
    request.mounts.push(copy_on_write("/src", tree(&place, writable_by_mode)));
    assert_eq!(succeed(&request), "1.0 1000 True\n1.0 1000 True\n1.0 1000 False\n1.0 1000 True\nran\n\n");
}

fn limited(writable_by_mode: bool) {
    let place = Place::for_everyone();
    let code = "import errno\ntry:\n    open('/src/a/large', 'wb').write(bytes(8 << 20))\nexcept OSError as error:\n    \
                print(error.errno == errno.ENOSPC)\nopen('/src/a/large', 'wb').write(bytes(1 << 19))";
    let mut request = python(code);
    let kind =
        MountKind::CopyOnWrite { source: tree(&place, writable_by_mode), upper_bytes: 1 << 20, upper_inodes: 100 };
    request.mounts.push(waders_sandbox::Mount { at: "/src".into(), kind });
    assert_eq!(succeed(&request), "True\n");
}

fn private_home() {
    let place = Place::for_everyone();
    let home = place.dir("home");
    let inner = place.dir("home/store/image");
    let out = place.dir("home/store/out");
    fs::write(inner.join("file"), "content").unwrap();
    fs::set_permissions(&home, Permissions::from_mode(0o700)).unwrap();
    let mut request =
        python("print(open('/in/file').read()); open('/src/file', 'a').write('x'); open('/out/file', 'w').write('x')");
    request.mounts.extend([read_only("/in", &inner), copy_on_write("/src", &inner), writable("/out", &out)]);
    assert_eq!(succeed(&request), "content\n");
    assert_eq!(fs::read_to_string(out.join("file")).unwrap(), "x");
}

fn left_behind() {
    let place = Place::for_everyone();
    let out = place.dir("out");
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
    let place = Place::for_everyone();
    let out = place.dir("out");
    fs::create_dir(out.join("cache")).unwrap();
    fs::write(out.join("cache/file"), "old").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", out.join("cache/link")).unwrap();
    let before = fs::metadata("/etc/hostname").map(|meta| meta.uid()).ok();
    let mut request = python("open('/out/cache/file', 'w').write('new'); open('/out/cache/more', 'w').close()");
    request.mounts.push(writable("/out", &out));
    succeed(&request);
    assert_eq!(fs::read_to_string(out.join("cache/file")).unwrap(), "new");
    assert_eq!(fs::metadata("/etc/hostname").map(|meta| meta.uid()).ok(), before, "a link was followed");
}

fn fresh_scratch() {
    let code = "import os\nfor path in ['/tmp', '/dev/shm', '/scratch']:\n    print(os.listdir(path))\n    open(path + '/left', 'w').close()";
    for _ in 0..6 {
        let mut request = python(code);
        request.mounts.push(scratch("/scratch"));
        assert_eq!(succeed(&request), "[]\n[]\n[]\n");
    }
}

fn host_unchanged() {
    let look = || {
        let device = fs::metadata("/dev/null").unwrap();
        (fs::read_to_string("/proc/self/mountinfo").unwrap(), device.uid(), device.mode())
    };
    let before = look();
    let spawner = waders_sandbox::Spawner::start().unwrap();
    let place = Place::for_everyone();
    let mut request = python("print('ran')");
    request.mounts.extend([copy_on_write("/src", tree(&place, true)), writable("/out", place.dir("out"))]);
    let during = start_with(&spawner, &request).unwrap();
    assert_eq!(look(), before);
    during.wait().0.unwrap();
    drop(spawner);
    assert_eq!(look(), before);
}

fn nested() {
    let place = Place::for_everyone();
    let (outer, inner) = (place.dir("outer"), place.dir("inner"));
    fs::create_dir(outer.join("below")).unwrap();
    fs::write(inner.join("file"), "inner").unwrap();
    let mut request = python("print(open('/src/below/file').read()); print(open('/src/new/file').read())");
    request.mounts.extend([
        copy_on_write("/src", &outer),
        read_only("/src/below", &inner),
        read_only("/src/new", &inner),
    ]);
    assert_eq!(succeed(&request), "inner\ninner\n");
    assert_eq!(fs::read_dir(outer).unwrap().count(), 1);
    let mut missing = python("");
    missing.mounts.extend([read_only("/in", &inner), read_only("/in/new", &inner)]);
    assert!(run(&missing).0.is_err(), "no mount point can be made in a read-only tree");
}
