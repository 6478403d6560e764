//! The action that evaluates BUILD files with real Python.

use std::time::Duration;

use crate::action::{Action, Source};
use crate::base::sandbox_paths;
use crate::plan::interpreter::Interpreter;

/// The program and its question, below the root of their tree.
pub const PROGRAM: &str = "interpret.py";
pub const QUESTION: &str = "question.json";
/// The answer, below the output root.
pub const ANSWER: &str = "answer.json";

const AT: &str = "/question";

/// `sources` holds the BUILD files, at their paths in the repository.
pub fn action(interpreter: &Interpreter, sources: Source, question: Source) -> Action {
    let program = [format!("{AT}/{PROGRAM}"), format!("{AT}/{QUESTION}"), sandbox_paths::in_out(ANSWER)];
    let mut argv = vec![interpreter.python.clone(), "-s".to_owned(), "-B".to_owned()];
    argv.extend(program);
    let mut action = interpreter.action("evaluate BUILD files".to_owned(), argv, sources);
    action.command.images.insert(AT.to_owned(), question);
    // A BUILD file with an endless loop must not block the run.
    action.policy.timeout = Some(Duration::from_secs(60));
    action
}
