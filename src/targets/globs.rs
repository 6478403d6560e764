//! A cache of compiled globs for all targets: a repository repeats the same few lists. Compilation itself is in
//! `base::glob`.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::base::glob::{Error, Globs};

/// Compiled globs by their text. May be used by several threads.
#[derive(Default)]
pub(super) struct GlobCache(RwLock<HashMap<Key, Arc<Globs>>>);

/// Whether the globs are those of the build root, and their texts.
type Key = (bool, Vec<String>);

impl GlobCache {
    /// Compiles the globs of a BUILD file, or returns the cached result. In the build root, excludes have another meaning.
    pub(super) fn get(&self, globs: &[&str], in_root: bool) -> Result<Arc<Globs>, Error> {
        let key = (in_root, globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>());
        // The map behind a poisoned lock is consistent: no operation on it can be interrupted half way.
        let known = self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&key).cloned();
        if let Some(compiled) = known {
            return Ok(compiled);
        }
        let compiled = match in_root {
            true => Globs::compile_in_root(globs.iter().copied())?,
            false => Globs::compile(globs.iter().copied())?,
        };
        let compiled = Arc::new(compiled);
        self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(key, Arc::clone(&compiled));
        Ok(compiled)
    }
}
