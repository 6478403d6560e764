//! Calls that an earlier run prepared: where this one is asked the same, and everything that was looked at looks the same
//! (`look`), the preparation would come out the same, so what became of the calls is recalled without it.
//!
//! Only what went well in every way is kept: all calls carried out, all outcomes kept, no mistake in the repository. What
//! was told meanwhile is told again.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::StepId;
use crate::base::{Digest, RelPath};
use crate::engine::executor::Results;
use crate::engine::{Kept, StepResult};
use crate::goals::calls::prepare::{Contents, PreparedBatch, PreparedCall};
use crate::goals::calls::{Done, Enabled};
use crate::goals::session::Message;
use crate::goals::{Error, Session};
use crate::look::{self, Seen, Stamp};
use crate::store::{Node, Store, Trace};

/// Raise it when answers change their form or meaning.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Answer {
    told: Vec<Message>,
    calls: Vec<Call>,
    /// What the files held that tools changed.
    contents: Vec<(RelPath, Digest)>,
}

#[derive(Serialize, Deserialize)]
struct Call {
    /// Its place among the enabled ones.
    place: usize,
    batches: Vec<Batch>,
}

#[derive(Serialize, Deserialize)]
struct Batch {
    /// Their places among the looks of the trace.
    files: Vec<usize>,
    partition: Option<String>,
    timeout: Option<Duration>,
    kept: Kept,
}

/// As an earlier run left it, where that is still so; else made now, and kept for the next run.
pub fn done(
    session: &mut Session,
    goal: &str,
    enabled: &[Enabled],
    make: impl FnOnce(&mut Session) -> Result<Done, Error>,
) -> Result<Done, Error> {
    let Some(question) = question(session, goal) else { return make(session) };
    let (store, root) = (session.store()?, session.build_root().to_owned());
    if !session.restores()
        && let Some(trace) = store.trace(&root, &question).ok().flatten().filter(Trace::holds)
        && let Ok(answer) = serde_json::from_slice::<Answer>(trace.answer())
        && let Some(done) = answer.recall(&store, &root, &trace, enabled)?
    {
        answer.told.into_iter().for_each(|message| session.tell_message(message));
        return Ok(done);
    }
    let told = session.told().len();
    let done = make(session)?;
    if let Some(seen) = look::seen()
        && let Some(answer) = Answer::of(session, &done, enabled, &seen, told)?
        && let Ok(bytes) = serde_json::to_vec(&answer)
    {
        // Without one the next run prepares everything, and that is all.
        let _ = store.keep_trace(&root, &question, &seen, &bytes);
    }
    Ok(done)
}

/// Everything beside files that preparations depend on: the program, settings, variables, and what this run did before.
/// None where the program cannot say which one it is.
fn question(session: &Session, goal: &str) -> Option<Digest> {
    let program = Stamp::of(&std::env::current_exe().and_then(std::fs::metadata).ok()?);
    let run = (session.config().fingerprint(), session.specs(), session.environment(), session.told());
    Some(Digest::of(format!("calls {VERSION} {program:?} {goal} {run:?}").as_bytes()))
}

impl Answer {
    /// None where something is not to be relied on. `told` is how many messages there were before.
    fn of(
        session: &mut Session,
        done: &Done,
        enabled: &[Enabled],
        seen: &[Seen],
        told: usize,
    ) -> Result<Option<Answer>, Error> {
        if done.unreadable || !session.is_sound() || session.was_interrupted() {
            return Ok(None);
        }
        let root = session.build_root();
        let of_batch = |batch: &PreparedBatch| {
            let result = done.outcomes.get(batch.step.as_ref().ok()?)?.as_ref().ok()?;
            Some(Batch {
                files: places(seen, root, &batch.files)?,
                partition: batch.partition.clone(),
                timeout: batch.timeout,
                kept: result.kept.clone()?,
            })
        };
        let of_call = |call: &PreparedCall| {
            let place = enabled.iter().position(|enabled| enabled.is(&call.enabled))?;
            Some(Call { place, batches: call.batches.iter().map(of_batch).collect::<Option<_>>()? })
        };
        let Some(calls) = done.calls.iter().map(of_call).collect() else { return Ok(None) };
        let told = session.told().split_off(told);
        Ok(Some(Answer { told, calls, contents: changed(&*session.store()?, done)? }))
    }

    /// None where what the calls came to is no longer there.
    fn recall(&self, store: &Store, root: &Path, trace: &Trace, enabled: &[Enabled]) -> Result<Option<Done>, Error> {
        let (mut calls, mut outcomes) = (Vec::new(), Results::new());
        for call in &self.calls {
            let Some(enabled) = enabled.get(call.place) else { return Ok(None) };
            let mut batches = Vec::new();
            for batch in &call.batches {
                let Some(result) = StepResult::again(store, &batch.kept)? else { return Ok(None) };
                let step = StepId::new(outcomes.len());
                outcomes.insert(step, Ok(result));
                let file = |place: &usize| below(trace.path(*place)?, root);
                let Some(files) = batch.files.iter().map(file).collect() else { return Ok(None) };
                batches.push(PreparedBatch {
                    files,
                    partition: batch.partition.clone(),
                    timeout: batch.timeout,
                    step: Ok(step),
                });
            }
            calls.push(PreparedCall { enabled: enabled.clone(), batches });
        }
        let node = |digest: Digest| Node::File { digest, executable: false };
        let contents = self.contents.iter().map(|(file, digest)| (file.clone(), node(*digest))).collect();
        Ok(Some(Done { calls, outcomes, contents, unreadable: false }))
    }
}

fn below(path: &Path, root: &Path) -> Option<RelPath> {
    RelPath::parse(path.strip_prefix(root).ok()?.to_str()?).ok()
}

/// Where files stand among all looks. Both are sorted, so mostly the next file is the next look.
fn places(seen: &[Seen], root: &Path, files: &[RelPath]) -> Option<Vec<usize>> {
    let mut next = 0;
    let place = |file: &RelPath| {
        let path = file.to_path(root);
        let place = match seen.get(next) {
            Some((look, _)) if look.as_os_str() == path.as_os_str() => next,
            _ => seen.binary_search_by(|(look, _)| look.as_os_str().cmp(path.as_os_str())).ok()?,
        };
        next = place + 1;
        Some(place)
    };
    files.iter().map(place).collect()
}

/// What the files held that tools left in another form.
fn changed(store: &Store, done: &Done) -> Result<Vec<(RelPath, Digest)>, Error> {
    let mut changed = Contents::new();
    for call in done.calls.iter().filter(|call| call.enabled.call.kind.rewrites()) {
        let steps = call.batches.iter().filter_map(|batch| batch.step.as_ref().ok());
        for result in steps.filter_map(|step| done.outcomes.get(step)?.as_ref().ok()) {
            let left = store.tree(result.tree)?.nodes.into_keys();
            changed.extend(
                left.filter_map(|file| done.contents.get_key_value(&file))
                    .map(|(file, node)| (file.clone(), node.clone())),
            );
        }
    }
    Ok(changed.into_iter().filter_map(|(file, node)| Some((file, node.content()?))).collect())
}
