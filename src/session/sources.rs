//! The repository's files as the store knows them: their digests, hashed again only when their dates changed, and what
//! they import, parsed again only when their bytes did.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::base::{Digest, RelPath};
use crate::inference::imports::{IMPORTS_VERSION, Imports, parse_imports};
use crate::inference::imports_bytes;
use crate::store::{Batch, Node, StatCache, Store, Tree};
use crate::targets::Files;
use crate::tracked::{FileStamp, Tracker};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read `{file}`")]
    Read { file: RelPath, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}

pub struct Sources {
    tracker: Tracker,
    root: PathBuf,
    store: Arc<Store>,
    stats: StatCache,
    /// Whether string literals count as imports, which decides what is kept.
    strings: bool,
    /// Whether what was stored once is taken to be there still.
    trusting: bool,
    /// A run sees one state of each file.
    seen: Mutex<FxHashMap<RelPath, Node>>,
}

/// One file as it lies there, with its imports if its stat data are known.
struct Looked<'f> {
    file: &'f RelPath,
    stamp: FileStamp,
    digest: Digest,
    imports: Option<Imports>,
}

/// A file, and what it is in a tree or why it cannot be read.
pub type Read<'f> = (&'f RelPath, Result<Node, Error>);

/// A file's imports, and the content that they are of.
struct Found<'l> {
    looked: &'l Looked<'l>,
    digest: Digest,
    imports: Imports,
    bytes: Vec<u8>,
    is_new: bool,
}

impl Sources {
    /// `trusting`: contents that earlier runs stored are not looked for. Where one is lost, a step fails that needs it.
    pub fn open(
        store: Arc<Store>,
        tracker: Tracker,
        root: &Path,
        strings: bool,
        trusting: bool,
    ) -> Result<Sources, Error> {
        let stats = store.stat_cache(root, &kind(strings))?;
        Ok(Sources { tracker, root: root.to_owned(), store, stats, strings, trusting, seen: Mutex::default() })
    }

    /// What these files import. Those that cannot be read are left out.
    pub fn imports(&self, files: &[RelPath]) -> Result<HashMap<RelPath, Arc<Imports>>, Error> {
        let looked: Vec<Looked<'_>> = files.par_iter().filter_map(|file| self.look(file).ok()).collect();
        // By content they may be known from another branch or checkout.
        let (known, unknown): (Vec<_>, Vec<_>) = looked.into_iter().partition(|looked| looked.imports.is_some());
        let found = self.by_content(unknown)?;
        let known = known.into_iter().filter_map(|looked| Some((looked.file.clone(), looked.imports?)));
        Ok(known.chain(found).map(|(file, imports)| (file, Arc::new(imports))).collect())
    }

    fn look<'f>(&self, file: &'f RelPath) -> Result<Looked<'f>, Error> {
        let path = file.to_path(&self.root);
        let stamp = FileStamp::from_metadata(&self.tracker.metadata(&path).map_err(unreadable(file))?);
        if let Some((digest, note)) = self.stats.known(file, &stamp) {
            return Ok(Looked { file, stamp, digest, imports: imports_bytes::from_bytes(note) });
        }
        let hashed_at = SystemTime::now();
        let digest = Digest::of(&self.tracker.read(&path).map_err(unreadable(file))?);
        self.stats.learn(file.clone(), stamp, digest, hashed_at, false);
        Ok(Looked { file, stamp, digest, imports: None })
    }

    /// Found by the digest, or else parsed; both are noted for the next run.
    fn by_content(&self, looked: Vec<Looked<'_>>) -> Result<Vec<(RelPath, Imports)>, Error> {
        if looked.is_empty() {
            return Ok(Vec::new());
        }
        let kind = kind(self.strings);
        let wanted: Vec<Digest> = looked.iter().map(|looked| looked.digest).collect();
        let kept = self.store.payloads(&kind, &wanted)?;
        let found: Vec<Found<'_>> = looked.par_iter().filter_map(|looked| self.find(looked, &kept)).collect();
        let (mut all, mut learnt) = (Vec::new(), Vec::new());
        for found in found {
            self.stats.annotate(found.looked.file, found.looked.stamp, found.digest, found.bytes.clone());
            all.push((found.looked.file.clone(), found.imports));
            learnt.extend(found.is_new.then_some((found.digest, found.bytes)));
        }
        self.store.save_payloads(&kind, &learnt)?;
        Ok(all)
    }

    fn find<'l>(&self, looked: &'l Looked<'l>, kept: &HashMap<Digest, Vec<u8>>) -> Option<Found<'l>> {
        let digest = looked.digest;
        let kept = kept.get(&digest).and_then(|bytes| Some((bytes.clone(), imports_bytes::from_bytes(bytes)?)));
        if let Some((bytes, imports)) = kept {
            return Some(Found { looked, digest, imports, bytes, is_new: false });
        }
        let content = self.tracker.read(&looked.file.to_path(&self.root)).ok()?;
        let imports = parse_imports(&content, self.strings);
        let bytes = imports_bytes::to_bytes(&imports);
        // Kept for what was read, which an editor may have changed since it was hashed.
        Some(Found { looked, digest: Digest::of(&content), imports, bytes, is_new: true })
    }

    /// Keeps what was learnt for the next run, and forgets Python files that are not among those of the repository.
    pub fn save_present(&self, files: &Files) -> Result<(), Error> {
        let is_present = |path: &str| RelPath::parse(path).is_ok_and(|path| files.contains(&path));
        let wanted = |path: &str| !(path.ends_with(".py") || path.ends_with(".pyi")) || is_present(path);
        Ok(self.store.save_stat_cache(&self.stats, wanted)?)
    }

    /// A tree of these files, named only: their bytes are in the store.
    pub fn tree<'f>(&self, files: impl IntoIterator<Item = &'f RelPath>) -> Result<Digest, Error> {
        let nodes = self.nodes(files)?.into_iter().map(|(file, node)| Ok((file.clone(), node?)));
        let nodes = nodes.collect::<Result<_, Error>>()?;
        Ok(self.store.name_tree(&Tree { nodes })?)
    }

    /// These files, in their order, as a tree has them, their bytes in the store; or why a file cannot be read. All that
    /// are new to the store are synced together.
    pub fn nodes<'f>(&self, files: impl IntoIterator<Item = &'f RelPath>) -> Result<Vec<Read<'f>>, Error> {
        let files: Vec<&RelPath> = files.into_iter().collect();
        let seen = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<&RelPath> = {
            let seen = seen();
            files.iter().copied().filter(|file| !seen.contains_key(*file)).collect()
        };
        let batch = self.store.batch();
        let found: Vec<Result<Node, Error>> = new.par_iter().map(|file| self.node(&batch, file)).collect();
        batch.commit()?;
        let (mut seen, mut unread) = (seen(), FxHashMap::default());
        for (file, node) in new.into_iter().zip(found) {
            match node {
                // Another thread may have seen it meanwhile: what was seen first is what this run has.
                Ok(node) => drop(seen.entry(file.clone()).or_insert(node)),
                Err(error) => drop(unread.insert(file, error)),
            }
        }
        let node = |file| match seen.get(file) {
            Some(node) => Some((file, Ok(node.clone()))),
            None => Some((file, Err(unread.remove(file)?))),
        };
        Ok(files.into_iter().filter_map(node).collect())
    }

    /// Keeps what was learnt for the next run.
    pub fn save(&self) -> Result<(), Error> {
        Ok(self.store.save_stat_cache(&self.stats, |_| true)?)
    }

    /// Its bytes will be in the store when the batch is committed.
    fn node(&self, batch: &Batch<'_>, file: &RelPath) -> Result<Node, Error> {
        use std::os::unix::fs::PermissionsExt;
        let path = file.to_path(&self.root);
        let metadata = self.tracker.metadata(&path).map_err(unreadable(file))?;
        let executable = metadata.permissions().mode() & 0o100 != 0;
        let stamp = FileStamp::from_metadata(&metadata);
        if let Some((digest, stored)) = self.stats.digest(file, &stamp)
            && stored
            && (self.trusting || self.store.contains(digest)?)
        {
            return Ok(Node::File { digest, executable });
        }
        let hashed_at = SystemTime::now();
        let digest = batch.put_file(&path, false).map_err(|error| match error {
            // The file's fault rather than the store's.
            crate::store::Error::Io { path: at, source, .. } if at == path => unreadable(file)(source),
            error => error.into(),
        })?;
        self.stats.learn(file.clone(), stamp, digest, hashed_at, true);
        Ok(Node::File { digest, executable })
    }
}

/// For `map_err`.
fn unreadable(file: &RelPath) -> impl Fn(std::io::Error) -> Error + '_ {
    |source| Error::Read { file: file.clone(), source }
}

/// Which notes there are on a file's content.
fn kind(strings: bool) -> String {
    format!("imports-{IMPORTS_VERSION}{}", if strings { "-strings" } else { "" })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_the_files_fault_and_keeps_no_other_back() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("repository");
        fs::create_dir_all(root.join("was_a_file.py")).unwrap();
        fs::write(root.join("sound.py"), "").unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let sources = Sources::open(store, Tracker::default(), &root, false, true).unwrap();
        let files = ["gone.py", "sound.py", "was_a_file.py"].map(|path| RelPath::parse(path).unwrap());
        let nodes = sources.nodes(&files).unwrap();
        let is_sound: Vec<bool> = nodes.iter().map(|(_, node)| node.is_ok()).collect();
        assert_eq!(is_sound, [false, true, false]);
        assert!(nodes.iter().all(|(_, node)| !matches!(node, Err(Error::Store(_)))), "{nodes:?}");
    }

    #[test]
    fn a_content_that_the_store_lost_is_stored_again_where_it_is_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("repository");
        let file = RelPath::parse("a.py").unwrap();
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("a.py"), "text").unwrap();
        // Longer than any file system's clock takes to tick.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let open = || Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let stored = |trusting: bool| {
            let sources = Sources::open(open(), Tracker::default(), &root, false, trusting).unwrap();
            sources.nodes([&file]).unwrap().remove(0).1.unwrap();
            sources.save().unwrap();
            open().contains(Digest::of(b"text")).unwrap()
        };
        assert!(stored(true));
        let blobs = fs::read_dir(dir.path().join("store/blob")).unwrap();
        blobs.for_each(|shelf| fs::remove_dir_all(shelf.unwrap().path()).unwrap());
        assert!(!stored(true), "the file is read though it is known");
        assert!(stored(false));
    }
}
