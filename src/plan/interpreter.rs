//! A pinned interpreter and the system tree under it, as the images that a step gets.

use std::collections::BTreeMap;

use crate::action::{Action, ActionGraph, CachePolicy, Derive, Source, Step};
use crate::base::{Digest, RelPath};
use crate::plan::environment;

const COMPILE: &str = include_str!("compile_sources.py");

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Inside the sandbox: `/usr/bin/python3.11`.
    pub python: String,
    /// `3.11`.
    pub minor: String,
    /// By mount point.
    pub images: BTreeMap<String, Source>,
}

impl Interpreter {
    /// The interpreter with its standard library compiled: otherwise every process would compile it anew.
    pub fn compiled(self, graph: &mut ActionGraph, empty: Digest) -> Interpreter {
        let Some((at, library)) = self.library() else { return self };
        let lies_at = format!("{at}/{library}");
        let compiled = graph.add(Step::Run(Box::new(self.compile_action(
            format!("compile the standard library of Python {}", self.minor),
            Source::Tree(empty),
            &lies_at,
            &lies_at,
        ))));
        let mut images = self.images.clone();
        let image = graph.add(Step::Derive(Derive {
            label: format!("image of Python {}", self.minor),
            recipe: "overlay-1",
            parameters: vec![String::new(), library.as_str().to_owned()],
            parts: vec![self.images[&at], Source::Output(compiled)],
        }));
        images.insert(at, Source::Output(image));
        Interpreter { images, ..self }
    }

    /// Compiles the modules below `source` as if they lay in `lies_at`; both are directories inside the sandbox.
    pub fn compile_action(&self, label: String, input_root: Source, source: &str, lies_at: &str) -> Action {
        let argv = [&self.python, "-I", "-S", "-B", "-c", COMPILE, source, lies_at];
        self.action(label, argv.map(str::to_owned).to_vec(), input_root)
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
            cache: CachePolicy { read: true, exit_codes: vec![0] },
            slot_variable: None,
            interactive: false,
        }
    }

    /// The image that holds the standard library, and where in it.
    fn library(&self) -> Option<(String, RelPath)> {
        let prefix = self.python.strip_suffix(&format!("/bin/python{}", self.minor))?;
        let at =
            self.images.keys().filter(|at| prefix == at.as_str() || prefix.starts_with(&format!("{at}/"))).max()?;
        let inside = prefix[at.len()..].trim_start_matches('/');
        let library = RelPath::parse(inside).ok()?.push(&format!("lib/python{}", self.minor)).ok()?;
        Some((at.clone(), library))
    }
}
