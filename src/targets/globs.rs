//! A cache of compiled globs for all targets: a repository repeats the same few lists. Compilation itself is in
//! `base::glob`.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::base::glob::{Error, Globs};

/// Compiled globs by their text. May be used by several threads.
#[derive(Default)]
pub struct GlobCache(RwLock<HashMap<Vec<String>, Arc<Globs>>>);

impl GlobCache {
    /// Compiles a list of globs, or returns the cached result.
    pub fn get(&self, globs: &[&str]) -> Result<Arc<Globs>, Error> {
        let key: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        // The map behind a poisoned lock is consistent: no operation on it can be interrupted half way.
        let known = self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&key).cloned();
        if let Some(compiled) = known {
            return Ok(compiled);
        }
        let compiled = Arc::new(Globs::compile(globs.iter().copied())?);
        self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(key, Arc::clone(&compiled));
        Ok(compiled)
    }
}
