//! Faults at every operation on the files of a store: errors of the disk, kills, and power cuts that lose what was not synced. After
//! each of them nothing that was published is lost or wrong, and the same work succeeds. Each fault is in a process of its own,
//! which runs this test binary again; `src/core/store/faults.rs` has the format of the file `fault`.
//!
//! `STORE_FAULTS=1000 STORE_SEED=7 cargo test --test it many_faults -- --ignored --nocapture` makes as many of each group.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};
use std::{env, fs};

use waders::base::{Digest, RelPath};
use waders::store::{CaptureLimits, Error, Node, Store, Tree};
use waders::tracked::FileStamp;

/// The errors that are injected. With `+`, all later operations fail, too.
const ERRORS: [&str; 12] = [
    "ENOSPC", "ENOSPC+", "EDQUOT", "EDQUOT+", "EIO", "EIO+", "EMFILE", "EMFILE+", "ENOMEM", "EINTR", "short", "short+",
];

const FILES: u32 = 60;

fn content(n: u32) -> Vec<u8> {
    format!("content {n} ").repeat(50 + n as usize).into_bytes()
}

/// Reports something that the store has promised to keep. The parent process reads it even if this process is killed.
fn promise(what: &str, digest: Digest) {
    if env::var("STORE_ROOT").is_ok() {
        println!("PROMISED {what} {digest}");
    }
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

/// Every way in which the store is written to.
fn work(store: &Store, outside: &Path) -> Result<(), Error> {
    let (batch, mut tree) = (store.batch(), Tree::default());
    for n in 0..FILES {
        let executable = n % 7 == 0;
        let digest = batch.put(&content(n), executable)?;
        tree.nodes.insert(path(&format!("dir{}/file{n}", n % 5)), Node::File { digest, executable });
    }
    tree.nodes.insert(path("link"), Node::Symlink { target: "dir1/file1".to_owned() });
    let digest = batch.put_tree(&tree)?;
    batch.commit()?;
    promise("tree", digest);
    // Larger than what is hashed in memory.
    let large = store.put_reader(vec![b'x'; 1_200_000].as_slice())?;
    promise("blob", large);
    let image = store.materialize(digest)?;
    assert_eq!(store.capture(&image, &CaptureLimits::default())?, digest);
    let both = Node::File { digest: large, executable: true };
    let lazy = store.put_tree_lazily(&Tree { nodes: [(path("a/b"), both)].into() })?;
    store.write_lazy_tree(lazy)?;
    let merged = store.merge(&[(path("x"), lazy), (path("y"), digest)])?;
    promise("tree", merged);
    store.materialize(merged)?;
    save_records(store)?;
    store.copy_out(lazy, outside)?;
    store.index_put(&[5; 32], merged.to_string().as_bytes())?;
    repair(store.root(), digest)?;
    store.scrub(u64::MAX, &AtomicBool::new(false)).map(drop)
}

/// An image that was damaged is exchanged with a new one.
fn repair(root: &Path, tree: Digest) -> Result<(), Error> {
    let store = Store::open(root)?;
    let image = store.image_path(tree);
    if let Ok(metadata) = fs::metadata(&image) {
        fs::set_permissions(&image, fs::Permissions::from_mode(0o755)).unwrap();
        let _ = fs::write(image.join("extra"), "");
        fs::set_permissions(&image, metadata.permissions()).unwrap();
    }
    store.materialize(tree).map(drop)
}

fn save_records(store: &Store) -> Result<(), Error> {
    let file = store.root().join("empty");
    fs::write(&file, "").unwrap();
    let stamp = FileStamp::from_metadata(&fs::metadata(file).unwrap());
    for n in 0..2_u8 {
        let cache = store.stat_cache(store.root(), "notes")?;
        cache.insert(path(&format!("{n}")), stamp, Digest::of(b""), SystemTime::now() + Duration::from_secs(1), false);
        store.save_stat_cache(&cache, |_| true)?;
    }
    store.store_trace(store.root(), &Digest::of(b"key"), &[], b"result")
}

#[test]
#[ignore = "a process of the other tests in this file; does nothing on its own"]
fn role() {
    let Ok(root) = env::var("STORE_ROOT") else { return };
    let (root, outside) = (Path::new(&root).join("store"), Path::new(&root).join("outside"));
    let result = Store::open(&root).and_then(|store| work(&store, &outside));
    println!("ENDED {result:?}");
}

fn start(dir: &Path) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "store_faults::role", "--nocapture"]);
    command.env("STORE_ROOT", dir).output().unwrap()
}

/// Makes one fault and returns how the process ended.
fn check(kind: &str, at: u64, seed: u64) -> &'static str {
    let case = format!("{kind} {at} {seed}");
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("fault"), &case).unwrap();
    let output = start(dir.path());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let killed = output.status.signal() == Some(9);
    assert!(killed || text.contains("ENDED "), "{case}: {text}\n{stderr}");
    let occurred = fs::read_to_string(root.join("fault-occurred")).unwrap_or_default();
    fs::remove_file(root.join("fault")).unwrap();
    let store = Store::open(&root).unwrap();
    let verified = store.verify().unwrap();
    assert_eq!(verified.damaged, Vec::<String>::new(), "{case}: {occurred}");
    for line in text.lines().filter_map(|line| line.strip_prefix("PROMISED ")) {
        let (what, digest) = line.split_once(' ').unwrap();
        let digest: Digest = digest.parse().unwrap();
        let is_kept = if what == "tree" { store.is_complete(digest) } else { store.contains(digest) };
        assert!(is_kept.unwrap(), "{case}: lost the {line}: {occurred}");
    }
    if let Some(value) = store.index_get(&[5; 32]).unwrap() {
        let tree: Digest = String::from_utf8(value).unwrap().parse().unwrap();
        assert!(store.is_complete(tree).unwrap(), "{case}: {occurred}");
    }
    let outcome = work(&store, &dir.path().join("outside"));
    assert!(outcome.is_ok(), "{case}: {occurred}: {outcome:?}");
    assert_eq!(store.verify().unwrap().damaged, Vec::<String>::new(), "{case}: {occurred}");
    let left = fs::read_dir(root.join("tmp")).unwrap().count();
    assert_eq!(left, 1, "{case}: {occurred}: only the directory of the open store is left");
    match (killed, text.contains("ENDED Ok"), occurred.is_empty()) {
        (true, ..) => "killed",
        (_, _, true) => "no fault",
        (_, true, _) => "succeeded",
        _ => "failed",
    }
}

/// The number of operations of the work without a fault.
fn operations() -> u64 {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("store")).unwrap();
    fs::write(dir.path().join("store/fault"), "kill 1000000 0").unwrap();
    start(dir.path());
    fs::read_to_string(dir.path().join("store/fault-count")).unwrap().parse().unwrap()
}

/// Makes this many faults of each group at operations that the seed chooses.
fn check_many(count: u64, seed: u64) {
    let operations = operations();
    let mut summary: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for group in ["kill", "cut", "error"] {
        for n in 0..count {
            let number =
                u64::from_le_bytes(*Digest::of(format!("{group} {seed} {n}").as_bytes()).hash().first_chunk().unwrap());
            let kind = match group {
                "error" => ERRORS[usize::try_from(number >> 32).unwrap() % ERRORS.len()],
                group => group,
            };
            *summary.entry((kind, check(kind, 1 + number % operations, number))).or_default() += 1;
        }
    }
    println!("{operations} operations, seed {seed}:");
    summary.iter().for_each(|((kind, end), count)| println!("{kind:<8} {end:<10} {count:>5}"));
}

#[test]
fn faults_at_some_operations_lose_nothing() {
    check_many(12, 1);
}

#[test]
#[ignore = "takes minutes"]
fn many_faults_lose_nothing() {
    let number = |name: &str, default| env::var(name).map_or(default, |text| text.parse().unwrap());
    check_many(number("STORE_FAULTS", 100), number("STORE_SEED", 1));
}
