//! Python programs of ours that run beside sources: words for an interpreter.

use crate::packaging::venv;

/// The words that run a program with the interpreter of the venv image, before the program's own. The current directory
/// holds sources, and those are no modules of the program, whatever they are called.
pub fn argv(text: &str) -> Vec<String> {
    let text = format!("import sys; del sys.path[0]\n{text}");
    [venv::PYTHON, "-s", "-B", "-c", &text].map(str::to_owned).to_vec()
}
