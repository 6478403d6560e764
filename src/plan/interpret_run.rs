//! The action that evaluates BUILD files with a Python interpreter. The program that it runs is in `build_file`.

use std::time::Duration;

use crate::action::{Action, Source};
use crate::base::sandbox_paths;
use crate::plan::interpreter::Interpreter;

/// The program that evaluates BUILD files, below the root of its tree.
pub const PROGRAM: &str = "interpret.py";
/// The input of the program in JSON, in the same tree.
pub const QUESTION: &str = "question.json";
/// The output of the program, below the output root.
pub const ANSWER: &str = "answer.json";

/// The mount point of the program and its input.
const AT: &str = "/question";

/// The action that evaluates BUILD files. `sources` contains them at their paths in the repository; `question` is the tree
/// of [`PROGRAM`] and [`QUESTION`].
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
