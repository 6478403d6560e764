//! Built packages as `session::reuse` stores them, for a run in which nothing changed.

use serde::{Deserialize, Serialize};

use crate::base::{Digest, RelPath};
use crate::engine::ActionCache;
use crate::goals::package::{BuiltPackage, BuiltPackages};
use crate::session::image_builder::ImageBuild;
use crate::session::reuse::Reusable;
use crate::session::{Error, Session};
use crate::store::{Store, Trace};
use crate::tracked::Observation;

/// One package.
#[derive(Serialize, Deserialize)]
pub(in crate::goals) struct StoredPackage {
    address: String,
    tree: Digest,
    directory: Option<RelPath>,
    image_builds: Vec<(Digest, ImageBuild)>,
}

impl Reusable for BuiltPackages {
    type Stored = Vec<StoredPackage>;

    fn to_stored(&self, _: &Session, _: &Store, _: &[Observation]) -> Result<Option<Vec<StoredPackage>>, Error> {
        if !self.failed.is_empty() {
            return Ok(None);
        }
        let stored = |built: &BuiltPackage| StoredPackage {
            address: built.address.clone(),
            tree: built.tree,
            directory: built.directory.clone(),
            image_builds: built.image_builds.clone(),
        };
        Ok(Some(self.built.iter().map(stored).collect()))
    }

    fn from_stored(
        stored: Vec<StoredPackage>,
        session: &Session,
        _: &dyn ActionCache,
        _: &Trace,
    ) -> Result<Option<BuiltPackages>, Error> {
        let store = session.services.opened_store();
        let mut built = Vec::new();
        for StoredPackage { address, tree, directory, image_builds } in stored {
            let mut trees = image_builds.iter().map(|(context, _)| *context).chain([tree]);
            if !trees.all(|tree| store.is_some_and(|store| store.is_complete(tree).unwrap_or(false))) {
                return Ok(None);
            }
            built.push(BuiltPackage { address, tree, directory, image_builds, step: None });
        }
        Ok(Some(BuiltPackages { built, failed: Vec::new() }))
    }
}
