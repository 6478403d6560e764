//! The actions that build documentation. What the programs may import, and the files that they read, are planned in
//! `prepare::package::documentation`.

use crate::action::{Action, Measurement, Source};
use crate::base::{RelPath, sandbox_paths};
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;

/// Where Sphinx keeps what it parsed: not in its output, since it contains times.
const DOCTREES: &str = "/tmp/doctrees";

/// The program that builds documentation, with what only it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generator {
    /// MkDocs with its settings file.
    Mkdocs {
        /// Relative to the build root.
        config: RelPath,
    },
    /// Sphinx.
    Sphinx {
        /// The name of the builder, such as `html`.
        builder: String,
        /// The directory with conf.py, relative to the build root.
        config: RelPath,
    },
}

/// Documentation that is built.
#[derive(Clone, Debug)]
pub struct Documentation {
    /// The address of the target.
    pub label: String,
    /// The program.
    pub generator: Generator,
    /// The directory of the target, relative to the build root.
    pub dir: RelPath,
    /// The files that the program reads and imports.
    pub sources: Source,
    /// Whether warnings make the build fail.
    pub warnings_as_errors: bool,
    /// Further arguments.
    pub args: Vec<String>,
    /// The directory below the output root.
    pub output: RelPath,
}

/// The action that builds documentation. `packages` is an image with the program and the requirements.
pub fn action(interpreter: &Interpreter, packages: Source, documentation: Documentation) -> Action {
    let output = sandbox_paths::in_out(documentation.output.as_str());
    let strict = documentation.warnings_as_errors;
    let in_src = |path: &RelPath| sandbox_paths::in_src(path.as_str());
    let mut words: Vec<String> = match &documentation.generator {
        Generator::Mkdocs { config } => {
            let words = ["mkdocs", "build", "--config-file", &in_src(config), "--site-dir", &output];
            words.into_iter().chain(strict.then_some("--strict")).map(str::to_owned).collect()
        }
        Generator::Sphinx { builder, config } => {
            let words = ["sphinx", "-q", "-b", builder, "-d", DOCTREES, "-c", &in_src(config)];
            let strict: &[&str] = if strict { &["-W", "--keep-going"] } else { &[] };
            words.iter().chain(strict).map(|word| (*word).to_owned()).collect()
        }
    };
    words.extend(documentation.args);
    if let Generator::Sphinx { .. } = documentation.generator {
        words.extend([in_src(&documentation.dir), output]);
    }
    let argv = [venv::PYTHON, "-s", "-B", "-m"].map(str::to_owned).into_iter().chain(words).collect();
    let mut action = interpreter.action(format!("build {}", documentation.label), argv, documentation.sources);
    action.command.images.insert(venv::ROOT.to_owned(), packages);
    action.command.cwd = documentation.dir;
    // The theme Material writes about its own future otherwise.
    action.command.env.insert("NO_MKDOCS_2_WARNING".to_owned(), "1".to_owned());
    // MkDocs says how long it took.
    action.policy.measurements = vec![Measurement::log()];
    action.policy.remote = true;
    action
}
