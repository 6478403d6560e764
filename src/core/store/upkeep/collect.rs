//! The removal of what was used least recently, down to a size.
//!
//! What is kept is decided by *roots*: the rows of the index, and the record files of checkouts. A root keeps every blob and tree
//! that it names, and everything below those trees. The roots that were used last are kept as long as the size permits; all other
//! roots, and what no root keeps, are removed. The protocol with other processes is:
//!
//! 1. Every open store holds a shared lock on `lease`, and writes its name into that file when it gets the lock.
//! 2. The plan starts with the exclusive lock, so that no other store is open, and notes the name in the file. Then the lock is
//!    released: planning takes time, and no run waits for it.
//! 3. A slice of the plan is carried out under the exclusive lock, if that is free and the name in the file is still the same: no
//!    store was opened since the plan was made, so nothing that it removes can be in use. Otherwise the plan is dropped.
//! 4. A process that uses a few objects for a long time, such as a shell, releases its lock and pins them: their hashes are in the
//!    file `pins` of its directory in `tmp/`, which it has locked. Pins of processes that have ended count no more.
//!
//! Rows are removed before the objects that they name, and trees before blobs. A process that is killed in between leaves objects
//! that nothing refers to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::PathBuf;

use super::kept;
use super::listing::{Object, Space, entries, space};
use super::rows::{Interpret, RowId, Table};
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::files;
use crate::store::layout::{Store, lock};
use crate::store::objects::directory::Entry;
use crate::store::objects::object_path::Form;
use crate::store::objects::remove::remove_tree;
use crate::store::{scratch, uses};

/// The number of objects that are removed while other processes wait, which takes a few milliseconds.
const SLICE: usize = 200;

/// How often a plan is made before a store that others keep opening is left alone.
const PLANS: usize = 3;

/// The time of use of a root that is not removed.
const NEEDED: i64 = i64::MAX;

/// What a removal did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// The size of the store before, in bytes on the disk.
    pub before_bytes: u64,
    /// The size of what was removed.
    pub removed_bytes: u64,
    /// The numbers of removed blobs and trees, of images, of rows, and of checkouts.
    pub objects: u64,
    /// Images.
    pub images: u64,
    /// Rows of the index.
    pub rows: u64,
    /// Checkouts whose record files were removed.
    pub checkouts: u64,
    /// Whether other processes used the store, so that not everything was removed.
    pub is_in_use: bool,
    /// These processes, as far as they are visible.
    pub users: Vec<u32>,
}

/// Something that keeps objects.
struct Root {
    minute: i64,
    origin: Origin,
    names: Vec<[u8; 32]>,
    /// The rows that belong to this root, itself included.
    rows: Vec<RowId>,
}

/// What decides what is kept.
#[derive(Default)]
struct Roots {
    /// Those that were used last are first.
    roots: Vec<Root>,
    /// Rows that keep nothing and belong to no other row, each with the minute in which it was stored.
    loose: Vec<(i64, RowId)>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Row([u8; 32]),
    Checkout(String),
}

/// What is to be removed, in this order.
#[derive(Default)]
struct Plan {
    rows: Vec<RowId>,
    checkouts: Vec<String>,
    /// Directories and quarantined files.
    discarded: Vec<PathBuf>,
    /// Trees, then blobs.
    objects: Vec<PathBuf>,
    /// The times of uses that remain.
    used: BTreeSet<[u8; 32]>,
    summary: Collected,
}

impl Store {
    /// The size of the store on the disk.
    pub(in crate::store) fn measure(&self) -> Result<u64> {
        let objects: u64 = self.objects()?.iter().map(|object| object.disk_bytes).sum();
        let images: u64 = self.images()?.values().map(|image| image.disk_bytes).sum();
        Ok(objects + images + self.fixed_bytes()?)
    }

    /// What is neither an object nor an image.
    fn fixed_bytes(&self) -> Result<u64> {
        let mut total = Space::default();
        for path in entries(&self.root)? {
            if !["blob", "tree", "image"].iter().any(|dir| path.ends_with(dir)) {
                total.add(space(&path));
            }
        }
        Ok(total.disk_bytes)
    }

    /// What `collect` would remove now.
    pub fn plan_collection(&self, max_bytes: u64, interpret: Interpret<'_>) -> Result<Collected> {
        Ok(self.plan(max_bytes, interpret)?.summary)
    }

    /// Removes what was used least recently until the store takes at most `max_bytes`. Afterwards this store must not be used for
    /// anything that relies on what it found before. Does nothing while another process uses the store.
    pub fn collect(&self, max_bytes: u64, interpret: Interpret<'_>) -> Result<Collected> {
        let mut last = Collected::default();
        for _ in 0..PLANS {
            if !self.lease.exclude()? {
                break;
            }
            let owner = self.lease.last_owner()?;
            scratch::sweep(&self.root.join("tmp"));
            self.lease.release()?;
            let plan = self.plan(max_bytes, interpret)?;
            last = plan.summary.clone();
            if last.removed_bytes == 0 || self.carry_out(plan, &owner)? {
                self.lease.share()?;
                self.set_size(last.before_bytes - last.removed_bytes)?;
                return Ok(last);
            }
        }
        let users = self.lease.users();
        self.lease.share()?;
        Ok(Collected { before_bytes: last.before_bytes, is_in_use: true, users, ..Collected::default() })
    }

    /// Whether the whole plan was carried out. `owner` was the last to open the store when it was made.
    fn carry_out(&self, plan: Plan, owner: &[u8]) -> Result<bool> {
        let exclude = || Ok::<bool, Error>(self.lease.exclude()? && self.lease.last_owner()? == owner);
        if !exclude()? {
            return Ok(false);
        }
        self.remove_rows(&plan.rows)?;
        self.keep_uses(&plan.used)?;
        for checkout in &plan.checkouts {
            self.forget_checkout(checkout)?;
        }
        for path in &plan.discarded {
            if !exclude()? {
                return Ok(false);
            }
            let moved = self.tmp.fresh_path();
            match files::rename(path, &moved) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                // An overlay cannot move directories of its lower layers.
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => remove_tree(path)?,
                renamed => renamed.map_err(Error::io("move", path))?,
            }
            // An image can have many files, which are removed while others may open the store.
            self.lease.release()?;
            remove_tree(&moved)?;
        }
        for slice in plan.objects.chunks(SLICE) {
            if !exclude()? {
                return Ok(false);
            }
            for path in slice {
                match files::remove(path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    removed => removed.map_err(Error::io("remove", path))?,
                }
            }
            self.lease.release()?;
        }
        Ok(true)
    }

    fn plan(&self, max_bytes: u64, interpret: Interpret<'_>) -> Result<Plan> {
        let (objects, images) = (self.objects()?, self.images()?);
        let (fixed_bytes, quarantined_bytes) = (self.fixed_bytes()?, space(&self.root.join("quarantine")).disk_bytes);
        let sizes = sizes(&objects, &images);
        let mut plan = Plan::default();
        plan.summary.before_bytes = fixed_bytes + sizes.values().sum::<u64>();
        if plan.summary.before_bytes <= max_bytes {
            return Ok(plan);
        }
        let mut marks =
            Marks { store: self, sizes: &sizes, kept: HashSet::new(), kept_bytes: fixed_bytes - quarantined_bytes };
        marks.keep(&self.tmp.pins()?, u64::MAX)?;
        let Roots { roots, loose } = self.roots(interpret)?;
        let mut is_full = false;
        let mut oldest_kept = i64::MAX;
        for root in roots {
            let limit = if root.minute == NEEDED { u64::MAX } else { max_bytes };
            is_full = is_full || !marks.keep(&root.names, limit)?;
            match (is_full, root.origin) {
                (false, Origin::Row(key)) => {
                    plan.used.insert(key);
                    oldest_kept = root.minute;
                }
                (false, Origin::Checkout(name)) => {
                    plan.used.insert(checkout_key(&name));
                }
                (true, Origin::Row(_)) => plan.rows.extend(root.rows),
                (true, Origin::Checkout(name)) => plan.checkouts.push(name),
            }
        }
        for (minute, row) in loose {
            if minute >= oldest_kept {
                plan.used.insert(row.1);
            } else {
                plan.rows.push(row);
            }
        }
        plan.choose(self, objects, &images, &marks.kept)?;
        plan.summary.removed_bytes = plan.summary.before_bytes.saturating_sub(marks.kept_bytes);
        Ok(plan)
    }

    /// All roots and loose rows of the store.
    fn roots(&self, interpret: Interpret<'_>) -> Result<Roots> {
        let minutes = self.minutes()?;
        let minute = |key: &[u8; 32]| minutes.get(key).copied().unwrap_or_default().min(uses::now());
        let mut roots: BTreeMap<[u8; 32], Root> = BTreeMap::new();
        let (mut owned, mut loose) = (Vec::new(), Vec::new());
        self.each_row(|row| {
            let id = (row.table.clone(), row.key);
            match (&row.table, interpret(&row).owner) {
                (Table::Memory, _) => {
                    let (names, origin) = (names(&row.value), Origin::Row(row.key));
                    let minute = if kept::is_needed(&row.value) { NEEDED } else { minute(&row.key) };
                    roots.insert(row.key, Root { minute, origin, names, rows: vec![id] });
                }
                (Table::Payload(_), Some(owner)) => owned.push((owner, names(&row.value), id)),
                (Table::Payload(_), None) => loose.push((minute(&row.key), id)),
            }
        })?;
        for (owner, names, id) in owned {
            match roots.get_mut(&owner) {
                Some(root) => {
                    root.names.extend(names);
                    root.rows.push(id);
                }
                None => loose.push((i64::MIN, id)),
            }
        }
        let mut roots: Vec<Root> = roots.into_values().collect();
        for (name, names) in self.stored_contents()? {
            let minute = minute(&checkout_key(&name));
            roots.push(Root { minute, origin: Origin::Checkout(name), names, rows: Vec::new() });
        }
        roots.sort_by(|one, other| other.minute.cmp(&one.minute).then_with(|| one.origin.cmp(&other.origin)));
        Ok(Roots { roots, loose })
    }

    fn minutes(&self) -> Result<HashMap<[u8; 32], i64>> {
        self.index.with(|connection| {
            let mut select = connection.prepare("SELECT key, minute FROM used")?;
            let rows = select.query_map([], |row| Ok((row.get::<_, [u8; 32]>(0), row.get::<_, i64>(1))))?;
            Ok(rows.flatten().filter_map(|(key, minute)| Some((key.ok()?, minute.ok()?))).collect())
        })
    }

    /// Forgets when other things were used.
    fn keep_uses(&self, kept: &BTreeSet<[u8; 32]>) -> Result<()> {
        let minutes = self.minutes()?;
        self.index.with(|connection| {
            let transaction = connection.transaction()?;
            for key in minutes.keys().filter(|key| !kept.contains(*key)) {
                transaction.execute("DELETE FROM used WHERE key = ?1", [key])?;
            }
            transaction.commit()
        })
    }
}

/// The key under which the use of a checkout is recorded.
pub(in crate::store) fn checkout_key(name: &str) -> [u8; 32] {
    *blake3::hash(format!("checkout {name}").as_bytes()).as_bytes()
}

/// The space of each hash on the disk, as a blob, as a tree message and as an image.
fn sizes(objects: &[Object], images: &BTreeMap<[u8; 32], Space>) -> HashMap<[u8; 32], u64> {
    let mut sizes: HashMap<[u8; 32], u64> = HashMap::new();
    let objects = objects.iter().filter_map(|object| Some((object.identity?.0, object.disk_bytes)));
    for (hash, disk_bytes) in objects.chain(images.iter().map(|(hash, image)| (*hash, image.disk_bytes))) {
        *sizes.entry(hash).or_default() += disk_bytes;
    }
    sizes
}

/// All hashes that a value names: texts of 64 lower-case hexadecimal digits, as JSON and the Remote Execution API write them. A
/// name that is not that of an object has no effect.
fn names(value: &[u8]) -> Vec<[u8; 32]> {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let texts = value.split(|byte| !is_digit(byte)).filter(|text| text.len() == 64);
    texts.filter_map(|text| Some(*blake3::Hash::from_hex(text).ok()?.as_bytes())).collect()
}

/// The objects that are kept.
struct Marks<'m> {
    store: &'m Store,
    sizes: &'m HashMap<[u8; 32], u64>,
    kept: HashSet<[u8; 32]>,
    kept_bytes: u64,
}

impl Marks<'_> {
    /// Keeps these objects and everything below them. Returns false, and keeps nothing, if more than `max_bytes` would be kept.
    fn keep(&mut self, names: &[[u8; 32]], max_bytes: u64) -> Result<bool> {
        let mut added: HashSet<[u8; 32]> = HashSet::new();
        let mut added_bytes = 0;
        let mut left = names.to_vec();
        while let Some(hash) = left.pop() {
            let Some(size_bytes) = self.sizes.get(&hash) else { continue };
            if !self.kept.insert(hash) {
                continue;
            }
            added.insert(hash);
            added_bytes += size_bytes;
            if self.kept_bytes + added_bytes > max_bytes {
                self.kept.retain(|hash| !added.contains(hash));
                return Ok(false);
            }
            let Some(tree) = self.store.stored_level(hash)? else { continue };
            let directory = match self.store.directory(tree) {
                // A damaged level is not used again, so what is below it is not needed.
                Err(Error::Missing(_) | Error::Malformed { .. }) => continue,
                // The machine is the reason, and the level may be intact.
                directory => directory?,
            };
            left.extend(directory.entries.values().filter_map(|entry| match entry {
                Entry::File { digest, .. } | Entry::Directory(digest) => Some(*digest.hash()),
                Entry::Symlink(_) => None,
            }));
        }
        self.kept_bytes += added_bytes;
        Ok(true)
    }
}

impl Plan {
    /// Chooses everything that is not kept.
    fn choose(
        &mut self,
        store: &Store,
        objects: Vec<Object>,
        images: &BTreeMap<[u8; 32], Space>,
        kept: &HashSet<[u8; 32]>,
    ) -> Result<()> {
        for hash in images.keys().filter(|hash| !kept.contains(*hash)) {
            self.discarded.push(store.root.join("image").join(Digest::new(*hash, 0).hex()));
        }
        self.summary.images = self.discarded.len() as u64;
        self.discarded.extend(entries(&store.root.join("quarantine"))?);
        let is_kept = |object: &Object| object.identity.is_some_and(|(hash, _)| kept.contains(&hash));
        let mut removed: Vec<Object> = objects.into_iter().filter(|object| !is_kept(object)).collect();
        removed.sort_by_key(|object| object.identity.is_none_or(|(_, form)| form != Form::Tree));
        self.objects = removed.into_iter().map(|object| object.path).collect();
        self.summary.objects = self.objects.len() as u64;
        self.summary.rows = self.rows.len() as u64;
        self.summary.checkouts = self.checkouts.len() as u64;
        Ok(())
    }
}

impl Store {
    /// Lets other processes remove everything except these trees and the images that this process has materialized, until
    /// `resume`. For the time in which a program runs that the user controls.
    pub fn suspend(&self, pins: &[Digest]) -> Result<()> {
        let images: Vec<Digest> = lock(&self.images).keys().copied().collect();
        let text: String = pins.iter().chain(&images).map(|pin| pin.hex() + "\n").collect();
        let path = self.tmp.dir().join("pins");
        fs::write(&path, text).map_err(Error::io("write", &path))?;
        self.lease.release()
    }

    /// Ends `suspend`.
    pub fn resume(&self) -> Result<()> {
        self.lease.share()
    }
}
