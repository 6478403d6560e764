//! What is reported about problems with a server: each kind of problem once, with a number instead of a list.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::engine::remote::Error;

/// The problems so far.
#[derive(Default)]
pub(super) struct Warnings {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The first error of each kind, and how many there were since this was last asked.
    problems: BTreeMap<Kind, (Error, usize)>,
    has_shown_failure: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    WrongBytes,
    UnusableResult,
    RefusedWrite,
    TooLarge,
    Other,
}

impl Warnings {
    /// Adds an error. Lasting failures are kept by the connection, and a lost blob is only a miss.
    pub(super) fn add(&self, error: &Error) {
        let kind = match error {
            Error::WrongBytes { .. } => Kind::WrongBytes,
            Error::Result { .. } => Kind::UnusableResult,
            Error::TooLarge { .. } => Kind::TooLarge,
            Error::Missing { .. } | Error::Off { .. } => return,
            error if error.is_lasting() => return,
            _ => Kind::Other,
        };
        self.count(kind, error);
    }

    /// Adds the reason why nothing more is stored on the server.
    pub(super) fn add_refused_write(&self, error: &Error) {
        self.count(Kind::RefusedWrite, error);
    }

    fn count(&self, kind: Kind, error: &Error) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.problems.entry(kind).or_insert_with(|| (error.clone(), 0)).1 += 1;
    }

    /// The messages since this was last asked, with hints. `failure` is why the server is not used any more.
    pub(super) fn take(&self, failure: Option<&Error>) -> Vec<(String, Option<String>)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut messages = Vec::new();
        if let Some(failure) = failure
            && !state.has_shown_failure
        {
            state.has_shown_failure = true;
            let text =
                format!("the remote cache is not used any more in this run, steps run on this machine: {failure}");
            messages.push((text, failure.hint()));
        }
        for (kind, (error, count)) in std::mem::take(&mut state.problems) {
            let times = if count > 1 { format!(" ({count} times)") } else { String::new() };
            let text = match kind {
                Kind::RefusedWrite => format!("results of this run are not stored in the remote cache: {error}"),
                _ => format!("the remote cache could not be used for a result: {error}{times}"),
            };
            messages.push((text, error.hint()));
        }
        messages
    }
}
