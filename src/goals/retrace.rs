//! What an earlier run of the same goal came to: where this one is asked the same, and everything that was looked at looks
//! the same (`look`), the same would come of it, so the answer is recalled and nothing is prepared.
//!
//! Only what went well in every way is kept: no mistake in the repository, nothing interrupted, and what the goal itself
//! asks of its answer. What was told meanwhile is told again.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::goals::session::Message;
use crate::goals::{Error, Session};
use crate::look::{self, Seen, Stamp};
use crate::store::{Store, Trace};

/// Raise it when answers change their form or meaning.
const VERSION: u32 = 2;

/// What a goal works out before it tells anything of it.
pub trait Repeatable: Sized {
    /// The form in which it is kept.
    type Answer: Serialize + DeserializeOwned;

    /// None where something of it is not to be relied on. `seen` is everything that was looked at, in the order of the trace.
    fn answer(&self, session: &Session, store: &Store, seen: &[Seen]) -> Result<Option<Self::Answer>, Error>;

    /// None where something that the answer names is no longer there.
    fn recall(answer: Self::Answer, session: &Session, store: &Store, trace: &Trace) -> Result<Option<Self>, Error>;
}

#[derive(Serialize, Deserialize)]
struct Kept<A> {
    told: Vec<Message>,
    answer: A,
}

/// As an earlier run left it, where that is still so; else made now, and kept for the next run.
pub fn repeated<T: Repeatable>(
    session: &mut Session,
    goal: &str,
    make: impl FnOnce(&mut Session) -> Result<T, Error>,
) -> Result<T, Error> {
    let Some(question) = question(session, goal) else { return make(session) };
    let (store, root) = (session.store()?, session.build_root().to_owned());
    if !session.restores()
        && let Some(trace) = store.trace(&root, &question).ok().flatten().filter(Trace::holds)
        && let Ok(Kept { told, answer }) = serde_json::from_slice(trace.answer())
        && let Some(recalled) = T::recall(answer, session, &store, &trace)?
    {
        told.into_iter().for_each(|message| session.tell_message(message));
        return Ok(recalled);
    }
    let told = session.told().len();
    let made = make(session)?;
    if session.is_sound()
        && !session.was_interrupted()
        && let Some(seen) = look::seen()
        && let Some(answer) = made.answer(session, &store, &seen)?
        && let Ok(bytes) = serde_json::to_vec(&Kept { told: session.told().split_off(told), answer })
    {
        // Without one the next run prepares everything, and that is all.
        let _ = store.keep_trace(&root, &question, &seen, &bytes);
    }
    Ok(made)
}

/// Everything beside files that a goal depends on: the program, settings, variables, and what this run did before. None
/// where the program cannot say which one it is.
fn question(session: &Session, goal: &str) -> Option<Digest> {
    let program = Stamp::of(&std::env::current_exe().and_then(std::fs::metadata).ok()?);
    let run = (session.config().fingerprint(), session.specs(), session.environment(), session.told());
    Some(Digest::of(format!("{VERSION} {program:?} {goal} {run:?}").as_bytes()))
}
