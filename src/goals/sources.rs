//! The repository's files as the store knows them: their digests, hashed again only when their dates changed, and what
//! they import, parsed again only when their bytes did.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rayon::prelude::*;

use crate::base::{Digest, RelPath};
use crate::python::imports::{IMPORTS_VERSION, Imports, imports};
use crate::store::{Node, Stamp, StatCache, Store, Tree};

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

/// A file's imports, and how they are to be kept if they are new.
struct Parsed {
    imports: Imports,
    learnt: Option<(Digest, Vec<u8>)>,
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
        let kept = self.store.payloads(&self.kind(), &wanted)?;
        let known = |digest: &Digest| serde_json::from_slice::<Imports>(kept.get(digest)?).ok();
        let found: Vec<(&RelPath, Parsed)> = digests
            .par_iter()
            .filter_map(|(file, digest)| {
                let parsed = known(digest).map(|imports| Parsed { imports, learnt: None });
                Some((*file, parsed.or_else(|| self.parse(file))?))
            })
            .collect();
        let learnt: Vec<(Digest, Vec<u8>)> = found.iter().filter_map(|(_, parsed)| parsed.learnt.clone()).collect();
        self.store.save_payloads(&self.kind(), &learnt)?;
        self.save()?;
        Ok(found.into_iter().map(|(file, parsed)| (file.clone(), Arc::new(parsed.imports))).collect())
    }

    fn parse(&self, file: &RelPath) -> Option<Parsed> {
        let content = fs::read(file.to_path(&self.root)).ok()?;
        let imports = imports(&content, self.strings);
        let bytes = serde_json::to_vec(&imports).expect("imports always serialize");
        // Kept for what was read, which an editor may have changed since it was hashed.
        Some(Parsed { imports, learnt: Some((Digest::of(&content), bytes)) })
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
        format!("imports-{IMPORTS_VERSION}{}", if self.strings { "-strings" } else { "" })
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
