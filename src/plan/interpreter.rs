//! A pinned interpreter and its system tree, as the images of a step. How interpreters are chosen and downloaded is in
//! `toolchain`.

use std::collections::BTreeMap;

use crate::action::{Action, ActionGraph, Command, Derive, Policy, Source, Step};
use crate::base::{Digest, RelPath, sandbox_paths};
use crate::packaging::venv;
use crate::plan::environment;

/// The images of a toolchain's trees, by mount point.
pub fn images(mounts: &BTreeMap<String, Digest>) -> BTreeMap<String, Source> {
    mounts.iter().map(|(at, tree)| (at.clone(), Source::Tree(*tree))).collect()
}

/// A Python interpreter and everything that it needs to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The path inside the sandbox, such as `/usr/bin/python3.11`.
    pub python: String,
    /// The full version, such as `3.11.2`.
    pub version: String,
    /// Major and minor version, such as `3.11`.
    pub minor: String,
    /// The interpreter and the system tree, by mount point.
    pub images: BTreeMap<String, Source>,
}

impl Interpreter {
    /// The interpreter with bytecode of its standard library, which every process would otherwise compile again. Adds the
    /// steps that compile it to `graph`. `empty` is the empty tree.
    pub fn with_compiled_library(self, graph: &mut ActionGraph, empty: Digest) -> Interpreter {
        let Some((at, library)) = self.find_library() else { return self };
        let source = format!("{at}/{library}");
        let label = format!("compile the standard library of Python {}", self.version);
        let argv = venv::compile_argv(&self.python, &source, sandbox_paths::OUT, &source);
        let compiled = graph.add(Step::Run(Box::new(self.action(label, argv, Source::Tree(empty)))));
        let image = graph.add(Step::Derive(Derive {
            label: format!("image of Python {}", self.version),
            recipe: "overlay-1",
            parameters: vec![String::new(), library.as_str().to_owned()],
            parts: vec![self.images[&at], Source::Output(compiled)],
        }));
        let mut images = self.images.clone();
        images.insert(at, Source::Output(image));
        Interpreter { images, ..self }
    }

    /// A process of this interpreter with the default policy.
    pub fn action(&self, label: String, argv: Vec<String>, input_root: Source) -> Action {
        let command = Command::new(argv, environment::base(), input_root, self.images.clone());
        Action { command, policy: Policy::new(label) }
    }

    /// The mount point and the image that contain the interpreter.
    pub fn mount(&self) -> Option<(String, Source)> {
        let (at, _) = self.find_library()?;
        let image = self.images.get(&at).copied()?;
        Some((at, image))
    }

    /// The mount point that contains the standard library, and the path of the library below it.
    fn find_library(&self) -> Option<(String, RelPath)> {
        let prefix = self.python.strip_suffix(&format!("/bin/python{}", self.minor))?;
        let contains = |at: &&String| prefix == at.as_str() || prefix.starts_with(&format!("{at}/"));
        let at = self.images.keys().filter(contains).max()?;
        let library = RelPath::parse(prefix[at.len()..].trim_start_matches('/')).ok()?;
        Some((at.clone(), library.push(&format!("lib/python{}", self.minor)).ok()?))
    }
}
