//! A pinned interpreter and the system tree under it, as the images that a step gets.

use std::collections::BTreeMap;

use crate::action::{Action, ActionGraph, CachePolicy, Derive, Source, Step};
use crate::base::{Digest, RelPath};
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
    /// The interpreter with its standard library compiled: otherwise every process would compile it anew.
    pub fn compiled(self, graph: &mut ActionGraph, empty: Digest) -> Interpreter {
        let Some((at, library)) = self.library() else { return self };
        let source = format!("{at}/{library}");
        let label = format!("compile the standard library of Python {}", self.version);
        let argv = venv::compile_argv(&self.python, &source, "/out", &source);
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

    /// A step of ours: no reports, no retries, kept when it succeeds.
    pub fn action(&self, label: String, argv: Vec<String>, input_root: Source) -> Action {
        Action {
            label,
            argv,
            env: environment::base(),
            cwd: RelPath::root(),
            input_root,
            images: self.images.clone(),
            outputs_at: BTreeMap::new(),
            network: false,
            timeout: None,
            attempts: 1,
            cache: CachePolicy { read: true, keep: true, good_codes: vec![0] },
            slot_variable: None,
            share: None,
            interactive: false,
            warm: None,
            each: None,
        }
    }

    /// The mount that holds the standard library, and where in it.
    fn library(&self) -> Option<(String, RelPath)> {
        let prefix = self.python.strip_suffix(&format!("/bin/python{}", self.minor))?;
        let holds = |at: &&String| prefix == at.as_str() || prefix.starts_with(&format!("{at}/"));
        let at = self.images.keys().filter(holds).max()?;
        let library = RelPath::parse(prefix[at.len()..].trim_start_matches('/')).ok()?;
        Some((at.clone(), library.push(&format!("lib/python{}", self.minor)).ok()?))
    }
}
