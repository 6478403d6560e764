//! Measurements of the store. They print times and have no limits: `cargo test --test it store_speed -- --ignored --nocapture`.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use waders::base::{Digest, RelPath};
use waders::store::{CaptureLimits, Node, Store, Tree, remove_tree};
use waders::tracked::FileStamp;

const FILES: u32 = 10_000;

fn measure<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what:<48} {:>9.1} ms", start.elapsed().as_secs_f64() * 1000.0);
    result
}

/// About 3 KiB, different for each number.
fn content(n: u32) -> Vec<u8> {
    format!("{n:08} line of a module\n").repeat(130).into_bytes()
}

#[test]
#[ignore = "a measurement"]
fn figures() {
    let dir = tempfile::tempdir().unwrap();
    let store = measure("open a new store", || Store::open(&dir.path().join("store")).unwrap());
    let large: Vec<u8> = (0..64_u32 << 18).flat_map(u32::to_le_bytes).collect();
    measure("put 64 MiB", || store.put_reader(large.as_slice()).unwrap());
    measure("put 64 MiB that are stored", || store.put_reader(large.as_slice()).unwrap());
    measure("get 64 MiB", || store.get(Digest::of(&large)).unwrap());
    measure("put one small file", || store.put(b"small").unwrap());
    let tree = measure("put 10,000 files of 3 KiB in a batch", || put_many(&store));
    measure("the same again", || put_many(&store));
    let image = measure("materialize 10,000 files", || store.materialize(tree).unwrap());
    measure("the same again", || store.materialize(tree).unwrap());
    let again = measure("open the store again", || Store::open(store.root()).unwrap());
    measure("check the image in another process", || again.materialize(tree).unwrap());
    measure("capture 10,000 files that are stored", || again.capture(&image, &CaptureLimits::default()).unwrap());
    measure("merge with another tree", || again.merge(&[(RelPath::root(), tree), (RelPath::root(), tree)]).unwrap());
    measure("read the tree", || again.tree(tree).unwrap());
    measure("verify", || again.verify().unwrap());
    capture_new(&store);
    stat_cache(&store, dir.path());
    measure("remove an image", || remove_tree(image.parent().unwrap()).unwrap());
}

fn put_many(store: &Store) -> Digest {
    let (batch, mut tree) = (store.batch(), Tree::default());
    for n in 0..FILES {
        let digest = batch.put(&content(n), false).unwrap();
        let path = RelPath::parse(&format!("package{}/module{n}.py", n / 20)).unwrap();
        tree.nodes.insert(path, Node::File { digest, executable: false });
    }
    let tree = batch.put_tree(&tree).unwrap();
    batch.commit().unwrap();
    tree
}

fn capture_new(store: &Store) {
    let scratch = store.scratch().unwrap();
    for n in 0..FILES {
        fs::write(scratch.path().join(n.to_string()), content(n + FILES)).unwrap();
    }
    measure("capture 10,000 new files", || store.capture(scratch.path(), &CaptureLimits::default()).unwrap());
    measure("remove 10,000 files", || drop(scratch));
}

fn stat_cache(store: &Store, dir: &Path) {
    let stamp = FileStamp::from_metadata(&fs::metadata(dir.join("store/index.db")).unwrap());
    let later = SystemTime::now() + Duration::from_secs(1000);
    let size = fs::metadata(dir.join("store/index.db")).unwrap().len();
    let cache = store.stat_cache(dir, "").unwrap();
    let path = |n: u32| RelPath::parse(&format!("src/some/package{}/module{n}.py", n / 20)).unwrap();
    let digest = |n: u32| Digest::new(*Digest::of(&content(n)).hash(), size);
    (0..7000).for_each(|n| cache.insert(path(n), stamp, digest(n), later, true));
    measure("save the stat cache of 7,000 files", || store.save_stat_cache(&cache, |_| true).unwrap());
    let cache = measure("load it", || store.stat_cache(dir, "").unwrap());
    assert_eq!(cache.digest(&path(77), &stamp), Some((digest(77), true)));
    let digests: Vec<_> = (0..7000).map(digest).collect();
    let notes: Vec<_> = digests.iter().map(|digest| (*digest, vec![b'i'; 300])).collect();
    measure("save 7,000 notes", || store.save_notes("imports", &notes).unwrap());
    measure("load them", || assert_eq!(store.notes("imports", &digests).unwrap().len(), 7000));
}
