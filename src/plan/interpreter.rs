//! A pinned interpreter and its system tree, as the images of a step.

use std::collections::BTreeMap;

use crate::action::{Action, ActionGraph, Command, Derive, Policy, Source, Step};
use crate::base::{Digest, RelPath, sandbox_paths};
use crate::packaging::venv;
use crate::plan::environment;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Inside the sandbox: `/usr/bin/python3.11`.
    pub python: String,
    /// `3.11.2`.
    pub version: String,
    /// `3.11`.
    pub minor: String,
    /// By mount point.
    pub images: BTreeMap<String, Source>,
}

impl Interpreter {
    /// The interpreter with its standard library compiled: otherwise every process would compile it again.
    pub fn compiled(self, graph: &mut ActionGraph, empty: Digest) -> Interpreter {
        let Some((at, library)) = self.library() else { return self };
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

    /// The mount that contains the standard library, and the path of the library in it.
    fn library(&self) -> Option<(String, RelPath)> {
        let prefix = self.python.strip_suffix(&format!("/bin/python{}", self.minor))?;
        let holds = |at: &&String| prefix == at.as_str() || prefix.starts_with(&format!("{at}/"));
        let at = self.images.keys().filter(holds).max()?;
        let library = RelPath::parse(prefix[at.len()..].trim_start_matches('/')).ok()?;
        Some((at.clone(), library.push(&format!("lib/python{}", self.minor)).ok()?))
    }
}
