//! The outcomes of calls as `session::reuse` stores them, for a run in which nothing changed.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::StepId;
use crate::base::{Digest, RelPath};
use crate::engine::{ActionCache, Cached, StepResult};
use crate::prepare::calls::{CallOutcomes, EnabledCall, PlannedBatch, PlannedCall};
use crate::session::reuse::Reusable;
use crate::session::{Error, Session, failure};
use crate::store::{Node, Store, Trace};
use crate::tools;
use crate::tracked::Observation;

/// All calls of a goal.
#[derive(Serialize, Deserialize)]
pub struct StoredOutcomes {
    calls: Vec<StoredCall>,
    /// The files that tools changed, with their content before that.
    contents: Vec<(RelPath, Digest)>,
}

#[derive(Serialize, Deserialize)]
struct StoredCall {
    scope: String,
    /// The index among the calls of that tool.
    place: usize,
    version: Option<String>,
    batches: Vec<StoredBatch>,
}

#[derive(Serialize, Deserialize)]
struct StoredBatch {
    /// Indices among the observations of the trace.
    files: Vec<usize>,
    partition: Option<String>,
    timeout: Option<Duration>,
    cached: Cached,
}

impl Reusable for CallOutcomes {
    type Stored = StoredOutcomes;

    /// `None` if a file could not be read, a process did not run, or an outcome is not cached.
    fn to_stored(
        &self,
        session: &Session,
        store: &Store,
        observations: &[Observation],
    ) -> Result<Option<StoredOutcomes>, Error> {
        if self.has_unreadable {
            return Ok(None);
        }
        let batch = |batch: &PlannedBatch| {
            let (result, ..) = failure::ran(&batch.step, &self.outcomes).ok()?;
            Some(StoredBatch {
                files: indices(observations, session.build_root(), &batch.files)?,
                partition: batch.partition.clone(),
                timeout: batch.timeout,
                cached: result.cached.clone()?,
            })
        };
        let call = |call: &PlannedCall| {
            let EnabledCall { tool, call: of_tool, .. } = &call.enabled;
            let is_same = |own: &tools::Call| own.name == of_tool.name && own.kind == of_tool.kind;
            Some(StoredCall {
                scope: tool.scope.clone(),
                place: tool.calls.iter().position(is_same)?,
                version: call.version.clone(),
                batches: call.batches.iter().map(batch).collect::<Option<_>>()?,
            })
        };
        let Some(calls) = self.calls.iter().map(call).collect() else { return Ok(None) };
        Ok(Some(StoredOutcomes { calls, contents: changed_files(store, self)? }))
    }

    fn from_stored(
        stored: StoredOutcomes,
        session: &Session,
        cache: &dyn ActionCache,
        trace: &Trace,
    ) -> Result<Option<CallOutcomes>, Error> {
        let mut found = CallOutcomes::default();
        for StoredCall { scope, place, version, batches } in stored.calls {
            let Some(tool) = tools::named(&scope) else { return Ok(None) };
            let Some(call) = tool.calls.get(place).cloned() else { return Ok(None) };
            let mut planned = Vec::new();
            for StoredBatch { files, partition, timeout, cached } in batches {
                let Some(result) = StepResult::read_again(cache, &cached)? else { return Ok(None) };
                let file = |index: usize| relative(trace.path(index)?, session.build_root());
                let Some(files) = files.into_iter().map(file).collect() else { return Ok(None) };
                let step = StepId::new(found.outcomes.len());
                found.outcomes.insert(step, Ok(result));
                planned.push(PlannedBatch { files, partition, timeout, step: Ok(step) });
            }
            let enabled = EnabledCall { tool, call, target: None };
            found.calls.push(PlannedCall { enabled, version, batches: planned });
        }
        let node = |digest: Digest| Node::File { digest, executable: false };
        found.contents = stored.contents.into_iter().map(|(file, digest)| (file, node(digest))).collect();
        Ok(Some(found))
    }
}

fn relative(path: &Path, root: &Path) -> Option<RelPath> {
    RelPath::parse(path.strip_prefix(root).ok()?.to_str()?).ok()
}

/// The indices of files among all observations. Both are sorted, so usually the next file is the next observation.
fn indices(observations: &[Observation], root: &Path, files: &[RelPath]) -> Option<Vec<usize>> {
    let mut next = 0;
    let index = |file: &RelPath| {
        let is_file = |(path, _): &&Observation| {
            let below = path.as_os_str().as_bytes().strip_prefix(root.as_os_str().as_bytes());
            below.and_then(|below| below.strip_prefix(b"/")) == Some(file.as_str().as_bytes())
        };
        let index = match observations.get(next).filter(is_file) {
            Some(_) => next,
            None => {
                let path = file.to_path(root);
                observations.binary_search_by(|(other, _)| other.as_os_str().cmp(path.as_os_str())).ok()?
            }
        };
        next = index + 1;
        Some(index)
    };
    files.iter().map(index).collect()
}

/// The files that tools changed, with their content before that.
fn changed_files(store: &Store, done: &CallOutcomes) -> Result<Vec<(RelPath, Digest)>, Error> {
    let mut changed = Vec::new();
    for call in done.calls.iter().filter(|call| call.enabled.call.kind.rewrites()) {
        for (result, ..) in call.batches.iter().filter_map(|batch| failure::ran(&batch.step, &done.outcomes).ok()) {
            let left = store.tree(result.tree)?.nodes.into_keys();
            changed.extend(left.filter_map(|file| {
                let content = done.contents.get(&file)?.content()?;
                Some((file, content))
            }));
        }
    }
    changed.sort();
    changed.dedup();
    Ok(changed)
}
