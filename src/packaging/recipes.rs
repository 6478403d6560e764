//! How trees are derived from trees: the functions that the engine is given, by the names that `Derive` steps use.

use std::collections::BTreeMap;

use crate::base::{Digest, RelPath};
use crate::packaging::Environment;
use crate::packaging::venv::{self, Part};
use crate::store::Store;

/// The version of glibc in the system tree (Debian 12), which decides which manylinux wheels can be used.
pub const GLIBC: (u16, u16) = (2, 36);

type RecipeError = Box<dyn std::error::Error + Send + Sync>;

/// Computes a tree from parameters and trees. The same arguments give the same tree.
pub type Recipe = fn(&Store, &[String], &[Digest]) -> Result<Digest, RecipeError>;

/// Every recipe by its name. The number in a name is raised when its trees change.
pub fn all() -> BTreeMap<&'static str, Recipe> {
    BTreeMap::from([("overlay-1", overlay as Recipe), ("venv-1", venv)])
}

/// Parameters: where each part lies.
fn overlay(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let places = parameters.iter().map(|place| RelPath::parse(place)).collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<(RelPath, Digest)> = places.into_iter().zip(parts.iter().copied()).collect();
    Ok(store.merge(&parts)?)
}

/// Parameters: the interpreter's path and full version. Parts: a distribution's tree, then its bytecode's, and so on.
fn venv(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let [interpreter, version] = parameters else { return Err("a venv takes two parameters".into()) };
    let environment = Environment::linux_x86_64(version, GLIBC)?;
    let parts = parts.chunks(2).map(|pair| Part { wheel: pair[0], bytecode: pair.get(1).copied() });
    Ok(venv::compose(store, interpreter, &environment, &parts.collect::<Vec<_>>())?.tree)
}
