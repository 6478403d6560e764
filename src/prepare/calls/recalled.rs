//! How what became of calls is kept for a run in which nothing changed (`goals/retrace`).

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::StepId;
use crate::base::{Digest, RelPath};
use crate::engine::{ActionCache, Cached, StepResult};
use crate::prepare::calls::prepare::{PreparedBatch, PreparedCall};
use crate::prepare::calls::{Done, Enabled};
use crate::session::reuse::Reusable;
use crate::session::{Error, Session, failure};
use crate::store::{Node, Store, Trace};
use crate::tools;
use crate::tracked::Observation;

#[derive(Serialize, Deserialize)]
pub struct Answer {
    calls: Vec<Call>,
    /// What the files held that tools changed.
    contents: Vec<(RelPath, Digest)>,
}

#[derive(Serialize, Deserialize)]
struct Call {
    scope: String,
    /// Its place among the calls of that tool.
    place: usize,
    batches: Vec<Batch>,
}

#[derive(Serialize, Deserialize)]
struct Batch {
    /// Their places among the looks of the trace.
    files: Vec<usize>,
    partition: Option<String>,
    timeout: Option<Duration>,
    cached: Cached,
}

impl Reusable for Done {
    type Stored = Answer;

    /// None where a file could not be read, a call not be carried out, or its outcome is not kept.
    fn to_stored(&self, session: &Session, store: &Store, seen: &[Observation]) -> Result<Option<Answer>, Error> {
        if self.unreadable {
            return Ok(None);
        }
        let batch = |batch: &PreparedBatch| {
            let (result, ..) = failure::ran(&batch.step, &self.outcomes).ok()?;
            Some(Batch {
                files: places(seen, session.build_root(), &batch.files)?,
                partition: batch.partition.clone(),
                timeout: batch.timeout,
                cached: result.cached.clone()?,
            })
        };
        let call = |call: &PreparedCall| {
            let Enabled { tool, call: of_tool } = &call.enabled;
            let is_it = |own: &tools::Call| own.name == of_tool.name && own.kind == of_tool.kind;
            Some(Call {
                scope: tool.scope.clone(),
                place: tool.calls.iter().position(is_it)?,
                batches: call.batches.iter().map(batch).collect::<Option<_>>()?,
            })
        };
        let Some(calls) = self.calls.iter().map(call).collect() else { return Ok(None) };
        Ok(Some(Answer { calls, contents: changed(store, self)? }))
    }

    fn from_stored(
        answer: Answer,
        session: &Session,
        cache: &dyn ActionCache,
        trace: &Trace,
    ) -> Result<Option<Done>, Error> {
        let mut done = Done::default();
        for Call { scope, place, batches } in answer.calls {
            let Some(tool) = tools::named(&scope) else { return Ok(None) };
            let Some(call) = tool.calls.get(place).cloned() else { return Ok(None) };
            let mut prepared = Vec::new();
            for Batch { files, partition, timeout, cached } in batches {
                let Some(result) = StepResult::read_again(cache, &cached)? else { return Ok(None) };
                let file = |place: usize| below(trace.path(place)?, session.build_root());
                let Some(files) = files.into_iter().map(file).collect() else { return Ok(None) };
                let step = StepId::new(done.outcomes.len());
                done.outcomes.insert(step, Ok(result));
                prepared.push(PreparedBatch { files, partition, timeout, step: Ok(step) });
            }
            done.calls.push(PreparedCall { enabled: Enabled { tool, call }, batches: prepared });
        }
        let node = |digest: Digest| Node::File { digest, executable: false };
        done.contents = answer.contents.into_iter().map(|(file, digest)| (file, node(digest))).collect();
        Ok(Some(done))
    }
}

fn below(path: &Path, root: &Path) -> Option<RelPath> {
    RelPath::parse(path.strip_prefix(root).ok()?.to_str()?).ok()
}

/// Where files stand among all looks. Both are sorted, so mostly the next file is the next look.
fn places(seen: &[Observation], root: &Path, files: &[RelPath]) -> Option<Vec<usize>> {
    let mut next = 0;
    let place = |file: &RelPath| {
        let is_it = |(look, _): &&Observation| {
            let below = look.as_os_str().as_bytes().strip_prefix(root.as_os_str().as_bytes());
            below.and_then(|below| below.strip_prefix(b"/")) == Some(file.as_str().as_bytes())
        };
        let place = match seen.get(next).filter(is_it) {
            Some(_) => next,
            None => {
                let path = file.to_path(root);
                seen.binary_search_by(|(look, _)| look.as_os_str().cmp(path.as_os_str())).ok()?
            }
        };
        next = place + 1;
        Some(place)
    };
    files.iter().map(place).collect()
}

/// What the files held that tools left in another form.
fn changed(store: &Store, done: &Done) -> Result<Vec<(RelPath, Digest)>, Error> {
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
