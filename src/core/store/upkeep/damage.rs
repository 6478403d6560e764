//! Verification of the whole store. Only reports: `repair` removes what is damaged. `scrub` verifies a part of the store in each run.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::listing::{Object, entries};
use super::rows::{Interpret, Row, Table};
use crate::base::Digest;
use crate::store::checkout::record_file;
use crate::store::error::{Error, Result};
use crate::store::layout::Store;
use crate::store::objects::directory::{Directory, Entry};
use crate::store::objects::durable;
use crate::store::objects::object_path::{Form, hash_file};
use crate::store::objects::tree::Node;

/// Something that is damaged, incomplete or lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// What is damaged: a path relative to the store, or a row of the index.
    pub what: String,
    /// How.
    pub why: String,
    pub(in crate::store) part: DamagedPart,
}

/// What a repair has to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum DamagedPart {
    /// A blob, a tree message, a record file or a foreign file: it is quarantined.
    File(PathBuf),
    /// An image: it is removed, and composed again when it is needed.
    Image(PathBuf),
    /// A row of the index, which is removed.
    Row(Table, [u8; 32]),
    /// The record files of a checkout that claim that lost contents are stored; the start of their names.
    Checkout(String),
}

/// The result of the verification of the whole store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of blobs and tree messages.
    pub objects: u64,
    /// The number of images.
    pub images: u64,
    /// The number of rows of the index.
    pub rows: u64,
    /// The number of bytes that were read and hashed.
    pub bytes: u64,
    /// Sorted.
    pub damages: Vec<Damage>,
}

/// The intact objects by hash; whether it is a tree message.
type Intact = HashSet<([u8; 32], bool)>;

impl Store {
    /// Hashes everything in the store, in parallel, and checks that the rows of the index refer to nothing that is missing. Changes
    /// nothing. `progress` counts the bytes.
    pub fn find_damage(&self, interpret: Interpret<'_>, progress: &AtomicU64) -> Result<Report> {
        let objects = self.objects()?;
        let mut report = Report { objects: objects.len() as u64, ..Report::default() };
        let checks: Vec<Option<Damage>> =
            objects.par_iter().map(|object| self.object_damage(object, progress)).collect::<Result<_>>()?;
        let is_intact = |(object, damage): (&Object, &Option<Damage>)| {
            let (hash, form) = object.identity.filter(|_| damage.is_none())?;
            Some((hash, form == Form::Tree))
        };
        let intact: Intact = objects.iter().zip(&checks).filter_map(is_intact).collect();
        report.damages.extend(checks.into_iter().flatten());
        let images = entries(&self.root.join("image"))?;
        report.images = images.len() as u64;
        let checks: Result<Vec<Option<Damage>>> =
            images.par_iter().map(|image| self.image_damage(image, &intact, progress)).collect();
        report.damages.extend(checks?.into_iter().flatten());
        self.find_damaged_records(&intact, progress, &mut report)?;
        self.find_damaged_rows(interpret, &intact, &mut report)?;
        report.bytes = progress.load(Ordering::Relaxed);
        report.damages.sort();
        Ok(report)
    }

    fn damaged_file(&self, path: &Path, why: &str) -> Damage {
        let part = DamagedPart::File(path.to_owned());
        Damage { what: self.relative(path), why: why.to_owned(), part }
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// `None` also if the object vanished: another process quarantined it.
    fn object_damage(&self, object: &Object, progress: &AtomicU64) -> Result<Option<Damage>> {
        let Some((hash, form)) = object.identity else {
            return Ok(Some(self.damaged_file(&object.path, "it is not a file of the store")));
        };
        progress.fetch_add(object.size_bytes, Ordering::Relaxed);
        let digest = match fs::File::open(&object.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(Error::io("open", &object.path)(error)),
            Ok(file) => hash_file(&file, &object.path),
        };
        Ok(match digest {
            // A disk that cannot read a file any more will not do so later.
            Err(Error::Io { source, .. }) if is_unreadable(&source) => {
                Some(self.damaged_file(&object.path, &format!("it cannot be read: {source}")))
            }
            // The machine is the reason, and the file may be intact.
            Err(error) => return Err(error),
            Ok(digest) if digest.hash() != &hash => {
                Some(self.damaged_file(&object.path, "its contents do not match its name"))
            }
            Ok(_) => match fs::symlink_metadata(&object.path) {
                Ok(metadata) if !durable::is_sealed(&metadata, metadata.len(), form.mode()) => {
                    Some(self.damaged_file(&object.path, "its mode or time was changed"))
                }
                _ => None,
            },
        })
    }

    fn image_damage(&self, image: &Path, intact: &Intact, progress: &AtomicU64) -> Result<Option<Damage>> {
        let damage = |why: String| {
            let part = DamagedPart::Image(image.to_owned());
            Ok(Some(Damage { what: self.relative(image), why, part }))
        };
        let hash = image.file_name().and_then(|name| blake3::Hash::from_hex(name.as_encoded_bytes()).ok());
        let Some(hash) = hash else { return damage("it is not an image".to_owned()) };
        if !intact.contains(&(*hash.as_bytes(), true)) {
            return damage("its tree is missing".to_owned());
        }
        let Some(tree) = self.stored_level(*hash.as_bytes())? else { return Ok(None) };
        match self.image_fault(tree, &image.join("root")) {
            Ok(None) => {}
            Ok(Some(why)) => return damage(why),
            Err(Error::Missing(level)) => return damage(format!("the level `{level}` of its tree is missing")),
            Err(error) => return Err(error),
        }
        for (path, node) in &self.tree(tree)?.nodes {
            let Node::File { digest, .. } = node else { continue };
            let path = path.to_path(&image.join("root"));
            // Hard links were verified as blobs, or no longer are those of a blob.
            let Ok(file) = fs::File::open(&path) else { continue };
            if file.metadata().is_ok_and(|metadata| metadata.nlink() == 1) {
                match hash_file(&file, &path) {
                    Ok(found) if found == *digest => {}
                    Err(Error::Io { source, .. }) if !is_unreadable(&source) => {
                        return Err(Error::io("read", &path)(source));
                    }
                    _ => return damage(format!("the contents of `{}` are wrong", path.display())),
                }
                progress.fetch_add(digest.size_bytes(), Ordering::Relaxed);
            }
        }
        Ok(None)
    }

    fn find_damaged_records(&self, intact: &Intact, progress: &AtomicU64, report: &mut Report) -> Result<()> {
        let mut files = entries(&self.root.join("repository"))?;
        for runs in entries(&self.root.join("run"))? {
            files.extend(entries(&runs)?);
        }
        for path in files {
            let bytes = match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                bytes => bytes.map_err(Error::io("read", &path))?,
            };
            progress.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            if let Some(why) = record_file::fault(&bytes) {
                report.damages.push(self.damaged_file(&path, why));
            }
        }
        for (checkout, contents) in self.stored_contents()? {
            let lost = contents.iter().filter(|hash| !intact.contains(&(**hash, false))).count();
            if lost > 0 {
                let what = format!("repository/{checkout}-files");
                let why = format!("{lost} of its files are missing in the store");
                report.damages.push(Damage { what, why, part: DamagedPart::Checkout(checkout) });
            }
        }
        Ok(())
    }

    fn find_damaged_rows(&self, interpret: Interpret<'_>, intact: &Intact, report: &mut Report) -> Result<()> {
        let mut rows: BTreeMap<(Table, [u8; 32]), Vec<Digest>> = BTreeMap::new();
        let mut partial = HashMap::new();
        self.each_row(|row| {
            report.rows += 1;
            if !row.is_intact {
                report.damages.push(damaged_row(&row, "index", "its value does not match its hash".to_owned()));
                return;
            }
            let meaning = interpret(&row);
            if meaning.is_of_partial_tree {
                partial.insert(row.key, None);
            }
            if !meaning.required.is_empty() {
                rows.insert((row.table, row.key), meaning.required);
            }
        })?;
        let mut completeness = Completeness { store: self, intact, known: partial };
        for ((table, key), required) in rows {
            for digest in required {
                if let Some(missing) = completeness.missing(digest, 0)? {
                    let row = Row { table, key, value: Vec::new(), is_intact: true };
                    let why = format!("`{missing}`, which it refers to, is missing or damaged");
                    report.damages.push(damaged_row(&row, "index", why));
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Whether the disk cannot read a file, as opposed to errors for which the file is not the reason.
pub(super) fn is_unreadable(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::libc::EIO)
}

fn damaged_row(row: &Row, place: &str, why: String) -> Damage {
    let key = blake3::Hash::from_bytes(row.key).to_hex();
    let what = match &row.table {
        Table::Memory => format!("{place}: {key}"),
        Table::Payload(kind) => format!("{place}: {kind} {key}"),
    };
    Damage { what, why, part: DamagedPart::Row(row.table.clone(), row.key) }
}

/// Which trees are complete.
struct Completeness<'c> {
    store: &'c Store,
    intact: &'c Intact,
    /// By the hash of a tree, the hash of something that is missing below it.
    known: HashMap<[u8; 32], Option<blake3::Hash>>,
}

impl Completeness<'_> {
    /// Something that is missing of a blob, or of a tree and everything below it. An object with both meanings must be whole as
    /// either of them.
    fn missing(&mut self, digest: Digest, depth: usize) -> Result<Option<blake3::Hash>> {
        let hash = *digest.hash();
        if let Some(known) = self.known.get(&hash) {
            return Ok(*known);
        }
        if !self.intact.contains(&(hash, true)) {
            return Ok((!self.intact.contains(&(hash, false))).then(|| blake3::Hash::from_bytes(hash)));
        }
        let directory = match self.store.directory(digest) {
            Ok(directory) if depth <= super::super::objects::trees::MAX_DEPTH => directory,
            // A blob with the contents of a tree message.
            Ok(_) | Err(Error::Missing(_) | Error::Malformed { .. }) => Directory::default(),
            Err(error) => return Err(error),
        };
        let mut missing = None;
        for entry in directory.entries.values() {
            missing = match entry {
                Entry::Directory(below) => self.missing(*below, depth + 1)?,
                Entry::File { digest, .. } if !self.intact.contains(&(*digest.hash(), false)) => {
                    Some(blake3::Hash::from_bytes(*digest.hash()))
                }
                _ => continue,
            };
            if missing.is_some() {
                break;
            }
        }
        self.known.insert(hash, missing);
        Ok(missing)
    }
}
