//! Input trees that no step makes, such as toolchains, of which only the digest is known so far. They are made when a step needs one,
//! and never in a run whose results are all cached.

use std::sync::{Mutex, PoisonError};

use crate::base::ErrorKind;
use crate::engine::Error;

/// Makes some trees.
pub type Make = Box<dyn FnOnce() -> Result<(), MakeFailure> + Send>;

/// Why trees could not be made, as the room that makes them reports it.
#[derive(Clone, Debug)]
pub struct MakeFailure {
    /// The message with its causes.
    pub why: String,
    /// What decides the exit code.
    pub kind: ErrorKind,
    /// What the user can do about it.
    pub hint: Option<String>,
}

/// How the trees are made.
#[derive(Default)]
pub struct LateInputs {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pending: Vec<(String, Make)>,
    /// Why they could not be made.
    failure: Option<(String, MakeFailure)>,
}

impl LateInputs {
    /// Adds trees. `label` is for messages, such as `toolchain`.
    pub fn add(&self, label: &str, make: Make) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).pending.push((label.to_owned(), make));
    }

    /// Makes all trees, which blocks. Other callers wait. Returns whether there were any; if they cannot be made, every call fails.
    pub(super) fn make(&self) -> Result<bool, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = std::mem::take(&mut state.pending);
        let has_pending = !pending.is_empty();
        for (label, make) in pending {
            if let Err(error) = make() {
                state.failure.get_or_insert((label, error));
            }
        }
        match &state.failure {
            Some((label, failure)) => Err(Error::LateInput { label: label.clone(), failure: failure.clone() }),
            None => Ok(has_pending),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn trees_are_made_once() {
        let (inputs, count) = (LateInputs::default(), Arc::new(AtomicUsize::new(0)));
        assert!(!inputs.make().unwrap(), "there are none");
        let counter = count.clone();
        inputs.add(
            "toolchain",
            Box::new(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }),
        );
        assert!(inputs.make().unwrap());
        assert!(!inputs.make().unwrap());
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_failure_is_that_of_every_step_that_needs_them() {
        let inputs = LateInputs::default();
        let failure = MakeFailure { why: "no mirror".to_owned(), kind: ErrorKind::Unavailable, hint: None };
        inputs.add("toolchain", Box::new(|| Err(failure)));
        for _ in 0..2 {
            let error = inputs.make().unwrap_err();
            assert_eq!(
                (error.whole().as_str(), error.kind()),
                ("could not create the toolchain: no mirror", ErrorKind::Unavailable)
            );
        }
    }
}
