//! Merging of trees. Only levels that several parts share are read; other subtrees keep their digests.

use std::collections::BTreeMap;

use super::batch::Batch;
use super::directory::{Directory, Entry};
use super::trees::MAX_DEPTH;
use crate::base::{Digest, RelPath};
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

/// A part relative to one level: the remaining components of its path, and its tree.
#[derive(Clone)]
struct Part<'p> {
    below: Vec<&'p str>,
    tree: Digest,
}

impl Store {
    /// One tree with each part at its path. Several parts can have equal files at the same path; different files are
    /// `Error::Conflict`.
    pub fn merge(&self, parts: &[(RelPath, Digest)]) -> Result<Digest> {
        let parts: Vec<_> =
            parts.iter().map(|(path, tree)| Part { below: path.components().collect(), tree: *tree }).collect();
        for part in &parts {
            self.write_lazy_tree(part.tree)?;
        }
        let batch = self.batch();
        let digest = merge_level(self, &batch, &mut Vec::new(), parts)?;
        batch.commit()?;
        Ok(digest)
    }
}

fn merge_level<'p>(store: &Store, batch: &Batch<'_>, at: &mut Vec<String>, parts: Vec<Part<'p>>) -> Result<Digest> {
    if at.len() > MAX_DEPTH {
        return Err(Error::Malformed { tree: at.join("/"), why: format!("it is deeper than {MAX_DEPTH} directories") });
    }
    if let Some(digest) = all_one(&parts) {
        return Ok(digest);
    }
    let mut merged = Directory::default();
    let mut below: BTreeMap<String, Vec<Part<'p>>> = BTreeMap::new();
    for mut part in parts {
        if !part.below.is_empty() {
            let name = part.below.remove(0).to_owned();
            below.entry(name).or_default().push(part);
            continue;
        }
        for (name, entry) in store.directory(part.tree)?.entries {
            match entry {
                Entry::Directory(tree) => below.entry(name).or_default().push(Part { below: Vec::new(), tree }),
                entry => add_entry(&mut merged, at, name, entry)?,
            }
        }
    }
    for (name, parts) in below {
        at.push(name.clone());
        let digest = merge_level(store, batch, at, parts)?;
        at.pop();
        add_entry(&mut merged, at, name, Entry::Directory(digest))?;
    }
    batch.put_directory(&merged.encode())
}

/// The digest of a level whose parts are all the same tree, so that it need not be read.
fn all_one(parts: &[Part<'_>]) -> Option<Digest> {
    let first = parts.first()?;
    parts.iter().all(|part| part.below.is_empty() && part.tree == first.tree).then_some(first.tree)
}

fn add_entry(merged: &mut Directory, at: &[String], name: String, entry: Entry) -> Result<()> {
    match merged.entries.get(&name) {
        Some(present) if *present == entry => Ok(()),
        Some(_) => {
            let path = at.iter().map(String::as_str).chain([name.as_str()]).collect::<Vec<_>>().join("/");
            Err(Error::Conflict { path })
        }
        None => {
            merged.entries.insert(name, entry);
            Ok(())
        }
    }
}
