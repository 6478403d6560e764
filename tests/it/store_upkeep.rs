//! The upkeep of a store: what takes its space, its verification and repair, and the removal of what was used least recently, also
//! while other processes use the store. Other processes run this test binary again with a role.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};
use std::{env, fs};

use waders::base::{Digest, RelPath};
use waders::store::{Collected, Node, Row, RowMeaning, Store, Tree};
use waders::tracked::FileStamp;

/// Rows whose value is a digest need that tree.
fn interpret(row: &Row) -> RowMeaning {
    let tree = String::from_utf8_lossy(&row.value).parse().ok();
    RowMeaning { part: "trees", required: tree.into_iter().collect(), ..RowMeaning::default() }
}

/// A store with trees under keys.
struct Fixture {
    dir: tempfile::TempDir,
    store: Store,
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        Fixture { dir, store }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// Opens the store again, as a later process does.
    fn reopened(self) -> Fixture {
        let root = self.root();
        let Fixture { dir, store } = self;
        drop(store);
        Fixture { dir, store: Store::open(&root).unwrap() }
    }

    /// Says that a row was last used at a time, in minutes since 1970.
    fn used_at(&self, key: u8, minute: i64) {
        let connection = rusqlite::Connection::open(self.root().join("index.db")).unwrap();
        connection
            .execute("INSERT OR REPLACE INTO used VALUES (?1, ?2)", rusqlite::params![[key; 32], minute])
            .unwrap();
    }

    fn path(&self, kind: &str, digest: Digest) -> PathBuf {
        self.root().join(kind).join(&digest.hex()[..2]).join(digest.hex())
    }

    fn damages(&self) -> Vec<String> {
        let report = self.store.find_damage(&interpret, &AtomicU64::new(0)).unwrap();
        report.damages.iter().map(|damage| format!("{}: {}", damage.what, damage.why)).collect()
    }
}

/// A tree with a large file of its own and one that all trees share, under a key, with its image.
fn store_tree(store: &Store, number: u8) -> Digest {
    let mut tree = Tree::default();
    for (name, content) in [("sub/own", vec![number; 100_000]), ("shared", b"shared".to_vec())] {
        let digest = store.put(&content).unwrap();
        tree.nodes.insert(RelPath::parse(name).unwrap(), Node::File { digest, executable: false });
    }
    let tree = store.put_tree(&tree).unwrap();
    store.materialize(tree).unwrap();
    store.index_put(&[number; 32], tree.to_string().as_bytes()).unwrap();
    tree
}

fn collect(store: &Store, max_bytes: u64) -> Collected {
    store.collect(max_bytes, &interpret).unwrap()
}

/// Overwrites a read-only file.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn every_part_of_the_space_is_reported() {
    let fixture = Fixture::new();
    store_tree(&fixture.store, 1);
    let usage = fixture.store.usage(&interpret).unwrap();
    let files = |name: &str| usage.parts.iter().find(|(part, _)| *part == name).unwrap().1.files;
    assert_eq!((files("blobs"), files("trees"), files("images")), (2, 2, 2));
    assert_eq!((usage.images["inputs of steps"].files, usage.rows["trees"].files), (1, 1));
    assert!(usage.total().disk_bytes > 100_000);
}

#[test]
fn a_verification_names_all_damage_and_changes_nothing_and_a_repair_removes_it() {
    let fixture = Fixture::new();
    let [one, _, three] = [1, 2, 3].map(|number| store_tree(&fixture.store, number));
    let own = |number: u8| Digest::of(&[number; 100_000]);
    assert_eq!(fixture.damages(), [""; 0]);
    overwrite(&fixture.path("blob", own(1)), b"other");
    fs::remove_file(fixture.path("blob", own(2))).unwrap();
    fs::create_dir(fixture.root().join("blob/ab")).unwrap_or_default();
    fs::write(fixture.root().join("blob/ab/foreign"), "").unwrap();
    fs::write(fixture.root().join("repository/records"), "short").unwrap();
    let image = fixture.root().join("image").join(three.hex()).join("root");
    fs::set_permissions(&image, fs::Permissions::from_mode(0o755)).unwrap();
    let connection = rusqlite::Connection::open(fixture.root().join("index.db")).unwrap();
    connection.execute("UPDATE memory SET value = x'00' WHERE key = ?1", [[3_u8; 32]]).unwrap();
    let found = fixture.damages();
    let hex = |digest: Digest| digest.hex();
    for expected in [
        format!("blob/{}/{}: its contents do not match its name", &hex(own(1))[..2], hex(own(1))),
        "blob/ab/foreign: it is not a file of the store".to_owned(),
        "repository/records: it is truncated".to_owned(),
        format!("index: {}: `{}`, which it refers to, is missing or damaged", "01".repeat(32), hex(own(1))),
        format!("index: {}: `{}`, which it refers to, is missing or damaged", "02".repeat(32), hex(own(2))),
        format!("index: {}: its value does not match its hash", "03".repeat(32)),
    ] {
        assert!(found.contains(&expected), "{expected}\n{found:#?}");
    }
    for tree in [one, three] {
        assert!(found.iter().any(|line| line.starts_with(&format!("image/{}: ", tree.hex()))), "{found:#?}");
    }
    assert_eq!(fixture.damages(), found, "a verification changes nothing");
    let report = fixture.store.find_damage(&interpret, &AtomicU64::new(0)).unwrap();
    fixture.store.repair(&report.damages).unwrap();
    assert_eq!(fixture.damages(), [""; 0]);
    let fixture = fixture.reopened();
    for number in [1, 2, 3] {
        store_tree(&fixture.store, number);
    }
    assert_eq!(fixture.damages(), [""; 0]);
}

#[test]
fn the_records_of_a_checkout_that_claim_lost_contents_are_damage() {
    let fixture = Fixture::new();
    let source = fixture.dir.path().join("source");
    fs::write(&source, "source").unwrap();
    let digest = fixture.store.put_file(&source).unwrap();
    let stamp = FileStamp::from_metadata(&fs::metadata(source).unwrap());
    let cache = fixture.store.stat_cache(fixture.dir.path(), "").unwrap();
    let later = SystemTime::now() + Duration::from_secs(1);
    cache.insert(RelPath::parse("a").unwrap(), stamp, digest, later, true);
    fixture.store.save_stat_cache(&cache, |_| true).unwrap();
    assert_eq!(fixture.damages(), [""; 0]);
    fs::remove_file(fixture.path("blob", digest)).unwrap();
    assert!(fixture.damages()[0].ends_with("-files: 1 of its files are missing in the store"));
    let report = fixture.store.find_damage(&interpret, &AtomicU64::new(0)).unwrap();
    fixture.store.repair(&report.damages).unwrap();
    assert_eq!(fixture.damages(), [""; 0]);
    assert_eq!(fs::read_dir(fixture.root().join("repository")).unwrap().count(), 0);
}

#[test]
fn what_was_used_least_recently_is_removed_first() {
    let fixture = Fixture::new();
    let trees = [1, 2, 3].map(|number| store_tree(&fixture.store, number));
    for (key, minute) in [(1, 10), (2, 30), (3, 20)] {
        fixture.used_at(key, minute);
    }
    let before = collect(&fixture.store, u64::MAX);
    assert_eq!((before.removed_bytes, before.objects), (0, 0), "nothing is removed below the limit");
    let limit = before.before_bytes - 150_000;
    let planned = fixture.store.plan_collection(limit, &interpret).unwrap();
    assert_eq!((planned.rows, planned.images), (2, 2));
    assert!(fixture.store.is_complete(trees[0]).unwrap(), "a plan removes nothing");
    assert_eq!(collect(&fixture.store, limit), Collected { before_bytes: planned.before_bytes, ..planned.clone() });
    let fixture = fixture.reopened();
    let is_kept = trees.map(|tree| fixture.store.is_complete(tree).unwrap());
    assert_eq!(is_kept, [false, true, false]);
    assert_eq!(fixture.store.index_get(&[1; 32]).unwrap(), None);
    assert!(fixture.store.index_get(&[2; 32]).unwrap().is_some());
    assert_eq!(fixture.damages(), [""; 0]);
    let collected = collect(&fixture.store, 0);
    assert!(collected.rows == 1 && !fixture.store.is_complete(trees[1]).unwrap());
    assert_eq!(fs::read_dir(fixture.root().join("image")).unwrap().count(), 0);
}

#[test]
fn a_use_is_recorded_once_and_a_wrong_clock_does_not_keep_anything_for_ever() {
    let fixture = Fixture::new();
    store_tree(&fixture.store, 1);
    let uses = |fixture: &Fixture| {
        let connection = rusqlite::Connection::open(fixture.root().join("index.db")).unwrap();
        let query = "SELECT minute FROM used WHERE key = ?1";
        connection.query_row(query, [[1_u8; 32]], |row| row.get::<_, i64>(0)).unwrap()
    };
    let now = uses(&fixture);
    for (recorded, expected) in [(now, now), (now - 60, now - 60), (now - 24 * 60, now), (now + 24 * 60, now)] {
        fixture.used_at(1, recorded);
        assert!(fixture.store.index_get(&[1; 32]).unwrap().is_some());
        fixture.store.record_uses().unwrap();
        assert!(uses(&fixture).abs_diff(expected) <= 1, "{recorded}");
    }
}

#[test]
fn the_size_of_a_store_is_counted_while_it_is_written() {
    let fixture = Fixture::new();
    assert_eq!(fixture.store.record_uses().unwrap(), None);
    store_tree(&fixture.store, 1);
    let measured = fixture.store.record_uses().unwrap().unwrap();
    assert!(measured > 100_000, "{measured}");
    assert_eq!(fixture.store.record_uses().unwrap(), None, "nothing was written");
    fixture.store.put(&[7; 50_000]).unwrap();
    let counted = fixture.store.record_uses().unwrap().unwrap();
    assert_eq!(counted - measured, 53_248, "13 blocks");
    assert_eq!(fixture.store.default_max_bytes().clamp(10 << 30, 100 << 30), fixture.store.default_max_bytes());
}

#[test]
fn pinned_trees_are_kept_while_their_process_lives() {
    let fixture = Fixture::new();
    let [one, two] = [1, 2].map(|number| store_tree(&fixture.store, number));
    let other = Store::open(&fixture.root()).unwrap();
    assert!(collect(&fixture.store, 0).is_in_use);
    other.suspend(&[one]).unwrap();
    assert!(!collect(&fixture.store, 0).is_in_use);
    assert!(fixture.store.is_complete(one).unwrap() && !fixture.store.is_complete(two).unwrap());
    assert!(other.image_path(one).join("shared").exists());
    other.resume().unwrap();
    assert!(collect(&fixture.store, 0).is_in_use);
    drop(other);
    collect(&fixture.store, 0);
    assert!(!fixture.store.is_complete(one).unwrap());
}

#[test]
fn images_are_kept_as_long_as_what_points_into_them_exists() {
    let fixture = Fixture::new();
    let [one, two] = [1, 2].map(|number| store_tree(&fixture.store, number));
    let link = fixture.dir.path().join("venv");
    std::os::unix::fs::symlink(fixture.store.image_path(one), &link).unwrap();
    fixture.store.keep_for(&link, &[one]).unwrap();
    for _ in 0..2 {
        collect(&fixture.store, 0);
        assert!(link.join("sub/own").exists());
        assert!(fixture.store.is_complete(one).unwrap() && !fixture.store.is_complete(two).unwrap());
    }
    fs::remove_file(&link).unwrap();
    collect(&fixture.store, 0);
    assert!(!fixture.store.is_complete(one).unwrap());
}

#[test]
#[ignore = "a process of the other tests in this file; does nothing on its own"]
fn role() {
    let (Ok(role), Ok(root)) = (env::var("UPKEEP_ROLE"), env::var("STORE_ROOT")) else { return };
    let root = Path::new(&root);
    match role.as_str() {
        "hold" => {
            let _store = Store::open(root).unwrap();
            println!("OPEN");
            std::thread::sleep(Duration::from_secs(600));
        }
        "use" => (0..60).for_each(|number| use_store(root, number)),
        "collect" => {
            let collected = (0..150).filter(|_| {
                let collected = collect(&Store::open(root).unwrap(), 0);
                !collected.is_in_use && collected.removed_bytes > 0
            });
            println!("COLLECTED {}", collected.count());
        }
        "collect once" => {
            drop(collect(&Store::open(root).unwrap(), env::var("UPKEEP_LIMIT").unwrap().parse().unwrap()))
        }
        other => panic!("unknown role `{other}`"),
    }
}

/// Finds or stores a tree, and reads all of it: nothing that an open store has found is removed.
fn use_store(root: &Path, number: u8) {
    let store = Store::open(root).unwrap();
    let number = number % 7;
    let found = store.index_get(&[number; 32]).unwrap();
    let tree = match &found {
        Some(text) => String::from_utf8_lossy(text).parse().unwrap(),
        None => store_tree(&store, number),
    };
    for _ in 0..3 {
        assert!(store.is_complete(tree).unwrap(), "tree {number} is incomplete, found: {found:?}");
        let image = store.materialize(tree).unwrap();
        assert_eq!(fs::read(image.join("sub/own")).unwrap(), vec![number; 100_000]);
        store.get(Digest::of(b"shared")).unwrap();
    }
    assert_eq!(store.take_notices(), [""; 0]);
}

fn start(role: &str, root: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "store_upkeep::role", "--nocapture"]);
    command.env("UPKEEP_ROLE", role).env("STORE_ROOT", root);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn concurrent_processes_lose_nothing_that_they_use() {
    let fixture = Fixture::new();
    fixture.store.suspend(&[]).unwrap();
    let users: Vec<Child> = (0..3).map(|_| start("use", &fixture.root())).collect();
    let collectors: Vec<Child> = (0..2).map(|_| start("collect", &fixture.root())).collect();
    let mut texts = String::new();
    for child in users.into_iter().chain(collectors) {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        texts += &text;
    }
    assert!(texts.contains("COLLECTED "), "{texts}");
    fixture.store.resume().unwrap();
    assert_eq!(fixture.damages(), [""; 0]);
}

#[test]
fn a_killed_process_holds_no_lease() {
    let fixture = Fixture::new();
    let tree = store_tree(&fixture.store, 1);
    let mut child = start("hold", &fixture.root());
    let pid = child.id();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("OPEN")));
    let collected = collect(&fixture.store, 0);
    assert_eq!((collected.is_in_use, collected.removed_bytes), (true, 0));
    // Processes of another process namespace are not visible.
    assert!(collected.users.is_empty() || collected.users == [pid], "{collected:?}");
    assert!(fixture.store.is_complete(tree).unwrap());
    // A stopped process keeps its lease, and delays no other one.
    let signal = |signal| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), signal).unwrap();
    signal(nix::sys::signal::Signal::SIGSTOP);
    use_store(&fixture.root(), 1);
    assert!(collect(&fixture.store, 0).is_in_use);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!collect(&fixture.store, 0).is_in_use);
    assert!(!fixture.store.is_complete(tree).unwrap());
}

#[cfg(debug_assertions)]
#[test]
fn a_fault_at_any_operation_of_a_removal_keeps_what_was_used_recently() {
    let mut faults = 0;
    for kind in ["kill", "cut", "EIO", "EMFILE"] {
        faults += (1..).take_while(|at| occurs_in_removal(kind, *at)).count();
    }
    assert!(faults > 25, "{faults}");
}

/// Removes one of two trees with a fault. Returns whether it occurred.
#[cfg(debug_assertions)]
fn occurs_in_removal(kind: &str, at: u64) -> bool {
    let case = format!("{kind} {at} {at}");
    let fixture = Fixture::new();
    let [kept, removed] = [1, 2].map(|number| store_tree(&fixture.store, number));
    fixture.used_at(2, 1);
    let limit = collect(&fixture.store, u64::MAX).before_bytes - 50_000;
    fs::write(fixture.root().join("fault"), &case).unwrap();
    fixture.store.suspend(&[]).unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "store_upkeep::role"]);
    command.env("UPKEEP_ROLE", "collect once").env("UPKEEP_LIMIT", limit.to_string());
    command.env("STORE_ROOT", fixture.root()).output().unwrap();
    fs::remove_file(fixture.root().join("fault")).unwrap();
    let fixture = fixture.reopened();
    assert_eq!(fixture.damages(), [""; 0], "{case}");
    assert!(fixture.store.is_complete(kept).unwrap(), "{case}");
    assert!(fixture.store.index_get(&[1; 32]).unwrap().is_some(), "{case}");
    store_tree(&fixture.store, 2);
    assert!(fixture.store.is_complete(removed).unwrap(), "{case}");
    fixture.root().join("fault-occurred").exists()
}
