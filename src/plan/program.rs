//! Command lines for the Python programs of Waders that run in the same sandbox as first-party sources.

use crate::packaging::venv;

/// Runs a program with the interpreter of the venv image; the program's own arguments follow. The current directory is
/// removed from the import path, because it contains first-party sources, which could shadow modules that the program
/// imports.
pub fn argv(text: &str) -> Vec<String> {
    let text = format!("import sys; del sys.path[0]\n{text}");
    [venv::PYTHON, "-s", "-B", "-c", &text].map(str::to_owned).to_vec()
}
