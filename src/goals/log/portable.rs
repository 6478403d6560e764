//! A run as one JSON document that contains its keys field by field, so that `why --against` can compare it on another machine.
//! The contents of files are not part of it, only their digests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::action::{DecodedAction, RunRecord, StepRecord};
use crate::base::{Digest, RelPath};
use crate::engine::ActionCache;
use crate::engine::local::LocalActionCache;
use crate::goals::Error;
use crate::session::records::{Records, StepList};
use crate::store::{Entry, Store};
use std::sync::Arc;

/// The version of the document. New fields keep it, any other change raises it.
pub(in crate::goals) const SCHEMA_VERSION: u32 = 1;

/// The document.
#[derive(Serialize, Deserialize)]
pub(in crate::goals) struct PortableRun {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The number of the run on its machine.
    pub run: u64,
    /// The record.
    pub record: RunRecord,
    /// The steps of each part of the record.
    pub parts: Vec<PortablePart>,
    /// The actions of the processes, by key.
    pub actions: BTreeMap<String, PortableAction>,
    /// The levels of the input trees, by digest: what is at each name, as [`Node::to_text`](crate::store::Node::to_text) renders
    /// it, or `directory` and a digest.
    pub directories: BTreeMap<String, BTreeMap<String, String>>,
}

/// The steps of one goal.
#[derive(Serialize, Deserialize)]
pub(in crate::goals) struct PortablePart {
    /// The goal.
    pub goal: String,
    /// See [`RunPart`](crate::action::RunPart).
    pub reused: bool,
    /// Empty if the steps are no longer recorded.
    pub steps: Vec<StepRecord>,
}

/// The fields of a key.
#[derive(Serialize, Deserialize)]
pub(in crate::goals) struct PortableAction {
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    working_directory: String,
    outputs: Vec<String>,
    input_root: Digest,
    properties: BTreeMap<String, String>,
}

impl From<DecodedAction> for PortableAction {
    fn from(action: DecodedAction) -> PortableAction {
        let DecodedAction { argv, env, cwd, outputs, input_root, properties } = action;
        PortableAction { arguments: argv, environment: env, working_directory: cwd, outputs, input_root, properties }
    }
}

impl PortableAction {
    /// The fields as they are compared.
    pub(in crate::goals) fn decoded(&self) -> DecodedAction {
        DecodedAction {
            argv: self.arguments.clone(),
            env: self.environment.clone(),
            cwd: self.working_directory.clone(),
            outputs: self.outputs.clone(),
            input_root: self.input_root,
            properties: self.properties.clone(),
        }
    }
}

impl PortableRun {
    /// What is at each path of a tree, as far as its levels are in the document.
    pub(in crate::goals) fn tree(&self, root: Digest) -> Option<BTreeMap<RelPath, String>> {
        let (mut found, mut left) = (BTreeMap::new(), vec![(RelPath::root(), root.to_string())]);
        // A document of foreign origin may refer to a level many times.
        let mut visits = 0;
        while let Some((path, digest)) = left.pop() {
            visits += 1;
            if visits > 1_000_000 {
                return None;
            }
            for (name, node) in self.directories.get(&digest)? {
                let path = path.push(name).ok()?;
                match node.strip_prefix("directory ") {
                    Some(digest) => left.push((path, digest.to_owned())),
                    None => drop(found.insert(path, node.clone())),
                }
            }
        }
        Some(found)
    }
}

/// The document of a recorded run.
pub(super) fn portable(
    store: &Arc<Store>,
    records: &Records,
    run: u64,
    record: RunRecord,
) -> Result<PortableRun, Error> {
    let cache = LocalActionCache::new(store.clone());
    let mut document = PortableRun {
        schema_version: SCHEMA_VERSION,
        run,
        parts: Vec::new(),
        actions: BTreeMap::new(),
        directories: BTreeMap::new(),
        record,
    };
    for StepList { goal, reused, steps } in records.steps(&document.record)? {
        let steps = steps.map(|steps| steps.to_vec()).unwrap_or_default();
        for key in steps.iter().filter_map(|step| step.cache.key) {
            let action = cache.action(&key).map_err(crate::session::Error::from)?;
            let Some(action) = action.and_then(|action| action.decode().ok()) else { continue };
            add_levels(store, action.input_root, &mut document.directories);
            document.actions.insert(key.to_string(), action.into());
        }
        document.parts.push(PortablePart { goal, reused, steps });
    }
    Ok(document)
}

/// Adds the levels of a tree that the store still has.
fn add_levels(store: &Store, root: Digest, directories: &mut BTreeMap<String, BTreeMap<String, String>>) {
    let mut left = vec![root];
    while let Some(digest) = left.pop() {
        if directories.contains_key(&digest.to_string()) {
            continue;
        }
        let Ok(directory) = store.directory(digest) else { continue };
        let text = |(name, entry): (String, Entry)| {
            let text = match entry {
                Entry::Directory(digest) => {
                    left.push(digest);
                    format!("directory {digest}")
                }
                Entry::File { digest, executable: false } => format!("file {digest}"),
                Entry::File { digest, executable: true } => format!("executable {digest}"),
                Entry::Symlink(target) => format!("symlink {target}"),
            };
            (name, text)
        };
        directories.insert(digest.to_string(), directory.entries.into_iter().map(text).collect());
    }
}
