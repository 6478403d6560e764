//! Everything that checkers need for their work, as one graph of actions: a process for what is of one resolve and for the
//! same interpreters. A check that cannot be prepared is told with its reason and does not stop the others.

pub mod mypy;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::{ActionGraph, Source, Step, StepId};
use crate::base::{Digest, RelPath};
use crate::inference;
use crate::inference::closure::{Closure, Closures, Follow};
use crate::plan::check_run::{self, CheckRun};
use crate::plan::config_files::{ConfigFiles, named};
use crate::plan::{requirements, tool_run};
use crate::prepare::calls::prepare::{Prepared, PreparedBatch, PreparedCall};
use crate::prepare::calls::work::Like;
use crate::prepare::calls::{Enabled, Work};
use crate::prepare::interpreters::Pythons;
use crate::session::sources::Sources;
use crate::session::{Error, Session};
use crate::store::{Node, Tree};
use crate::targets::Address;
use crate::tools::Runner;

pub fn prepare(session: &mut Session, works: &[(Enabled, Work)], force: bool) -> Result<Prepared, Error> {
    let graph = session.load_graph()?;
    let files = works.iter().flat_map(|(_, work)| work.parts.values());
    let selected: BTreeSet<Address> = files.flat_map(BTreeMap::values).flatten().cloned().collect();
    let mut asked = selected.clone();
    for (checker, _) in works.iter().filter(|(checker, _)| checker.call.runner == Some(Runner::Mypy)) {
        // One that does not exist is told with the check that wants it.
        asked.extend(mypy::source_plugins(session, &checker.tool.scope).unwrap_or_default());
    }
    let dependencies = session.infer_for(&asked)?;
    let settings = inference::InferenceSettings::from_config(session.config())?;
    let roots = session.find_source_roots()?;
    let closures = Closures::new(&graph, &dependencies, &settings, &roots);
    session.report_inference(
        &dependencies,
        &selected.iter().cloned().chain(dependencies.transitive(&selected)).collect(),
    )?;

    let empty = session.services.open_store()?.name_tree(&Tree::default())?;
    let mut preparation = Preparation {
        sources: session.services.open_sources()?,
        pythons: Pythons::new(session, empty),
        graph: ActionGraph::default(),
        closures: &closures,
        force,
        definitions: BTreeSet::new(),
    };
    let mut calls = Vec::new();
    for (checker, work) in works {
        let mut batches = Vec::new();
        for (like, targets) in &work.parts {
            let files = files_to_check(targets.keys());
            let targets = targets.values().flatten().collect();
            let step = preparation.check(session, checker, like, &targets, &files);
            let partition = (work.parts.len() > 1).then(|| like.in_words());
            batches.push(PreparedBatch { files, partition, timeout: None, step });
        }
        calls.push(PreparedCall { enabled: checker.clone(), batches });
    }
    preparation.sources.save()?;
    if !preparation.definitions.is_empty() {
        let error = Error::NeedsGenerated(preparation.definitions.iter().map(ToString::to_string).collect());
        session.ui.warn(&format!("what imports generated code is checked without it: {error}"));
    }
    Ok(Prepared { graph: preparation.graph, calls })
}

pub(super) struct Preparation<'c> {
    pub sources: Arc<Sources>,
    pub pythons: Pythons,
    pub graph: ActionGraph,
    pub closures: &'c Closures<'c>,
    force: bool,
    /// What code would be generated from, for all checks.
    definitions: BTreeSet<Address>,
}

impl Preparation<'_> {
    fn check(
        &mut self,
        session: &mut Session,
        checker: &Enabled,
        like: &Like,
        targets: &BTreeSet<&Address>,
        files: &[RelPath],
    ) -> Result<StepId, Error> {
        let (tool, constraints) = (&checker.tool, &like.constraints);
        let graph = session.load_graph()?;
        let closures = self.closures;
        let closure = closures.compute(targets.iter().copied(), Follow::All);
        self.definitions.extend(closure.definitions.iter().map(|address| (*address).clone()));
        let wanted = requirements::wanted(&graph, closure.requirements.iter().copied(), session.config())?;
        let settings = ConfigFiles::new(session.build_root(), graph.files(), session.context.tracker.clone()).of(
            tool,
            session.config(),
            [],
        );
        let (mypy, plugins) = match checker.call.runner {
            Some(Runner::Mypy) => self.mypy(session, checker, constraints, &settings, files)?,
            _ => (mypy::none(), mypy::Plugins::default()),
        };
        let beside = mypy::extra_stubs(session, &mut self.pythons, &mut self.graph, tool, constraints)?;
        let mut images = self.pythons.images(session, &mut self.graph, constraints, tool, plugins.wanted)?;
        let image = self.pythons.requirements(session, &mut self.graph, constraints, wanted, beside)?;
        images.insert(check_run::REQUIREMENTS.to_owned(), image);
        let sources = Source::Tree(self.tree(session, checker, &closure, &plugins.files, &settings, files)?);
        let config = session.config();
        let run = CheckRun {
            label: format!("{} ({})", checker.call.name, like.in_words()),
            call: &checker.call,
            sources,
            files: files.to_vec(),
            source_roots: closure.source_roots.iter().map(|root| (*root).clone()).collect(),
            images,
            config: named(tool, config)
                .iter()
                .flat_map(|file| tool.config_args.iter().map(move |word| word.replace("{}", file.as_str())))
                .collect(),
            args: config.list(&tool.scope, "args").into_iter().map(str::to_owned).collect(),
            has_reports: has_reports(session, checker, &closure, &settings),
            force: self.force,
            mypy,
        };
        Ok(self.graph.add(Step::Run(Box::new(check_run::action(&run)))))
    }

    fn tree(
        &mut self,
        session: &mut Session,
        checker: &Enabled,
        closure: &Closure<'_>,
        plugins: &[RelPath],
        settings: &BTreeSet<RelPath>,
        files: &[RelPath],
    ) -> Result<Digest, Error> {
        let sources = closure.files.iter().copied().filter(|file| is_python(file));
        let mut all: BTreeSet<&RelPath> = sources.chain(plugins).chain(settings).collect();
        let store = session.services.open_store()?;
        let make = |name: &str, text: String| -> Result<(RelPath, Node), Error> {
            let node = Node::File { digest: store.put(text.as_bytes())?, executable: false };
            Ok((RelPath::parse(name)?, node))
        };
        let made = match checker.call.runner {
            Some(Runner::Mypy) => Some(make(check_run::FILES, files.iter().map(|file| format!("{file}\n")).collect())?),
            Some(Runner::Pyright) => {
                all.retain(|file| file.as_str() != check_run::PYRIGHT_SETTINGS);
                Some(make(check_run::PYRIGHT_SETTINGS, pyright_settings(session, settings, closure)?)?)
            }
            None => None,
        };
        let mut nodes = Vec::new();
        for (file, node) in self.sources.nodes(all)? {
            nodes.push((file.clone(), node?));
        }
        Ok(store.name_tree(&Tree { nodes: nodes.into_iter().chain(made).collect() })?)
    }
}

/// Only where they are asked for, since a directory that is there without need is a module to some.
fn has_reports(session: &Session, checker: &Enabled, closure: &Closure<'_>, settings: &BTreeSet<RelPath>) -> bool {
    let args = session.config().list(&checker.tool.scope, "args");
    let asked_in = |file: &RelPath| {
        let bytes = session.context.tracker.read(&file.to_path(session.build_root())).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(tool_run::REPORTS)
    };
    (args.iter().any(|word| word.contains(tool_run::REPORTS)) || settings.iter().any(asked_in))
        && tool_run::leaves_reports_alone(closure.files.iter().copied())
}

/// Its own kind of file comes before the section of a file for all.
fn pyright_settings(session: &Session, settings: &BTreeSet<RelPath>, closure: &Closure<'_>) -> Result<String, Error> {
    let user = settings.iter().max_by_key(|file| file.extension() == Some("json"));
    let text = match user {
        Some(file) => {
            let text = session.context.tracker.read_to_string(&file.to_path(session.build_root()));
            Some(text.map_err(|source| Error::Settings { path: file.as_str().into(), why: source.to_string() })?)
        }
        None => None,
    };
    let roots: Vec<RelPath> = closure.source_roots.iter().map(|root| (*root).clone()).collect();
    let user = user.zip(text.as_deref()).map(|(file, text)| (file.as_str(), text));
    check_run::pyright_settings(user, &roots)
        .map_err(|why| Error::Settings { path: user.map_or_else(Default::default, |(file, _)| file.into()), why })
}

/// Those that are Python, sorted. A checker takes a stub for the module beside it, so that is not named.
fn files_to_check<'f>(sources: impl Iterator<Item = &'f RelPath>) -> Vec<RelPath> {
    let files: BTreeSet<&RelPath> = sources.filter(|file| is_python(file)).collect();
    let has_stub = |file: &RelPath| {
        file.extension() == Some("py") && RelPath::parse(&format!("{file}i")).is_ok_and(|stub| files.contains(&stub))
    };
    files.iter().filter(|file| !has_stub(file)).map(|file| (*file).clone()).collect()
}

fn is_python(file: &RelPath) -> bool {
    matches!(file.extension(), Some("py" | "pyi"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_with_a_stub_is_not_named() {
        let files = ["b.py", "a.py", "a.pyi", "c.pyi"].map(|path| RelPath::parse(path).unwrap());
        let named: Vec<String> = files_to_check(files.iter()).iter().map(ToString::to_string).collect();
        assert_eq!(named, ["a.pyi", "b.py", "c.pyi"]);
    }
}
