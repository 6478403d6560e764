//! Recognises the files of the repository in the trees of steps. A file may be at another path there, for instance without its
//! source root; it is recognised by its content.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::attest::{Material, MaterialKind, Role};
use crate::base::{Digest, RelPath};
use crate::prepare::Error;
use crate::session::Session;
use crate::session::toolchains::LOCK;
use crate::store::{Node, Store};

/// The settings files that every step may depend on.
const SETTINGS: [&str; 3] = ["pants.toml", "waders.toml", LOCK];

/// The files of the repository that this run read, by their content.
pub(super) struct SourceFiles {
    by_content: BTreeMap<Digest, Vec<RelPath>>,
    hashes: Mutex<BTreeMap<Digest, String>>,
}

impl SourceFiles {
    pub(super) fn new(session: &mut Session) -> Result<SourceFiles, Error> {
        let mut by_content: BTreeMap<Digest, Vec<RelPath>> = BTreeMap::new();
        for (file, node) in session.services.open_sources()?.stored() {
            by_content.entry(node.content().unwrap_or(Digest::of(b""))).or_default().push(file);
        }
        Ok(SourceFiles { by_content, hashes: Mutex::default() })
    }

    /// The settings files of the repository.
    pub(super) fn settings(&self, session: &Session) -> Result<Vec<Material>, Error> {
        let mut found = Vec::new();
        for name in SETTINGS {
            match session.context.tracker.read(&session.build_root().join(name)) {
                Ok(bytes) => found.push(Material {
                    kind: MaterialKind::Settings,
                    name: name.to_owned(),
                    hash: format!("{:x}", Sha256::digest(bytes)),
                    role: Role::Environment,
                }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::ReadFile { file: name.to_owned(), source }),
            }
        }
        Ok(found)
    }

    /// The files in a tree.
    pub(super) fn materials(&self, store: &Store, tree: Digest, role: Role) -> Result<Vec<Material>, Error> {
        let mut found = Vec::new();
        for (path, node) in store.tree(tree)?.nodes {
            let (hash, executable) = match &node {
                Node::File { digest, executable } => (self.sha256(store, *digest)?, *executable),
                Node::Symlink { target } => (format!("{:x}", Sha256::digest(target.as_bytes())), false),
                _ => continue,
            };
            let (kind, name) = match self.original(&path, &node) {
                Some(file) => (MaterialKind::Source { executable }, file.to_string()),
                None => (MaterialKind::Generated, path.to_string()),
            };
            found.push(Material { kind, name, hash, role });
        }
        Ok(found)
    }

    /// The file of the repository with the content of this node: the one at the same path, or whose path ends like it, or any.
    fn original(&self, path: &RelPath, node: &Node) -> Option<&RelPath> {
        let Node::File { digest, .. } = node else { return None };
        let files = self.by_content.get(digest)?;
        let ends_like = |file: &&RelPath| file.as_str().ends_with(&format!("/{path}"));
        files.iter().find(|file| *file == path).or_else(|| files.iter().find(ends_like)).or(files.first())
    }

    /// The SHA-256 hash of a blob, computed once.
    pub(super) fn sha256(&self, store: &Store, blob: Digest) -> Result<String, Error> {
        let known = || self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hash) = known().get(&blob) {
            return Ok(hash.clone());
        }
        let mut hasher = Sha256::new();
        std::io::copy(&mut store.open_blob(blob)?, &mut hasher)
            .map_err(|source| Error::ReadFile { file: blob.to_string(), source })?;
        let hash = format!("{:x}", hasher.finalize());
        known().insert(blob, hash.clone());
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_recognised_by_its_content_at_the_most_similar_path() {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let node = |text: &str| Node::File { digest: Digest::of(text.as_bytes()), executable: false };
        let files = [path("lib/a.py"), path("src/a.py"), path("src/b/a.py")];
        let by_content = BTreeMap::from([(Digest::of(b"text"), files.to_vec())]);
        let sources = SourceFiles { by_content, hashes: Mutex::default() };
        let check = |at: &str, text: &str, expected: Option<&str>| {
            assert_eq!(sources.original(&path(at), &node(text)).map(RelPath::as_str), expected, "{at}");
        };
        check("src/a.py", "text", Some("src/a.py"));
        check("b/a.py", "text", Some("src/b/a.py"));
        check("renamed.py", "text", Some("lib/a.py"));
        check("src/a.py", "other", None);
    }
}
