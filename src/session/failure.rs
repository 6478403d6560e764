//! What came of a step's process, and why it was not run where it was not: told in lines, and which kind of trouble it
//! was. What ran and failed is not here.

use crate::action::{Origin, Outcome, StepId};
use crate::engine::executor::Results;
use crate::engine::{self, StepResult};
use crate::session::Kind;
use crate::session::error::{step_hint, step_kind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error, its causes and a hint, a line each.
    pub message: String,
    pub kind: Kind,
}

impl Failure {
    /// It could not be prepared.
    pub fn of_preparation(error: &dyn std::error::Error, hint: Option<String>, kind: Kind) -> Failure {
        Failure { message: lines(error, hint), kind }
    }

    /// Its step, or one that it needs, could not be carried out. What is told is the step that began it, so that those
    /// that share a reason share the words.
    pub fn of_step(error: &engine::Error) -> Failure {
        let message = match error.root() {
            // Which of the steps it was says nothing: this machine runs none.
            engine::Error::Sandbox { source, .. } if source.hint().is_some() => lines(source, step_hint(error)),
            root => lines(root, step_hint(error)),
        };
        Failure { message, kind: step_kind(error) }
    }

    pub fn of_nothing(message: &str) -> Failure {
        Failure { message: message.to_owned(), kind: Kind::Mistake }
    }
}

/// What the process of a step came to, or why there was none. A step that could not be prepared says so.
pub fn ran<'r>(
    step: &Result<StepId, Failure>,
    outcomes: &'r Results,
) -> Result<(&'r StepResult, Origin, &'r Outcome), Failure> {
    let step = step.as_ref().map_err(Failure::clone)?;
    match outcomes.get(step) {
        Some(Ok(done)) => match &done.outcome {
            Some((origin, outcome)) => Ok((done, *origin, outcome)),
            None => Err(Failure::of_nothing("nothing ran")),
        },
        Some(Err(error)) => Err(Failure::of_step(error)),
        None => Err(Failure::of_nothing("it was not started")),
    }
}

/// The kind of all of them, if there is one.
pub fn common_kind<'f>(failures: impl IntoIterator<Item = &'f Failure>) -> Option<Kind> {
    let mut kinds = failures.into_iter().map(|failure| failure.kind);
    let first = kinds.next()?;
    kinds.all(|kind| kind == first).then_some(first)
}

fn lines(error: &dyn std::error::Error, hint: Option<String>) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some say their cause themselves.
        if !text.ends_with(&cause_text) {
            text.push_str(&format!("\n  caused by: {cause_text}"));
        }
        source = cause.source();
    }
    if let Some(hint) = hint {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    fn full() -> store::Error {
        store::Error::Full { path: "/store".into(), source: std::io::ErrorKind::StorageFull.into() }
    }

    #[test]
    fn a_failure_is_told_from_its_beginning_with_causes_and_hint() {
        let begun = std::sync::Arc::new(engine::Error::Store(full()));
        let failure = Failure::of_step(&engine::Error::Needs { label: "venv".to_owned(), cause: begun });
        let lines: Vec<&str> = failure.message.lines().collect();
        assert_eq!(lines[..2], ["no space left in `/store`", "  caused by: no storage space"]);
        assert!(lines[2].starts_with("hint: free some space"), "{lines:?}");
        assert_eq!(failure.kind, Kind::Store);
    }

    #[test]
    fn only_what_all_have_in_common_is_a_common_kind() {
        let store = Failure::of_preparation(&full(), None, Kind::Store);
        let mistake = Failure::of_nothing("it was not started");
        assert_eq!(common_kind([&store, &store]), Some(Kind::Store));
        assert_eq!(common_kind([&store, &mistake]), None);
        assert_eq!(common_kind([]), None);
    }
}
