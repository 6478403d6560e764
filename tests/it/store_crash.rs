//! Concurrent processes, and full or read-only disks. Kills and faults of the disk are in `store_faults`. Each test starts other processes by running this test
//! binary again with a role.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime};
use std::{env, fs};

use waders::base::{Digest, RelPath};
use waders::store::{CaptureLimits, Error, Node, RowMeaning, Store, Tree};
use waders::tracked::FileStamp;

const FILES: u32 = 60;
const KEY: [u8; 32] = [5; 32];

fn content(n: u32) -> Vec<u8> {
    format!("content {n} ").repeat(50 + n as usize).into_bytes()
}

/// All operations of a run: blobs, a tree, an image, a capture, and finally a value in the index that refers to the tree.
fn work(store: &Store) -> Result<Digest, Error> {
    let (batch, mut tree) = (store.batch(), Tree::default());
    for n in 0..FILES {
        let executable = n % 7 == 0;
        let digest = batch.put(&content(n), executable)?;
        let path = RelPath::parse(&format!("dir{}/file{n}", n % 5)).unwrap();
        tree.nodes.insert(path, Node::File { digest, executable });
    }
    let digest = batch.put_tree(&tree)?;
    batch.commit()?;
    let image = store.materialize(digest)?;
    assert_eq!(store.capture(&image, &CaptureLimits::default())?, digest);
    save_stat_data(store)?;
    store.index_put(&KEY, digest.to_string().as_bytes())?;
    Ok(digest)
}

fn save_stat_data(store: &Store) -> Result<(), Error> {
    let cache = store.stat_cache(store.root(), "notes")?;
    let (path, file) = (RelPath::parse("index.lock").unwrap(), store.root().join("index.lock"));
    let stamp = FileStamp::from_metadata(&fs::metadata(file).unwrap());
    cache.insert(path, stamp, Digest::of(b""), SystemTime::now() + Duration::from_secs(1), false);
    store.save_stat_cache(&cache, |_| true)
}

/// Asserts that the store is intact.
fn check(store: &Store) {
    let verified = store.verify().unwrap();
    assert_eq!(verified.damaged, Vec::<String>::new());
    if let Some(value) = store.index_get(&KEY).unwrap() {
        let tree: Digest = String::from_utf8(value).unwrap().parse().unwrap();
        for node in store.tree(tree).unwrap().nodes.values() {
            let Node::File { digest, .. } = node else { continue };
            store.get(*digest).unwrap();
        }
        store.materialize(tree).unwrap();
    }
    store.stat_cache(store.root(), "notes").unwrap();
    assert_eq!(store.take_notices(), Vec::<String>::new());
    assert_eq!(
        fs::read_dir(store.root().join("tmp")).unwrap().count(),
        1,
        "only the directory of the open store is left"
    );
}

#[test]
#[ignore = "a process of the other tests in this file; does nothing on its own"]
fn role() {
    let (Ok(role), Ok(root)) = (env::var("STORE_ROLE"), env::var("STORE_ROOT")) else { return };
    let root = Path::new(&root);
    match role.as_str() {
        "work" => drop(work(&Store::open(root).unwrap()).unwrap()),
        "fill" => fill(root),
        "overlay" => use_overlay(root),
        "read-only" => {
            let error = Store::open(root).unwrap_err();
            println!("ROLE: {}", chain(&error));
        }
        other => panic!("unknown role `{other}`"),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn command_for_role(role: &str, root: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "store_crash::role", "--nocapture"]);
    command.env("STORE_ROLE", role).env("STORE_ROOT", root).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn assert_success(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn eight_concurrent_processes_produce_the_same_store() {
    let dir = tempfile::tempdir().unwrap();
    let start = |_| command_for_role("work", dir.path()).spawn().unwrap();
    let children: Vec<Child> = (0..8).map(start).collect();
    for child in children {
        assert_success(&child.wait_with_output().unwrap());
    }
    let store = Store::open(dir.path()).unwrap();
    assert!(store.index_get(&KEY).unwrap().is_some());
    check(&store);
}

#[test]
fn eight_concurrent_processes_repair_an_image() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let image = store.materialize(work(&store).unwrap()).unwrap();
    fs::set_permissions(&image, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(image.join("extra"), "").unwrap();
    drop(store);
    let children: Vec<Child> = (0..8).map(|_| command_for_role("work", dir.path()).spawn().unwrap()).collect();
    for child in children {
        assert_success(&child.wait_with_output().unwrap());
    }
    check(&Store::open(dir.path()).unwrap());
    assert!(!image.join("extra").exists());
}

#[test]
fn eight_concurrent_threads_produce_the_same_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| work(&store).unwrap());
        }
    });
    check(&store);
}

#[test]
fn the_temporary_files_of_a_running_process_are_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let scratch = store.scratch().unwrap();
    fs::write(scratch.path().join("file"), "").unwrap();
    assert_success(&command_for_role("work", dir.path()).output().unwrap());
    assert!(scratch.path().join("file").exists());
}

/// Runs a script in a namespace in which it can mount. `$1` is an empty directory, and `$0` is this binary.
fn with_mounts(script: &str, role: &str) -> Option<Output> {
    let dir = tempfile::tempdir().unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["-rm", "sh", "-ec", script]).arg(env::current_exe().unwrap()).arg(dir.path());
    unshare.env("STORE_ROLE", role).env("STORE_ROOT", dir.path().join("store"));
    let output = match unshare.output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: `unshare` cannot be run: {error}");
            return None;
        }
    };
    if String::from_utf8_lossy(&output.stderr).contains("unshare: ") {
        eprintln!("skipped: no user namespaces: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    assert_success(&output);
    Some(output)
}

#[test]
fn a_full_disk_is_reported_and_leaves_a_usable_store() {
    let script = r#"mount -t tmpfs -o size=3m none "$1"; mkdir "$1/store"
        "$0" --ignored --exact store_crash::role --nocapture"#;
    let Some(output) = with_mounts(script, "fill") else { return };
    assert!(String::from_utf8_lossy(&output.stdout).contains("ROLE: filled"));
}

/// Fills the disk below `root`. Stored objects remain intact, and the store can be used again when space is available.
fn fill(root: &Path) {
    let store = Store::open(root).unwrap();
    let ballast = root.join("../ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let mut kept = Vec::new();
    let error = loop {
        match store.put(&vec![kept.len() as u8; 100_000]) {
            Ok(digest) => kept.push(digest),
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, Error::Full { path, .. } if path.starts_with(root)), "{error:?}");
    assert!(error.to_string().starts_with("no space left in"), "{error}");
    let big = [vec![1; 3 << 20], vec![2; 3 << 20]].concat();
    assert!(matches!(store.put_reader(big.as_slice()), Err(Error::Full { .. })));
    let scratch = store.scratch();
    assert!(scratch.is_ok() || matches!(scratch, Err(Error::Full { .. })));
    let index_full = (0..200).find_map(|n| store.index_put(&[n; 32], &vec![n; 50_000]).err());
    assert!(matches!(index_full, Some(Error::Full { .. })), "{index_full:?}");
    for digest in &kept {
        store.get(*digest).unwrap();
    }
    assert_eq!(fs::read_dir(root.join("tmp")).unwrap().count(), 1);
    drop(scratch);
    fs::remove_file(&ballast).unwrap();
    work(&store).unwrap();
    check(&store);
    println!("ROLE: filled after {}", kept.len());
}

#[test]
fn a_store_in_the_lower_layer_of_an_overlay_is_used_repaired_and_shrunk() {
    let script = r#"mkdir "$1/lower" "$1/upper" "$1/merged"; mkdir "$1/lower/store"
        STORE_ROOT="$1/lower/store" STORE_ROLE=work "$0" --ignored --exact store_crash::role
        mount -t tmpfs none "$1/upper"; mkdir "$1/upper/upper" "$1/upper/work"
        mount -t overlay -o "userxattr,lowerdir=$1/lower,upperdir=$1/upper/upper,workdir=$1/upper/work" none "$1/merged" || exit 0
        STORE_ROOT="$1/merged/store" "$0" --ignored --exact store_crash::role --nocapture"#;
    let Some(output) = with_mounts(script, "overlay") else { return };
    if !String::from_utf8_lossy(&output.stdout).contains("ROLE: shrunk") {
        eprintln!("skipped: an overlay cannot be mounted: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Repairs an image, and removes everything.
fn use_overlay(root: &Path) {
    let store = Store::open(root).unwrap();
    let image = store.image_path(work(&store).unwrap());
    fs::set_permissions(&image, fs::Permissions::from_mode(0o755)).unwrap();
    drop(store);
    let store = Store::open(root).unwrap();
    work(&store).unwrap();
    assert!(store.take_notices().iter().any(|notice| notice.contains("is rebuilt")));
    check(&store);
    let collected = store.collect(0, &|_| RowMeaning::default()).unwrap();
    assert!(collected.objects > 60 && collected.images == 1, "{collected:?}");
    drop(store);
    let store = Store::open(root).unwrap();
    work(&store).unwrap();
    check(&store);
    println!("ROLE: shrunk");
}

#[test]
fn a_read_only_store_is_reported_with_its_path() {
    let script = r#"mount -t tmpfs none "$1"; mkdir "$1/store"
        STORE_ROLE=work "$0" --ignored --exact store_crash::role
        mount -o remount,bind,ro "$1"
        "$0" --ignored --exact store_crash::role --nocapture"#;
    let Some(output) = with_mounts(script, "read-only") else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("ROLE: cannot ") && text.contains("/store/") && text.contains("Read-only file system"),
        "{text}"
    );
}
