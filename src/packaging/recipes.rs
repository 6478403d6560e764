//! Recipes: functions that derive a tree from other trees. `Derive` steps refer to them by name. Processes are not run
//! here.

use std::collections::BTreeMap;

use crate::base::{Digest, RelPath};
use crate::packaging::Environment;
use crate::packaging::venv::{self, Layer};
use crate::packaging::wheel;
use crate::store::Store;

/// The glibc version of the system tree (Debian 12). It determines which manylinux wheels can be used.
pub const GLIBC: (u16, u16) = (2, 36);

type RecipeError = Box<dyn std::error::Error + Send + Sync>;

/// Computes a tree from parameters and trees. The same arguments give the same tree.
pub type Recipe = fn(&Store, &[String], &[Digest]) -> Result<Digest, RecipeError>;

/// All recipes by name. The number in a name must be incremented when the resulting trees change.
pub fn all() -> BTreeMap<&'static str, Recipe> {
    BTreeMap::from([("overlay-1", overlay as Recipe), ("venv-1", venv), ("wheels-1", wheels)])
}

/// Merges trees. Parameters: the path of each part in the result.
fn overlay(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let paths = parameters.iter().map(|path| RelPath::parse(path)).collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<(RelPath, Digest)> = paths.into_iter().zip(parts.iter().copied()).collect();
    Ok(store.merge(&parts)?)
}

/// The tree of installed wheels. Part: a tree with wheels, at any paths.
fn wheels(store: &Store, _: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let mut installed = Vec::new();
    for part in parts {
        for (path, node) in store.tree(*part)?.nodes {
            let (Some(name), Some(content)) = (path.file_name(), node.content()) else { continue };
            if path.extension() == Some("whl") {
                let mut file = store.open_blob(content)?;
                installed
                    .push((RelPath::root(), wheel::unpack(store, name, &mut file, &wheel::Limits::default())?.tree));
            }
        }
    }
    Ok(store.merge(&installed)?)
}

/// Composes a venv image. Parameters: the path and the full version of the interpreter. Parts: for each distribution its
/// tree, then the tree of its bytecode.
fn venv(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let [interpreter, version] = parameters else {
        return Err("the recipe of a venv takes two parameters: interpreter and version".into());
    };
    let environment = Environment::linux_x86_64(version, GLIBC)?;
    let layers = parts.chunks(2).map(|pair| Layer { wheel: pair[0], bytecode: pair.get(1).copied() });
    Ok(venv::compose(store, interpreter, &environment, &layers.collect::<Vec<_>>())?.tree)
}
