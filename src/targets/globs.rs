//! Compiled globs, shared by all targets: a repository repeats the same few lists.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::base::glob::{Error, Globs};

#[derive(Default)]
pub struct GlobCache(RwLock<HashMap<Vec<String>, Arc<Globs>>>);

impl GlobCache {
    pub fn get(&self, globs: &[&str]) -> Result<Arc<Globs>, Error> {
        let key: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        // A poisoned lock holds a whole map: nothing is left half done under it.
        let known = self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&key).cloned();
        if let Some(compiled) = known {
            return Ok(compiled);
        }
        let compiled = Arc::new(Globs::compile(globs.iter().copied())?);
        self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(key, Arc::clone(&compiled));
        Ok(compiled)
    }
}
