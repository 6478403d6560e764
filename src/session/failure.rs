//! Why a step did not run: a message and an error kind. Steps that ran and failed are outcomes, not failures.

use crate::action::{Exit, Origin, Outcome, StepId};
use crate::base::ErrorKind;
use crate::engine::executor::Results;
use crate::engine::{self, StepResult};
use crate::packaging::build_failure;
use crate::plan::venv;

/// Why a step did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error, its causes and a hint, one on each line.
    pub message: String,
    /// The kind of the error.
    pub kind: ErrorKind,
}

impl Failure {
    /// The step could not be prepared.
    pub fn from_preparation(error: &dyn std::error::Error, hint: Option<String>, kind: ErrorKind) -> Failure {
        Failure { message: lines(error, hint), kind }
    }

    /// The step, or one that it needs, could not be carried out. The message is about the error at the root, so that steps
    /// with the same reason have the same message.
    pub fn from_step(error: &engine::Error) -> Failure {
        let message = match error.root() {
            // The name of the step is irrelevant: this machine can run none.
            engine::Error::Sandbox { source, .. } if source.hint().is_some() => lines(source, error.hint()),
            root => lines(root, error.hint().or_else(|| build_hint(root))),
        };
        Failure { message, kind: error.kind() }
    }

    /// The step was not started.
    pub fn not_started(message: &str) -> Failure {
        Failure { message: message.to_owned(), kind: ErrorKind::Mistake }
    }
}

/// What to do about a failed build of a source distribution.
fn build_hint(error: &engine::Error) -> Option<String> {
    let engine::Error::NeedFailed { label, stderr, .. } = error else { return None };
    build_failure::hint(label.strip_prefix(venv::BUILD_LABEL)?, stderr)
}

/// The result of a step that ran, or why it did not run.
pub fn ran<'r>(
    step: &Result<StepId, Failure>,
    outcomes: &'r Results,
) -> Result<(&'r StepResult, Origin, &'r Outcome), Failure> {
    let step = step.as_ref().map_err(Failure::clone)?;
    match outcomes.get(step) {
        Some(Ok(done)) => match &done.outcome {
            Some((origin, outcome)) => Ok((done, *origin, outcome)),
            None => Err(Failure::not_started("nothing ran")),
        },
        Some(Err(error)) => Err(Failure::from_step(error)),
        None => Err(Failure::not_started("it was not started")),
    }
}

/// Whether a step did not start or was interrupted. If the user did not interrupt the run, the failure of another step did.
pub fn was_stopped(step: &Result<StepId, Failure>, outcomes: &Results) -> bool {
    match step.as_ref().ok().and_then(|step| outcomes.get(step)) {
        Some(Ok(done)) => done.outcome.as_ref().is_some_and(|(_, outcome)| outcome.exit == Exit::Interrupted),
        Some(Err(error)) => matches!(error.root(), engine::Error::Interrupted),
        None => step.is_ok(),
    }
}

/// The kind that all failures have in common, if there is one.
pub fn common_kind<'f>(failures: impl IntoIterator<Item = &'f Failure>) -> Option<ErrorKind> {
    let mut kinds = failures.into_iter().map(|failure| failure.kind);
    let first = kinds.next()?;
    kinds.all(|kind| kind == first).then_some(first)
}

fn lines(error: &dyn std::error::Error, hint: Option<String>) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors include their cause.
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
    fn a_failure_has_the_message_of_its_root_with_causes_and_hint() {
        let root = std::sync::Arc::new(engine::Error::Store(full()));
        let failure = Failure::from_step(&engine::Error::Needs { label: "venv".to_owned(), cause: root });
        let lines: Vec<&str> = failure.message.lines().collect();
        assert_eq!(lines[..2], ["no space left in `/store`", "  caused by: no storage space"]);
        assert!(lines[2].starts_with("hint: free some space"), "{lines:?}");
        assert_eq!(failure.kind, ErrorKind::Store);
    }

    #[test]
    fn the_failed_build_of_a_source_distribution_has_a_hint() {
        let failed = |label: &str| engine::Error::NeedFailed {
            label: label.to_owned(),
            exit: crate::action::Exit::Code(1),
            stderr: "error: command 'gcc' failed: No such file or directory".to_owned(),
        };
        let hint =
            "hint: add `a-b = [\"gcc\", \"libc6-dev\"]` to the section `[system.build_packages]` of `waders.toml`";
        let failure = Failure::from_step(&failed("build a_b-1.0.tar.gz"));
        assert_eq!(failure.message.lines().last(), Some(hint));
        assert!(!Failure::from_step(&failed("compile a_b-1.0.tar.gz")).message.contains("hint"));
    }

    #[test]
    fn a_kind_is_common_only_if_all_failures_have_it() {
        let store = Failure::from_preparation(&full(), None, ErrorKind::Store);
        let not_started = Failure::not_started("it was not started");
        assert_eq!(common_kind([&store, &store]), Some(ErrorKind::Store));
        assert_eq!(common_kind([&store, &not_started]), None);
        assert_eq!(common_kind([]), None);
    }
}
