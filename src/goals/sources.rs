//! The repository's files as the store knows them: their digests, hashed again only when their dates changed, and what
//! they import, parsed again only when their bytes did.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rayon::prelude::*;

use crate::base::{Digest, RelPath};
use crate::python::{Imports, imports};
use crate::store::{Node, Stamp, StatCache, Store, Tree};

/// The form in which imports are kept. Raised when the parser or the form changes.
const IMPORTS: &str = "imports-1";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read `{path}`")]
    Read { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}

pub struct Sources {
    root: PathBuf,
    store: Arc<Store>,
    stats: StatCache,
    /// Whether string literals count as imports, which decides what is kept.
    strings: bool,
}

impl Sources {
    pub fn open(store: Arc<Store>, root: &Path, strings: bool) -> Result<Sources, Error> {
        let stats = store.stat_cache(root)?;
        Ok(Sources { root: root.to_owned(), store, stats, strings })
    }

    /// What these files import. Those that cannot be read are left out.
    pub fn imports(&self, files: &[RelPath]) -> Result<HashMap<RelPath, Arc<Imports>>, Error> {
        let digests: Vec<(&RelPath, Digest)> =
            files.par_iter().filter_map(|file| Some((file, self.digest(file).ok()?))).collect();
        let wanted: Vec<Digest> = digests.iter().map(|(_, digest)| *digest).collect();
        let kind = self.kind();
        let kept = self.store.payloads(&kind, &wanted)?;
        let found: Vec<(RelPath, Arc<Imports>, Option<(Digest, Vec<u8>)>)> = digests
            .par_iter()
            .filter_map(|(file, digest)| {
                let known = kept.get(digest).and_then(|bytes| serde_json::from_slice(bytes).ok());
                if let Some(known) = known {
                    return Some(((*file).clone(), Arc::new(known), None));
                }
                let content = fs::read(file.to_path(&self.root)).ok()?;
                let parsed = imports(&content, self.strings);
                let bytes = serde_json::to_vec(&parsed).expect("imports always serialize");
                // Of what was read, which an editor may have changed since it was hashed.
                Some(((*file).clone(), Arc::new(parsed), Some((Digest::of(&content), bytes))))
            })
            .collect();
        let learnt: Vec<(Digest, Vec<u8>)> = found.iter().filter_map(|(_, _, learnt)| learnt.clone()).collect();
        self.store.save_payloads(&kind, &learnt)?;
        self.store.save_stat_cache(&self.stats)?;
        Ok(found.into_iter().map(|(file, imports, _)| (file, imports)).collect())
    }

    /// A tree of these files, their bytes in the store.
    pub fn tree<'f>(&self, files: impl IntoIterator<Item = &'f RelPath>) -> Result<Digest, Error> {
        let mut tree = Tree::default();
        for file in files {
            let (digest, executable) = self.stored(file)?;
            tree.nodes.insert(file.clone(), Node::File { digest, executable });
        }
        Ok(self.store.put_tree(&tree)?)
    }

    /// Keeps what was learnt for the next run.
    pub fn save(&self) -> Result<(), Error> {
        Ok(self.store.save_stat_cache(&self.stats)?)
    }

    fn kind(&self) -> String {
        format!("{IMPORTS}{}", if self.strings { "-strings" } else { "" })
    }

    fn digest(&self, file: &RelPath) -> Result<Digest, Error> {
        let path = file.to_path(&self.root);
        let read = |source| Error::Read { path: path.clone(), source };
        let stamp = Stamp::of(&fs::metadata(&path).map_err(read)?);
        if let Some(digest) = self.stats.digest(file, &stamp) {
            return Ok(digest);
        }
        let hashed_at = SystemTime::now();
        let digest = Digest::of(&fs::read(&path).map_err(read)?);
        self.stats.learn(file.clone(), stamp, digest, hashed_at);
        Ok(digest)
    }

    /// The digest of bytes that are in the store, and whether they may be executed.
    fn stored(&self, file: &RelPath) -> Result<(Digest, bool), Error> {
        use std::os::unix::fs::PermissionsExt;
        let path = file.to_path(&self.root);
        let metadata = fs::metadata(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let executable = metadata.permissions().mode() & 0o100 != 0;
        let stamp = Stamp::of(&metadata);
        if let Some(digest) = self.stats.digest(file, &stamp)
            && self.store.contains(digest)?
        {
            return Ok((digest, executable));
        }
        let hashed_at = SystemTime::now();
        let digest = self.store.put_file(&path)?;
        self.stats.learn(file.clone(), stamp, digest, hashed_at);
        Ok((digest, executable))
    }
}
