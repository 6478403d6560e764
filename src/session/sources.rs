//! The source files of the repository: their digests, computed again only if the metadata changed, and their imports,
//! parsed again only if the content changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::base::{Digest, ErrorKind, RelPath};
use crate::inference::imports::{IMPORTS_VERSION, Imports, parse_imports};
use crate::inference::imports_bytes;
use crate::store::{Batch, Node, StatCache, Store, Tree};
use crate::targets::Files;
use crate::tracked::{FileStamp, Tracker};

/// Why the contents of source files are not available.
#[allow(missing_docs, reason = "the messages describe the fields")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read `{file}`")]
    Read { file: RelPath, source: std::io::Error },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}

impl Error {
    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Read { .. } => ErrorKind::Mistake,
            Error::Store(error) => error.kind(),
        }
    }

    /// What the user can do about the error.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Read { .. } => None,
            Error::Store(error) => error.hint(),
        }
    }
}

/// The source files of the repository, with the hashes that are already known.
pub struct Sources {
    tracker: Tracker,
    root: PathBuf,
    store: Arc<Store>,
    stats: StatCache,
    /// Whether string literals count as imports. Imports are stored separately for both.
    strings: bool,
    /// Whether contents that earlier runs stored are assumed to be in the store.
    trusting: bool,
    /// The files that this run has read: a run uses one state of each file.
    seen: Mutex<FxHashMap<RelPath, Node>>,
}

/// One file with its current digest, and its imports if the metadata is unchanged.
struct Looked<'f> {
    file: &'f RelPath,
    stamp: FileStamp,
    digest: Digest,
    imports: Option<Imports>,
}

/// A file, and its node in a tree or why it cannot be read.
pub type Read<'f> = (&'f RelPath, Result<Node, Error>);

/// The imports of a file, and the digest of the content that they belong to.
struct Found<'l> {
    looked: &'l Looked<'l>,
    digest: Digest,
    imports: Imports,
    bytes: Vec<u8>,
    is_new: bool,
}

impl Sources {
    /// `trusting`: contents that earlier runs stored are assumed to be in the store. If one is lost, the step that needs it
    /// fails.
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

    /// The imports of these files. Unreadable files are left out.
    pub fn imports(&self, files: &[RelPath]) -> Result<HashMap<RelPath, Arc<Imports>>, Error> {
        let looked: Vec<Looked<'_>> = files.par_iter().filter_map(|file| self.look(file).ok()).collect();
        // The imports may be known by content, from another branch or checkout.
        let (known, unknown): (Vec<_>, Vec<_>) = looked.into_iter().partition(|looked| looked.imports.is_some());
        let found = self.by_content(unknown)?;
        let known = known.into_iter().filter_map(|looked| Some((looked.file.clone(), looked.imports?)));
        Ok(known.chain(found).map(|(file, imports)| (file, Arc::new(imports))).collect())
    }

    fn look<'f>(&self, file: &'f RelPath) -> Result<Looked<'f>, Error> {
        let path = file.to_path(&self.root);
        let stamp = FileStamp::from_metadata(&self.tracker.metadata(&path).map_err(unreadable(file))?);
        if let Some((digest, note)) = self.stats.digest_and_note(file, &stamp) {
            return Ok(Looked { file, stamp, digest, imports: imports_bytes::from_bytes(note) });
        }
        #[expect(clippy::disallowed_methods, reason = "a file that changed recently may change again unnoticed")]
        let hashed_at = SystemTime::now();
        let digest = Digest::of(&self.tracker.read(&path).map_err(unreadable(file))?);
        self.stats.insert(file.clone(), stamp, digest, hashed_at, false);
        Ok(Looked { file, stamp, digest, imports: None })
    }

    /// Imports by content digest, or else parsed; both are recorded for the next run.
    fn by_content(&self, looked: Vec<Looked<'_>>) -> Result<Vec<(RelPath, Imports)>, Error> {
        if looked.is_empty() {
            return Ok(Vec::new());
        }
        let kind = kind(self.strings);
        let wanted: Vec<Digest> = looked.iter().map(|looked| looked.digest).collect();
        let kept = self.store.notes(&kind, &wanted)?;
        let found: Vec<Found<'_>> = looked.par_iter().filter_map(|looked| self.find(looked, &kept)).collect();
        let (mut all, mut learnt) = (Vec::new(), Vec::new());
        for found in found {
            self.stats.annotate(found.looked.file, found.looked.stamp, found.digest, found.bytes.clone());
            all.push((found.looked.file.clone(), found.imports));
            learnt.extend(found.is_new.then_some((found.digest, found.bytes)));
        }
        self.store.save_notes(&kind, &learnt)?;
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
        // Stored for the content that was read: an editor may have changed the file since it was hashed.
        Some(Found { looked, digest: Digest::of(&content), imports, bytes, is_new: true })
    }

    /// Saves the records for the next run, without Python files that are no longer in the repository.
    pub fn save_present(&self, files: &Files) -> Result<(), Error> {
        let is_present = |path: &str| RelPath::parse(path).is_ok_and(|path| files.contains(&path));
        let wanted = |path: &str| !(path.ends_with(".py") || path.ends_with(".pyi")) || is_present(path);
        Ok(self.store.save_stat_cache(&self.stats, wanted)?)
    }

    /// The digest of a tree of these files, written lazily. Their contents are in the store.
    pub fn tree<'f>(&self, files: impl IntoIterator<Item = &'f RelPath>) -> Result<Digest, Error> {
        let nodes = self.nodes(files)?.into_iter().map(|(file, node)| Ok((file.clone(), node?)));
        let nodes = nodes.collect::<Result<_, Error>>()?;
        Ok(self.store.put_tree_lazily(&Tree { nodes })?)
    }

    /// The digest of a tree of these files, and of others at another path: the file, and its path in the tree.
    pub fn tree_with_moved<'f>(
        &self,
        files: impl IntoIterator<Item = &'f RelPath>,
        moved: &BTreeSet<(&RelPath, RelPath)>,
    ) -> Result<Digest, Error> {
        let mut nodes = BTreeMap::new();
        let originals = self.nodes(moved.iter().map(|(file, _)| *file))?;
        for ((_, path), (_, node)) in moved.iter().zip(originals) {
            nodes.insert(path.clone(), node?);
        }
        for (file, node) in self.nodes(files)? {
            nodes.insert(file.clone(), node?);
        }
        Ok(self.store.put_tree_lazily(&Tree { nodes })?)
    }

    /// The tree nodes of these files, in order, their contents in the store; or why a file cannot be read. All contents that
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
                // Another thread may have read it at the same time: the first result is used by the whole run.
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

    /// The files that this run has stored or found in the store, sorted, with their nodes.
    pub fn stored(&self) -> BTreeMap<RelPath, Node> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|(file, node)| (file.clone(), node.clone())).collect()
    }

    /// Saves the records for the next run.
    pub fn save(&self) -> Result<(), Error> {
        Ok(self.store.save_stat_cache(&self.stats, |_| true)?)
    }

    /// The content is in the store when the batch is committed.
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
        #[expect(clippy::disallowed_methods, reason = "a file that changed recently may change again unnoticed")]
        let hashed_at = SystemTime::now();
        let digest = batch.put_file(&path, false).map_err(|error| match error {
            // An error of the file, not of the store.
            crate::store::Error::Io { path: at, source, .. } if at == path => unreadable(file)(source),
            error => error.into(),
        })?;
        self.stats.insert(file.clone(), stamp, digest, hashed_at, true);
        Ok(Node::File { digest, executable })
    }
}

/// For `map_err`.
fn unreadable(file: &RelPath) -> impl Fn(std::io::Error) -> Error + '_ {
    |source| Error::Read { file: file.clone(), source }
}

/// The kind of the index's payloads that hold imports by content.
fn kind(strings: bool) -> String {
    format!("imports-{IMPORTS_VERSION}{}", if strings { "-strings" } else { "" })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_unreadable_file_is_its_own_error_and_affects_no_other_file() {
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
    fn a_moved_file_is_in_the_tree_at_its_new_path() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("repository");
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("a.txt"), "a").unwrap();
        fs::write(root.join("b.txt"), "b").unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let sources = Sources::open(store.clone(), Tracker::default(), &root, false, true).unwrap();
        let [kept, moved, new] = ["a.txt", "b.txt", "c/b.txt"].map(|path| RelPath::parse(path).unwrap());
        let tree = sources.tree_with_moved([&kept], &BTreeSet::from([(&moved, new.clone())])).unwrap();
        let found: Vec<RelPath> = store.tree(tree).unwrap().nodes.into_keys().collect();
        assert_eq!(found, [kept, new]);
    }

    #[test]
    fn a_lost_content_is_stored_again_unless_the_store_is_trusted() {
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
        assert!(!stored(true), "the file was read although its metadata is unchanged");
        assert!(stored(false));
    }
}
