//! What the files of a batch are seen with: settings files, landmarks, dependencies, plugins of the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use crate::base::{Digest, RelPath};
use crate::config::{Config, Table};
use crate::inference::closure::{Closure, Closures, Follow};
use crate::inference::{self, Dependencies, SourceRoots};
use crate::plan::config_files::ConfigFiles;
use crate::plan::landmarks::Landmarks;
use crate::plan::requirements::{self, Wanted};
use crate::prepare::calls::{Enabled, Work};
use crate::session::sources::Sources;
use crate::session::{Error, Session};
use crate::store::{Node, Store, Tree};
use crate::targets::kind::Kind;
use crate::targets::{self, Address, Target, TargetGraph};

/// What the repository is asked, as far as some call needs it: inference reads all sources, so it is left out otherwise.
pub struct World {
    graph: Arc<TargetGraph>,
    dependencies: Option<Arc<Dependencies>>,
    settings: inference::InferenceSettings,
    roots: Arc<SourceRoots>,
}

impl World {
    pub fn of(session: &mut Session, works: &[(Enabled, Work)]) -> Result<World, Error> {
        let plugins = |enabled: &Enabled| plugins(session.config(), enabled);
        let needs = |enabled: &Enabled| super::prepare::sees_closures(enabled) || !plugins(enabled).is_empty();
        let needed = works.iter().any(|(enabled, work)| !work.parts.is_empty() && needs(enabled));
        Ok(World {
            graph: session.load_graph()?,
            dependencies: if needed { Some(session.infer_all()?) } else { None },
            settings: inference::InferenceSettings::from_config(session.config())?,
            roots: session.find_source_roots()?,
        })
    }
}

/// Made once for a graph of actions, and asked for many batches at once.
pub struct Surroundings<'w> {
    world: &'w World,
    store: Arc<Store>,
    sources: Arc<Sources>,
    closures: Option<Closures<'w>>,
    landmarks: OnceLock<Landmarks>,
    config_files: ConfigFiles<'w>,
    /// An empty file.
    nothing: Node,
}

/// What one batch is seen with.
pub struct Around {
    /// The batch's own files among it. It is named only.
    pub tree: Digest,
    /// What stands for all of the tree but the batch's own files.
    pub fits: Digest,
    pub source_roots: Vec<RelPath>,
    /// What the closure requires, where the process may import it.
    pub wanted: Option<Wanted>,
}

impl<'w> Surroundings<'w> {
    pub fn new(session: &mut Session, world: &'w World) -> Result<Surroundings<'w>, Error> {
        let closures = world
            .dependencies
            .as_deref()
            .map(|dependencies| Closures::new(&world.graph, dependencies, &world.settings, &world.roots));
        let (store, sources) = (session.services.open_store()?, session.services.open_sources()?);
        let nothing = Node::File { digest: store.put(b"")?, executable: false };
        let config_files = ConfigFiles::new(session.build_root(), world.graph.files(), session.context.tracker.clone());
        Ok(Surroundings { world, store, sources, closures, landmarks: OnceLock::new(), config_files, nothing })
    }

    pub fn of(
        &self,
        config: &Config,
        enabled: &Enabled,
        own: &[(&RelPath, &Node)],
        targets: &BTreeSet<&Address>,
    ) -> Result<Around, Error> {
        let files = || own.iter().map(|(file, _)| *file);
        let mut seen = self.settings_files(config, enabled, files());
        if enabled.call.sees_dependencies {
            seen.extend(self.dependencies(enabled, targets));
        }
        let (mut source_roots, mut wanted) = (Vec::new(), None);
        let roots = self.imported(config, enabled, targets)?;
        if !roots.is_empty() {
            let closure = self.closures.as_ref().map(|closures| closures.compute(roots.iter(), Follow::All));
            let closure: Closure<'_> = closure.unwrap_or_default();
            seen.extend(closure.files.iter().map(|file| (*file).clone()));
            source_roots = closure.source_roots.iter().map(|root| (*root).clone()).collect();
            let requirements = closure.requirements.iter().copied();
            wanted = Some(requirements::wanted(&self.world.graph, requirements, config)?);
        }
        let nothing = self.nothing.clone();
        let landmarks = self.landmarks(enabled, files()).into_iter().map(|file| (file.clone(), nothing.clone()));
        // Of several nodes for one path the last one stays.
        let mut nodes: Vec<(RelPath, Node)> = landmarks.collect();
        for (file, node) in self.sources.nodes(&seen)? {
            nodes.push((file.clone(), node?));
        }
        let fits = self.fits(&nodes);
        nodes.extend(own.iter().map(|(file, node)| ((*file).clone(), (*node).clone())));
        let tree = self.store.name_tree(&Tree { nodes: nodes.into_iter().collect() })?;
        Ok(Around { tree, fits, source_roots, wanted })
    }

    /// Of several nodes for one path the last one counts, as in a tree.
    fn fits(&self, nodes: &[(RelPath, Node)]) -> Digest {
        let nodes: BTreeMap<&RelPath, &Node> = nodes.iter().map(|(file, node)| (file, node)).collect();
        let mut text = String::new();
        for (file, node) in nodes {
            text.push_str(&format!("{}\0{node:?}\0", file.as_str()));
        }
        Digest::of(text.as_bytes())
    }

    fn settings_files<'f>(
        &self,
        config: &Config,
        enabled: &Enabled,
        files: impl Iterator<Item = &'f RelPath>,
    ) -> BTreeSet<RelPath> {
        let mut found = self.config_files.of(&enabled.tool, config, files);
        if Table::get().row(&enabled.tool.scope, "extra_files").is_some() {
            let extra = config.list(&enabled.tool.scope, "extra_files");
            found.extend(extra.into_iter().filter_map(|path| RelPath::parse(path).ok()));
        }
        found
    }

    /// The sources of the same kind that the targets name directly.
    fn dependencies(&self, enabled: &Enabled, targets: &BTreeSet<&Address>) -> BTreeSet<RelPath> {
        let direct =
            targets.iter().flat_map(|target| self.world.dependencies.iter().flat_map(|all| all.direct(target)));
        let direct = direct.filter_map(|address| self.world.graph.get(address));
        let same = direct.filter(|target| enabled.call.targets.contains(&target.kind));
        same.flat_map(|target| &target.sources).cloned().collect()
    }

    /// What a process may import: its targets, where it looks into what they import, and its plugins.
    fn imported(
        &self,
        config: &Config,
        enabled: &Enabled,
        targets: &BTreeSet<&Address>,
    ) -> Result<BTreeSet<Address>, Error> {
        let mut roots = BTreeSet::new();
        if enabled.call.partition == crate::tools::Partition::Closure {
            roots.extend(targets.iter().map(|target| (*target).clone()));
        }
        for plugin in plugins(config, enabled) {
            let named = targets::dependencies::named(&self.world.graph, plugin, &RelPath::root());
            let named = named.map_err(|error| targets::select::Error::Target(error.about(plugin)))?;
            roots.extend(named.iter().flat_map(|address| targets::dependencies::expanded(&self.world.graph, address)));
        }
        Ok(roots)
    }

    fn landmarks<'f>(&self, enabled: &Enabled, files: impl Iterator<Item = &'f RelPath>) -> Vec<&RelPath> {
        if !enabled.call.needs_landmarks {
            return Vec::new();
        }
        let landmarks = self.landmarks.get_or_init(|| {
            // What generated others has the same sources as they have.
            let is_generator = |target: &Target| Kind::of(&target.kind).is_some_and(Kind::is_generator);
            let is_meant = |target: &&Target| target.kind.starts_with("python_") && !is_generator(target);
            let targets = self.world.graph.targets().filter(is_meant);
            Landmarks::new(targets.flat_map(|target| &target.sources), &|dir| self.world.roots.find_for_dir(dir))
        });
        landmarks.around(files)
    }
}

/// The addresses of the repository's own plugins for the tool.
fn plugins<'s>(config: &'s Config, enabled: &Enabled) -> Vec<&'s str> {
    match Table::get().row(&enabled.tool.scope, "source_plugins") {
        Some(_) => config.list(&enabled.tool.scope, "source_plugins"),
        None => Vec::new(),
    }
}
