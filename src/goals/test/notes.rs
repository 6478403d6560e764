//! Notes below the output of failed tests: the sandbox has only what is declared, so a file, program, library or network that
//! a test misses is named together with the line that declares it. A note is added only if the output shows the pattern.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::{RelPath, sandbox_paths};
use crate::config::typed::PythonSettings;
use crate::goals::Error;
use crate::inference::{SourceRoots, third_party};
use crate::prepare::test::PlannedTest;
use crate::report::missing::{self, Missing};
use crate::report::{Status, TestResult};
use crate::session::Session;
use crate::session::toolchains::{self, SystemPart};
use crate::store::Store;
use crate::targets::{Address, Target, TargetGraph, kind};

/// The number of notes for one test. One undeclared directory can cause many errors.
const MAX_NOTES: usize = 5;

/// Adds notes to the results of failed tests. `tests` and `results` have the same order.
pub(super) fn add(session: &mut Session, tests: &[PlannedTest], results: &mut [TestResult]) -> Result<(), Error> {
    for (test, result) in tests.iter().zip(results) {
        let missing = match result.has_failed() && !result.was_not_run() {
            true => missing::find(&[result.stdout.as_str(), &result.stderr].join("\n")),
            false => continue,
        };
        if result.status == Status::NoReport {
            let advice = "a test or a plugin ended pytest, for example with `os._exit`: the tests after it did not run";
            result.notes.push(advice.to_owned());
        }
        if missing.is_empty() {
            continue;
        }
        let graph = session.load_graph()?;
        let Some(target) = find_target(&graph, &result.addresses[0]) else { continue };
        let adviser = Adviser {
            graph: &graph,
            roots: session.find_source_roots()?,
            store: session.services.open_store()?,
            test,
            target,
            is_by_project: PythonSettings::parse(session.config()).packages_by_project,
        };
        let notes: BTreeSet<String> = missing.iter().filter_map(|missing| adviser.note(missing)).collect();
        result.notes.extend(notes.into_iter().take(MAX_NOTES));
        let parts: Vec<SystemPart> = missing.iter().filter_map(|missing| adviser.system_part(missing)).collect();
        result.notes.extend(toolchains::system_packages_advice(session.config(), &parts));
    }
    Ok(())
}

fn find_target<'g>(graph: &'g TargetGraph, address: &str) -> Option<&'g Target> {
    graph.targets().find(|target| target.address.to_string() == address)
}

struct Adviser<'a> {
    graph: &'a TargetGraph,
    roots: Arc<SourceRoots>,
    store: Arc<Store>,
    test: &'a PlannedTest,
    /// The target of the test, or the first of a batch.
    target: &'a Target,
    /// Whether a test sees only the packages of its project.
    is_by_project: bool,
}

impl Adviser<'_> {
    /// A note on something that the repository can declare.
    fn note(&self, missing: &Missing) -> Option<String> {
        match missing {
            Missing::Path(path) => self.file_note(&self.find_path(path)?),
            Missing::Module(module) => match self.find_module(module) {
                Some(file) => self.project_note(&file).or_else(|| self.file_note(&file)),
                None => self.declaration_note(module),
            },
            Missing::Network => self.network_note(),
            Missing::Program(_) | Missing::Library(_) => None,
        }
    }

    /// The part of the system tree that is missing. A path without a directory can also be a file; it is a program if its
    /// Debian package is known.
    fn system_part<'m>(&self, missing: &'m Missing) -> Option<SystemPart<'m>> {
        match missing {
            Missing::Program(program) => Some(SystemPart::Program(program)),
            Missing::Library(library) => Some(SystemPart::Library(library)),
            Missing::Path(path) if self.find_path(path).is_none() => {
                let program = path.rsplit('/').next().filter(|_| !path.contains('/') || path.contains("/bin/"))?;
                toolchains::knows_program(program).then_some(SystemPart::Program(program))
            }
            _ => None,
        }
    }

    /// The file or directory of the repository that a process named.
    fn find_path(&self, path: &str) -> Option<RelPath> {
        let below_src = path.strip_prefix(sandbox_paths::SRC).filter(|rest| rest.starts_with('/'));
        let relative = below_src.or((!path.starts_with('/')).then_some(path))?;
        let found = RelPath::root().resolve(relative).ok().filter(|path| !path.is_root())?;
        (self.graph.files().contains(&found) || self.graph.files().is_dir(&found)).then_some(found)
    }

    /// The file of the repository that defines a module.
    fn find_module(&self, module: &str) -> Option<RelPath> {
        let path = module.replace('.', "/");
        let roots = self.roots.roots(self.graph.files().iter());
        let candidates = roots.iter().flat_map(|root| {
            [format!("{path}.py"), format!("{path}/__init__.py")].into_iter().filter_map(|file| root.push(&file).ok())
        });
        candidates.into_iter().find(|file| self.graph.files().contains(file))
    }

    /// A module of a package that only other projects declare; `None` if tests see the packages of all projects.
    fn declaration_note(&self, module: &str) -> Option<String> {
        if !self.is_by_project {
            return None;
        }
        let top_level = module.split('.').next().unwrap_or(module);
        let is_module = |found: &String| found == module || found == top_level;
        let provides = |target: &&Target| {
            let requirements = target.strings("requirements");
            target.kind == kind::PYTHON_REQUIREMENT
                && requirements.iter().any(|text| third_party::modules_of(text).1.iter().any(is_module))
        };
        let own = self.target.sources.first()?.ancestors().find_map(|dir| self.project_file(&dir))?;
        let others = self.graph.targets().filter(provides).filter_map(|target| self.project_file(&target.address.dir));
        let others: BTreeSet<RelPath> = others.filter(|file| *file != own).collect();
        let others: Vec<String> = others.iter().map(|file| format!("`{file}`")).collect();
        (!others.is_empty()).then(|| {
            let others = others.join(", ");
            format!("`{top_level}` is declared by {others}, but not by the project of this test: add it to the dependencies in `{own}`")
        })
    }

    /// A module of a project that the project of the test does not require.
    fn project_note(&self, file: &RelPath) -> Option<String> {
        let nearest = |file: &RelPath| file.ancestors().find_map(|dir| self.project_file(&dir));
        let (own, other) = (nearest(self.target.sources.first()?)?, nearest(file)?);
        let is_hidden =
            self.is_by_project && own != other && self.store.lookup(self.test.sources?, file).ok()?.is_none();
        is_hidden.then(|| {
            format!("`{file}` belongs to the project in `{other}`, which the project of this test does not require: add it to the dependencies in `{own}`")
        })
    }

    fn project_file(&self, dir: &RelPath) -> Option<RelPath> {
        dir.push("pyproject.toml").ok().filter(|file| self.graph.files().contains(file))
    }

    /// A file or directory that exists in the repository; `None` if it is an input of the test.
    fn file_note(&self, path: &RelPath) -> Option<String> {
        let inputs = self.test.sources?;
        if self.store.lookup(inputs, path).ok()?.is_some() {
            return None;
        }
        let test = self.target.generator.as_ref().unwrap_or(&self.target.address);
        let place = format!("`dependencies` of `{test}` in `{}`", self.target.build_file);
        let is_file = self.graph.files().contains(path);
        let owner = match is_file {
            true => self.graph.owners(path).first(),
            false => self.graph.files().below(path).iter().find_map(|file| self.graph.owners(file).first()),
        };
        Some(match owner {
            Some(owner) => {
                let owner = if is_file { owner } else { self.generator(owner) };
                format!("`{path}` exists but is not an input of this test: add `\"{owner}\"` to {place}")
            }
            None => {
                let dir = path.parent().unwrap_or_default();
                let (name, pattern) = (path.file_name()?, if is_file { "" } else { "/**" });
                let build_file = dir.push("BUILD").ok()?;
                let address = Address::new(&dir, "files");
                format!(
                    "`{path}` exists but no target owns it: add `files(name=\"files\", sources=[\"{name}{pattern}\"])` to \
                     `{build_file}` and `\"{address}\"` to {place}"
                )
            }
        })
    }

    fn generator<'t>(&'t self, address: &'t Address) -> &'t Address {
        self.graph.get(address).and_then(|target| target.generator.as_ref()).unwrap_or(address)
    }

    fn network_note(&self) -> Option<String> {
        let tags = self.target.strings("tags");
        (!tags.contains(&"requires-network")).then(|| {
            "tests have no network: add the tag `requires-network` to the target, and set `allow_network = true` in the section \
             `[sandbox]` of `waders.toml`"
                .to_owned()
        })
    }
}
