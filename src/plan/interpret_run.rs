//! BUILD files that only Python can evaluate to one run of it.

use std::time::Duration;

use crate::action::{Action, Source};
use crate::plan::interpreter::Interpreter;

/// In the tree of the question.
pub const PROGRAM: &str = "interpret.py";
pub const QUESTION: &str = "question.json";
/// Below the output root.
pub const ANSWER: &str = "answer.json";

const AT: &str = "/question";

/// `sources` holds the files that are asked about, where they lie in the repository.
pub fn action(interpreter: &Interpreter, sources: Source, question: Source) -> Action {
    let program = [format!("{AT}/{PROGRAM}"), format!("{AT}/{QUESTION}"), format!("/out/{ANSWER}")];
    let mut argv = vec![interpreter.python.clone(), "-s".to_owned(), "-B".to_owned()];
    argv.extend(program);
    let mut action = interpreter.action("evaluate BUILD files".to_owned(), argv, sources);
    action.images.insert(AT.to_owned(), question);
    // A file that does not end must not keep everybody.
    action.timeout = Some(Duration::from_secs(60));
    action
}
