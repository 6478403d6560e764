//! Reuse of an earlier run's result without planning: if the key and every recorded file and variable are unchanged, the
//! plan would be the same, so its outcomes are read from the cache and nothing is prepared.
//!
//! Only a flawless run is stored: no error in the repository, no interrupt, and whatever else the goal requires of its
//! result. Messages that were reported while it was made are stored with it. They count as reported, and are not shown again:
//! a warning is shown when a goal plans, and not again until something has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::base::Digest;
use crate::engine::ActionCache;
use crate::engine::local::LocalActionCache;
use crate::report::Message;
use crate::session::run_log::StoredSteps;
use crate::session::{Error, Session};
use crate::store::{Store, Trace};
use crate::tracked::{FileStamp, Observation};

/// Raised when stored results change their form or meaning.
const VERSION: u32 = 6;

/// The result of a goal before any of it is reported.
pub trait Reusable: Sized {
    /// The form in which it is stored.
    type Stored: Serialize + DeserializeOwned;

    /// The stored form; `None` where part of the result must not be reused. `observations` is everything that was read, in
    /// the order of the trace.
    fn to_stored(
        &self,
        session: &Session,
        store: &Store,
        observations: &[Observation],
    ) -> Result<Option<Self::Stored>, Error>;

    /// The result again; `None` where something that the stored form names is missing.
    fn from_stored(
        stored: Self::Stored,
        session: &Session,
        cache: &dyn ActionCache,
        trace: &Trace,
    ) -> Result<Option<Self>, Error>;
}

#[derive(Serialize, Deserialize)]
struct Record<S> {
    /// Names and patterns of environment variables, and a fingerprint of those that matched.
    variables: BTreeMap<String, String>,
    messages: Vec<Message>,
    /// The steps of the run that made the result.
    steps: Option<StoredSteps>,
    result: S,
}

/// The result of an earlier run where nothing changed since; otherwise `make` makes it, and it is stored for the next run.
pub fn reused_or<T: Reusable, E: From<Error>>(
    session: &mut Session,
    goal: &str,
    make: impl FnOnce(&mut Session) -> Result<T, E>,
) -> Result<T, E> {
    // A recorded run needs the plan, and records of earlier runs are not signed.
    let services = &session.services;
    let plans = services.keeps_executions() || services.is_recorded() || services.requires_signatures();
    let is_reusable = session.context.global().use_cache && !plans;
    let Some(key) = key(session, goal).filter(|_| is_reusable) else { return make(session) };
    let store = session.services.open_store()?;
    if let Some(result) = reuse(session, goal, &store, &key)? {
        return Ok(result);
    }
    let reported_before = session.ui.reported().len();
    let phase = session.ui.console.phase(&format!("preparing `{goal}`"));
    let made = make(session);
    drop(phase);
    let made = made?;
    let steps = session.end_part(goal);
    if !session.repository.is_sound() || session.services.was_interrupted() {
        return Ok(made);
    }
    if let Some(observations) = session.context.tracker.observations()
        && let Some(result) = made.to_stored(session, &store, &observations)?
    {
        let variables = session.environment().vars.lookups();
        let messages = session.ui.reported().split_off(reported_before);
        if let Ok(bytes) = serde_json::to_vec(&Record { variables, messages, steps, result }) {
            // If it cannot be stored, the next run plans again.
            let _ = store.store_trace(session.build_root(), &key, &observations, &bytes);
        }
    }
    Ok(made)
}

fn reuse<T: Reusable>(session: &Session, goal: &str, store: &Arc<Store>, key: &Digest) -> Result<Option<T>, Error> {
    if session.services.verifies_sources() {
        return Ok(None);
    }
    let Some(trace) = store.load_trace(session.build_root(), key).ok().flatten() else { return Ok(None) };
    let Ok(Record::<T::Stored> { variables, messages, steps, result }) = serde_json::from_slice(trace.result()) else {
        return Ok(None);
    };
    let vars = &session.environment().vars;
    if !variables.iter().all(|(pattern, then)| vars.fingerprint(pattern) == *then) || !trace.is_unchanged() {
        return Ok(None);
    }
    let cache = LocalActionCache::new(store.clone());
    let result = T::from_stored(result, session, &cache, &trace)?;
    if result.is_some() {
        messages.into_iter().for_each(|message| session.ui.recall(message));
        steps.into_iter().for_each(|steps| session.services.run_log.reuse(goal, steps));
    }
    Ok(result)
}

/// Everything besides files and variables that a goal's plan depends on: the program, the settings, who runs it and
/// where, and what this run reported before. `None` where the program's own file cannot be found.
fn key(session: &Session, goal: &str) -> Option<Digest> {
    let program = FileStamp::from_metadata(&std::env::current_exe().and_then(std::fs::metadata).ok()?);
    let (context, environment) = (&session.context, session.environment());
    let run = json!([
        VERSION,
        program.to_bytes().to_vec(),
        goal,
        context.config.fingerprint().to_string(),
        context.specs,
        environment.cwd.to_string_lossy(),
        environment.home.as_deref().map(|home| home.to_string_lossy()),
        environment.user,
        // A result that was obtained under the limits of one shell is not reported for another.
        session.services.platform().properties(),
        session.ui.reported(),
    ]);
    Some(Digest::of(run.to_string().as_bytes()))
}
