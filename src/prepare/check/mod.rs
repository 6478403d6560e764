//! Plans type checkers: a process for each resolve and list of interpreter constraints, and for each project of a workspace whose code
//! needs what it does not declare. A check that cannot be planned carries the reason and does not stop the others. What only mypy
//! needs is in `mypy`.

mod mypy;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::{Source, StepId};
use crate::base::{Digest, RelPath, sandbox_paths};
use crate::config::typed::ToolSettings;
use crate::inference;
use crate::inference::closure::{Closure, Closures, Follow};
use crate::inference::generated::Generated;
use crate::plan::check_run::{self, CheckRun};
use crate::plan::config_files::{ConfigFiles, configured_files};
use crate::plan::{requirements, tool_run};
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::prepare::calls::{EnabledCall, PartitionKey, PartitionedCall, PlannedBatch, PlannedCall, PlannedCalls};
use crate::session::Session;
use crate::session::sources::Sources;
use crate::store::{Node, Tree};
use crate::targets::Address;
use crate::tools::Runner;

/// The files of a partition that a process checks.
#[derive(Clone, Copy)]
struct PartitionOfProject<'p> {
    key: &'p PartitionKey,
    /// The directory of the project whose declarations limit what the process sees.
    project: Option<&'p RelPath>,
}

/// Plans one process for each partition. `force`: cached results and incremental state are ignored.
pub fn plan(session: &mut Session, calls: &[PartitionedCall], force: bool) -> Result<PlannedCalls, Error> {
    let graph = session.load_graph()?;
    let files = calls.iter().flat_map(|call| call.partitions.by_key.values());
    let selected: BTreeSet<Address> = files.flat_map(BTreeMap::values).flatten().cloned().collect();
    let mut roots = selected.clone();
    for checker in calls.iter().map(|call| &call.enabled).filter(|checker| checker.call.runner == Some(Runner::Mypy)) {
        // An unknown plugin is reported with the check that needs it.
        roots.extend(mypy::source_plugins(session, &checker.tool.scope).unwrap_or_default());
    }
    let dependencies = session.infer_for(&roots)?;
    let settings = inference::InferenceSettings::from_config(session.config())?;
    let source_roots = session.find_source_roots()?;
    let closures = Closures::new(&graph, &dependencies, &settings, &source_roots);
    let reported = selected.iter().cloned().chain(dependencies.transitive(&selected)).collect();
    session.report_inference(&dependencies, &reported)?;

    let sources = session.services.open_sources()?;
    let planner = Planner::new(session)?;
    let mut planner = CheckPlanner { planner, sources, closures: &closures, force };
    let calls = calls.iter().map(|call| planner.plan_call(call)).collect();
    planner.sources.save()?;
    Ok(PlannedCalls { graph: planner.planner.actions, calls })
}

struct CheckPlanner<'c, 's> {
    planner: Planner<'s>,
    sources: Arc<Sources>,
    closures: &'c Closures<'c>,
    force: bool,
}

impl CheckPlanner<'_, '_> {
    fn plan_call(&mut self, call: &PartitionedCall) -> PlannedCall {
        let PartitionedCall { enabled, partitions } = call;
        let mut batches = Vec::new();
        for (key, targets) in &partitions.by_key {
            let (projects, failure) = match self.planner.group_by_project(key, targets, self.closures) {
                Ok(projects) => (projects, None),
                Err(error) => (BTreeMap::from([(None, targets.clone())]), Some(error.to_failure())),
            };
            for (project, targets) in projects {
                let files = files_to_check(targets.keys());
                let addresses = targets.values().flatten().collect();
                let partition = partitions.describe(key, project.as_ref());
                let key = PartitionOfProject { key, project: project.as_ref() };
                let step = match &failure {
                    Some(failure) => Err(failure.clone()),
                    None => self.plan_check(enabled, key, &addresses, &files).map_err(|error| error.to_failure()),
                };
                batches.push(PlannedBatch { files, partition, timeout: None, step });
            }
        }
        PlannedCall { enabled: enabled.clone(), version: self.planner.tool_version(&enabled.tool), batches }
    }

    fn plan_check(
        &mut self,
        checker: &EnabledCall,
        partition: PartitionOfProject<'_>,
        targets: &BTreeSet<&Address>,
        files: &[RelPath],
    ) -> Result<StepId, Error> {
        let PartitionOfProject { key, project } = partition;
        let (tool, constraints) = (&checker.tool, &key.constraints);
        let graph = self.planner.session.load_graph()?;
        let closures = self.closures;
        let mut closure = closures.compute(targets.iter().copied(), Follow::All);
        let context = self.planner.session.context.clone();
        let config = &context.config;
        let mut wanted = requirements::collect(&graph, closure.requirements.iter().copied(), config)?;
        if let Some(dir) = project {
            let names = self.planner.hide_undeclared(&mut wanted, dir, &mut closure)?;
            self.planner.note_undeclared(dir, &names);
        }
        let settings = ConfigFiles::new(&context.build_root, graph.files(), context.tracker.clone());
        let settings = settings.find(tool, config, []);
        let (mypy, plugins) = match checker.call.runner {
            Some(Runner::Mypy) => self.plan_mypy(checker, constraints, &settings, files)?,
            _ => (mypy::none(), mypy::Plugins::default()),
        };
        let stubs = mypy::pin_extra_stubs(&mut self.planner, tool, constraints)?;
        let mut images = self.planner.images(constraints, tool, plugins.wanted)?;
        self.planner.mount_source_roots(&mut images, &plugins.source_roots)?;
        let requirements = self.planner.requirements_image(constraints, wanted, stubs)?;
        images.insert(sandbox_paths::REQUIREMENTS.to_owned(), requirements);
        let own = Source::Tree(self.tree(checker, &closure, &plugins.files, &settings, files)?);
        let generated = closure.generated.iter().copied();
        let sources = self.planner.with_generated(own, generated, |kind| kind == Generated::Python)?;
        let part: Vec<String> = std::iter::once(key.describe()).chain(project.map(RelPath::to_string)).collect();
        let run = CheckRun {
            label: format!("{} ({})", checker.call.name, part.join(", ")),
            call: &checker.call,
            sources,
            files: files.to_vec(),
            source_roots: closure.source_roots.iter().map(|root| (*root).clone()).collect(),
            images,
            config: configured_files(tool, config)
                .iter()
                .flat_map(|file| tool.config_args.iter().map(move |word| word.replace("{}", file.as_str())))
                .collect(),
            args: ToolSettings::parse(config, &tool.scope).args,
            has_reports: has_reports(self.planner.session, checker, &closure, &settings),
            force: self.force,
            mypy,
        };
        Ok(self.planner.add(check_run::action(&run)))
    }

    /// The closure's sources, plugins and settings, and the files that a checker is given its files and settings by.
    fn tree(
        &mut self,
        checker: &EnabledCall,
        closure: &Closure<'_>,
        plugins: &[RelPath],
        settings: &BTreeSet<RelPath>,
        files: &[RelPath],
    ) -> Result<Digest, Error> {
        let sources = closure.files.iter().copied().filter(|file| is_python(file));
        let mut all: BTreeSet<&RelPath> = sources.chain(plugins).chain(settings).collect();
        let session = &mut *self.planner.session;
        let store = session.services.open_store()?;
        let write = |name: &str, text: String| -> Result<(RelPath, Node), Error> {
            let node = Node::File { digest: store.put(text.as_bytes())?, executable: false };
            Ok((RelPath::parse(name)?, node))
        };
        let written = match checker.call.runner {
            Some(Runner::Mypy) => {
                Some(write(check_run::FILES, files.iter().map(|file| format!("{file}\n")).collect())?)
            }
            Some(Runner::Pyright) => {
                all.retain(|file| file.as_str() != check_run::PYRIGHT_SETTINGS);
                Some(write(check_run::PYRIGHT_SETTINGS, pyright_settings(session, settings, closure)?)?)
            }
            Some(Runner::Buf) | None => None,
        };
        let mut nodes = Vec::new();
        for (file, node) in self.sources.nodes(all)? {
            nodes.push((file.clone(), node?));
        }
        Ok(store.put_tree_lazily(&Tree { nodes: nodes.into_iter().chain(written).collect() })?)
    }
}

/// Whether the checker gets a directory for reports: only if arguments or settings name it, since some checkers take any
/// directory for a package.
fn has_reports(session: &Session, checker: &EnabledCall, closure: &Closure<'_>, settings: &BTreeSet<RelPath>) -> bool {
    let args = ToolSettings::parse(session.config(), &checker.tool.scope).args;
    let names_it = |file: &RelPath| {
        let bytes = session.context.tracker.read(&file.to_path(session.build_root())).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(tool_run::REPORTS)
    };
    (args.iter().any(|word| word.contains(tool_run::REPORTS)) || settings.iter().any(names_it))
        && tool_run::has_no_reports_dir(closure.files.iter().copied())
}

/// The settings file for pyright, made from the user's. A `pyrightconfig.json` is preferred to a section of a shared file.
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

/// The Python files, sorted, without modules that have a stub: a checker reads the stub in place of the module.
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
    fn a_module_with_a_stub_is_left_out() {
        let files = ["b.py", "a.py", "a.pyi", "c.pyi"].map(|path| RelPath::parse(path).unwrap());
        let named: Vec<String> = files_to_check(files.iter()).iter().map(ToString::to_string).collect();
        assert_eq!(named, ["a.pyi", "b.py", "c.pyi"]);
    }
}
