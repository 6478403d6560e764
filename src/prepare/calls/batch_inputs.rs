//! What a process reads besides the files of its batch: settings files, landmarks, dependencies, and plugins that are part
//! of the repository. The batches themselves are planned in `planner`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use crate::base::{Digest, RelPath};
use crate::config::Config;
use crate::config::typed::ToolSettings;
use crate::inference::closure::{Closure, Closures, Follow};
use crate::inference::{self, Dependencies, SourceRoots};
use crate::plan::config_files::ConfigFiles;
use crate::plan::package_markers::PackageMarkers;
use crate::plan::requirements::{self, Wanted};
use crate::prepare::Error;
use crate::prepare::calls::{EnabledCall, PartitionedCall};
use crate::prepare::project_packages::ProjectView;
use crate::session::Session;
use crate::session::sources::Sources;
use crate::store::{Node, Store, Tree};
use crate::targets::kind::{self, Kind};
use crate::targets::{self, Address, Target, TargetGraph};
use crate::tools::{Partition, Runner, SeenDependencies};

/// What batches need of the repository. Dependencies are inferred only if some call needs them: that reads all sources.
pub(super) struct RepositoryInputs {
    graph: Arc<TargetGraph>,
    dependencies: Option<Arc<Dependencies>>,
    settings: inference::InferenceSettings,
    roots: Arc<SourceRoots>,
}

impl RepositoryInputs {
    /// Loads what these calls need.
    pub(super) fn load(session: &mut Session, calls: &[PartitionedCall]) -> Result<RepositoryInputs, Error> {
        let config = session.config();
        let needs = |call: &PartitionedCall| {
            let has_files = !call.partitions.by_key.is_empty();
            has_files
                && call.enabled.target.is_none()
                && (reads_dependencies(&call.enabled) || !plugins(config, &call.enabled).is_empty())
        };
        let needed = calls.iter().any(needs);
        Ok(RepositoryInputs {
            graph: session.load_graph()?,
            dependencies: if needed { Some(session.infer_all()?) } else { None },
            settings: inference::InferenceSettings::from_config(session.config())?,
            roots: session.find_source_roots()?,
        })
    }
}

/// Collects the inputs of the batches of one graph; used by several threads at once.
pub(super) struct BatchInputs<'r> {
    repository: &'r RepositoryInputs,
    store: Arc<Store>,
    sources: Arc<Sources>,
    closures: Option<Closures<'r>>,
    landmarks: OnceLock<PackageMarkers>,
    config_files: ConfigFiles<'r>,
    empty_file: Node,
}

/// The input of one process.
pub(super) struct BatchInput {
    /// All files, those of the batch included. The tree is named; it is written only if the step runs.
    pub tree: Digest,
    /// A digest of all files of the tree that are not in the batch.
    pub others: Digest,
    /// On the import path.
    pub source_roots: Vec<RelPath>,
    /// What the closure requires, if the process may import it.
    pub wanted: Option<Wanted>,
    /// What the closure refers to and the project does not declare.
    pub undeclared: BTreeSet<String>,
    /// The targets of the closure whose files are generated.
    pub generated: Vec<Address>,
}

impl<'r> BatchInputs<'r> {
    /// Nothing is collected yet.
    pub(super) fn new(session: &mut Session, repository: &'r RepositoryInputs) -> Result<BatchInputs<'r>, Error> {
        let RepositoryInputs { graph, dependencies, settings, roots } = repository;
        let closures = dependencies.as_deref().map(|dependencies| Closures::new(graph, dependencies, settings, roots));
        let (store, sources) = (session.services.open_store()?, session.services.open_sources()?);
        let empty_file = Node::File { digest: store.put(b"")?, executable: false };
        let config_files = ConfigFiles::new(session.build_root(), graph.files(), session.context.tracker.clone());
        Ok(BatchInputs { repository, store, sources, closures, landmarks: OnceLock::new(), config_files, empty_file })
    }

    /// What computes closures; `None` if no call reads dependencies.
    pub(super) fn closures(&self) -> Option<&Closures<'r>> {
        self.closures.as_ref()
    }

    /// The input of a process of the call that works on the files `own` of these targets. `project` is the directory of the project whose
    /// declarations limit what the process sees, if any, with what that project sees.
    pub(super) fn collect(
        &self,
        config: &Config,
        enabled: &EnabledCall,
        own: &[(&RelPath, &Node)],
        targets: &BTreeSet<&Address>,
        project: Option<(&RelPath, &ProjectView)>,
    ) -> Result<BatchInput, Error> {
        let files = || own.iter().map(|(file, _)| *file);
        // A tool of the repository names its settings files as dependencies.
        let mut others = match enabled.target {
            None => self.settings_files(config, enabled, files()),
            Some(_) => BTreeSet::new(),
        };
        others.extend(self.seen_dependencies(enabled, targets));
        let (mut source_roots, mut wanted, mut generated) = (Vec::new(), None, Vec::new());
        let mut undeclared = BTreeSet::new();
        if enabled.call.runner == Some(Runner::Buf) {
            source_roots = self.source_roots(files());
        }
        let roots = self.closure_roots(config, enabled, targets)?;
        if !roots.is_empty() {
            let closure = self.closures.as_ref().map(|closures| closures.compute(roots.iter(), Follow::All));
            let mut closure: Closure<'_> = closure.unwrap_or_default();
            let requirements = closure.requirements.iter().copied();
            let mut required = requirements::collect(&self.repository.graph, requirements, config)?;
            if let Some((dir, view)) = project {
                undeclared = view.hide_undeclared(&mut required, dir, &mut closure);
            }
            wanted = Some(required);
            others.extend(closure.files.iter().map(|file| (*file).clone()));
            generated = closure.generated.iter().map(|address| (*address).clone()).collect();
            source_roots = closure.source_roots.iter().map(|root| (*root).clone()).collect();
        }
        let landmarks = self.landmarks(enabled, files()).into_iter();
        // Where a path has several nodes, the last one is used.
        let mut nodes: Vec<(RelPath, Node)> = landmarks.map(|file| (file.clone(), self.empty_file.clone())).collect();
        for (file, node) in self.sources.nodes(&others)? {
            nodes.push((file.clone(), node?));
        }
        let others = fingerprint(&nodes);
        nodes.extend(own.iter().map(|(file, node)| ((*file).clone(), (*node).clone())));
        let tree = self.store.put_tree_lazily(&Tree { nodes: nodes.into_iter().collect() })?;
        Ok(BatchInput { tree, others, source_roots, wanted, undeclared, generated })
    }

    /// The files, grouped by the settings file that applies to them if a process of the tool uses only one.
    pub(super) fn group_by_settings(
        &self,
        config: &Config,
        enabled: &EnabledCall,
        files: Vec<RelPath>,
    ) -> BTreeMap<Option<RelPath>, Vec<RelPath>> {
        if !enabled.tool.one_config {
            return BTreeMap::from([(None, files)]);
        }
        let mut groups: BTreeMap<Option<RelPath>, Vec<RelPath>> = BTreeMap::new();
        for file in files {
            groups.entry(self.config_files.nearest(&enabled.tool, config, &file)).or_default().push(file);
        }
        groups
    }

    fn settings_files<'f>(
        &self,
        config: &Config,
        enabled: &EnabledCall,
        files: impl Iterator<Item = &'f RelPath>,
    ) -> BTreeSet<RelPath> {
        let mut found = self.config_files.find(&enabled.tool, config, files);
        let extra = ToolSettings::parse(config, &enabled.tool.scope).extra_files;
        found.extend(extra.iter().filter_map(|path| RelPath::parse(path).ok()));
        found
    }

    /// The sources of the dependencies that a process sees, as far as the call works on targets of their type.
    fn seen_dependencies(&self, enabled: &EnabledCall, targets: &BTreeSet<&Address>) -> BTreeSet<RelPath> {
        let Some(all) = self.repository.dependencies.as_deref() else { return BTreeSet::new() };
        let seen: BTreeSet<Address> = match enabled.call.sees_dependencies {
            SeenDependencies::None => return BTreeSet::new(),
            SeenDependencies::Direct => targets.iter().flat_map(|target| all.direct(target)).cloned().collect(),
            SeenDependencies::Transitive => all.transitive(targets.iter().copied()),
        };
        let seen = seen.iter().filter_map(|address| self.repository.graph.get(address));
        let same_type = seen.filter(|target| enabled.call.targets.contains(&target.kind));
        same_type.flat_map(|target| &target.sources).cloned().collect()
    }

    /// The source roots of files; the build root for a file outside of all source roots.
    fn source_roots<'f>(&self, files: impl Iterator<Item = &'f RelPath>) -> Vec<RelPath> {
        let root = |file: &RelPath| file.parent().and_then(|dir| self.repository.roots.find_for_dir(&dir));
        let root = |file: &RelPath| root(file).unwrap_or_else(RelPath::root);
        files.map(root).collect::<BTreeSet<RelPath>>().into_iter().collect()
    }

    /// The targets whose closure a process may import: those of the batch if the call reads what they import, and the
    /// tool's plugins.
    fn closure_roots(
        &self,
        config: &Config,
        enabled: &EnabledCall,
        targets: &BTreeSet<&Address>,
    ) -> Result<BTreeSet<Address>, Error> {
        let mut roots = BTreeSet::new();
        if enabled.target.is_some() {
            return Ok(roots);
        }
        if enabled.call.partition == Partition::Closure {
            roots.extend(targets.iter().map(|target| (*target).clone()));
        }
        for plugin in plugins(config, enabled) {
            let graph = &self.repository.graph;
            let named = targets::dependencies::find_targets(graph, &plugin, &RelPath::root());
            let named = named.map_err(|error| targets::select::Error::Target(error.with_spec(&plugin)))?;
            roots.extend(named.iter().flat_map(|address| targets::dependencies::expand_generators(graph, address)));
        }
        Ok(roots)
    }

    /// Files by which a tool recognises first-party code, for tools that need them.
    fn landmarks<'f>(&self, enabled: &EnabledCall, files: impl Iterator<Item = &'f RelPath>) -> Vec<&RelPath> {
        if !enabled.call.needs_landmarks {
            return Vec::new();
        }
        let landmarks = self.landmarks.get_or_init(|| {
            // A generator has the same sources as the targets that it generates.
            let is_generator = |target: &Target| Kind::find(&target.kind).is_some_and(Kind::is_generator);
            let is_python = |target: &&Target| kind::is_python(&target.kind) && !is_generator(target);
            let targets = self.repository.graph.targets().filter(is_python);
            PackageMarkers::new(targets.flat_map(|target| &target.sources), &|dir| {
                self.repository.roots.find_for_dir(dir)
            })
        });
        landmarks.for_files(files)
    }
}

/// A digest of files with their content. Where a path has several nodes, the last one is used, as in a tree.
fn fingerprint(nodes: &[(RelPath, Node)]) -> Digest {
    let nodes: BTreeMap<&RelPath, &Node> = nodes.iter().map(|(file, node)| (file, node)).collect();
    let mut text = String::new();
    for (file, node) in nodes {
        text.push_str(&format!("{}\0{}\0", file.as_str(), node.to_text()));
    }
    Digest::of(text.as_bytes())
}

/// Whether a call's processes read more sources than those of their batch.
fn reads_dependencies(enabled: &EnabledCall) -> bool {
    enabled.call.partition == Partition::Closure || enabled.call.sees_dependencies != SeenDependencies::None
}

/// The addresses of plugins for the tool that are part of the repository.
fn plugins(config: &Config, enabled: &EnabledCall) -> Vec<String> {
    ToolSettings::parse(config, &enabled.tool.scope).source_plugins
}
