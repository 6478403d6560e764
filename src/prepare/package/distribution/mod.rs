//! Plans distributions: which sources belong to one, its metadata, and the step that builds its wheel and source distribution.
//! The text of a generated `setup.py` is in `plan::generated_setup`.

mod backend;
mod entry_points;
mod error;
mod metadata;
mod plugin;
mod readme;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Map;

use crate::action::Source;
use crate::base::RelPath;
use crate::config::typed::SetupPySettings;
use crate::inference::closure::Follow;
use crate::inference::constraints::{self, Constraints, InterpreterConstraints};
use crate::inference::generated::{import_roots, predicted_files};
use crate::inference::ownership::{Contents, Ownership};
use crate::plan::distribution_run::{self, Project};
use crate::plan::{environment, generated_setup};
use crate::prepare::generate;
use crate::prepare::package::{Package, PackagePlanner};
use crate::prepare::{self, Planner};
use crate::session::toolchains;
use crate::store::{Node, Tree};
use crate::targets::value_to_json;
use crate::targets::{Address, Target, TargetGraph, Value, kind};

pub use error::Error;

/// The targets whose dependencies must be known to plan packages: the packages, and all distributions, because each of them
/// may own sources of another.
pub(in crate::prepare) fn candidates(graph: &TargetGraph, packages: &[Address]) -> BTreeSet<Address> {
    let distributions = graph.targets().filter(|target| target.kind == kind::PYTHON_DISTRIBUTION);
    packages.iter().cloned().chain(distributions.map(|target| target.address.clone())).collect()
}

/// What is built from a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::prepare) enum Form {
    /// What its fields say.
    Declared,
    /// Only a wheel.
    Wheel,
}

/// The sources of a project while it is built.
struct Sources {
    tree: BTreeMap<RelPath, Node>,
    /// Trees of generated files, at their paths in the tree.
    generated: Vec<Source>,
    /// The directory of the project in the tree.
    dir: RelPath,
    /// The path in the repository of each file that comes from there.
    origins: BTreeMap<RelPath, RelPath>,
    source_roots: Vec<RelPath>,
    constraints: Constraints,
    /// The name of the distribution, as far as it is known.
    name: String,
}

/// The generated files of a distribution.
#[derive(Default)]
struct GeneratedContents {
    /// Relative to their source roots.
    files: Vec<RelPath>,
    /// Trees with these paths.
    trees: Vec<Source>,
}

impl<'g> PackagePlanner<'g> {
    /// Plans the files that a distribution consists of.
    pub(in crate::prepare) fn plan_distribution(
        &mut self,
        planner: &mut Planner<'_>,
        target: &Target,
        form: Form,
    ) -> Result<Package, prepare::Error> {
        let (wheel, sdist) = match form {
            Form::Declared => (target.flag("wheel").unwrap_or(true), target.flag("sdist").unwrap_or(true)),
            Form::Wheel => (true, false),
        };
        if !wheel && !sdist {
            return Err(Error::Nothing(target.address.clone()).into());
        }
        let generates = target.flag("generate_setup");
        let generates = generates.unwrap_or_else(|| SetupPySettings::parse(planner.config()).generates_by_default);
        let sources = match generates {
            true => self.generated_sources(planner, target)?,
            false => self.own_sources(planner, target)?,
        };
        let constraints: Vec<String> = sources.constraints.iter().cloned().collect();
        let backend = backend::find(planner.session, target, &sources.dir, &sources.origins)?;
        let image = planner.build_image(&constraints, &backend.requires)?;
        let interpreter = planner.build_interpreter(&constraints, &sources.name)?;
        let output_dir = target.text("output_path").unwrap_or_default();
        let output_dir = RelPath::parse(output_dir).map_err(|source| prepare::Error::OutputPath {
            target: target.address.clone(),
            path: output_dir.to_owned(),
            source,
        })?;
        let tree = planner.session.services.open_store()?.put_tree_lazily(&Tree { nodes: sources.tree })?;
        let parts = [vec![Source::Tree(tree)], sources.generated].concat();
        let project = Project {
            label: target.address.to_string(),
            sources: planner.overlay("sources with generated files", parts),
            dir: sources.dir,
            env: environment::requested(&target.strings("env_vars"), &planner.session.environment().vars),
            output_dir,
            options: distribution_run::BuildOptions {
                backend: backend.name,
                backend_path: backend.path,
                wheel,
                sdist,
                wheel_settings: settings(target, "wheel_config_settings"),
                sdist_settings: settings(target, "sdist_config_settings"),
            },
        };
        let mut action = distribution_run::action(&interpreter, image, &project);
        planner.mount_source_roots(&mut action.command.images, &sources.source_roots)?;
        let step = planner.add(action);
        Ok(Package { distribution: Some(sources.name), ..Package::of_step(step) })
    }

    /// The files of the repository that the wheel of a distribution provides. None if it is not known which code it owns.
    pub(in crate::prepare) fn provided_files(&mut self, distribution: &Address) -> Vec<RelPath> {
        let (graph, dependencies) = (self.graph, self.dependencies);
        let settings = self.closures.settings();
        let ownership = self.ownership.get_or_insert_with(|| Ownership::new(graph, dependencies, settings));
        let contents = graph.get(distribution).and_then(|target| ownership.contents(target).ok()).unwrap_or_default();
        self.closures.own_files(contents.owned.iter().map(|target| &target.address)).into_iter().cloned().collect()
    }

    /// The sources that a distribution owns, relative to their source roots, with a generated `setup.py`.
    fn generated_sources(&mut self, planner: &mut Planner<'_>, target: &Target) -> Result<Sources, prepare::Error> {
        let (graph, dependencies) = (self.graph, self.dependencies);
        let settings = self.closures.settings();
        let ownership = self.ownership.get_or_insert_with(|| Ownership::new(graph, dependencies, settings));
        let contents = ownership.contents(target).map_err(Error::from)?;
        let owned = self.closures.own_files(contents.owned.iter().map(|target| &target.address));
        let mut origins: BTreeMap<RelPath, RelPath> = BTreeMap::new();
        for file in owned {
            let root = self.roots.find_for_file(file).unwrap_or_default();
            origins.insert(file.strip_prefix(&root).unwrap_or_else(|| file.clone()), file.clone());
        }
        let generated = self.generated_below_roots(planner, target, &contents)?;
        let installed: Vec<RelPath> = origins.keys().chain(&generated.files).cloned().collect();
        for name in ["setup.py", "MANIFEST.in"] {
            if installed.iter().any(|file| file.as_str() == name) {
                return Err(Error::GeneratedTwice { target: target.address.clone(), file: name.to_owned() }.into());
            }
        }
        let constraints = self.constraints(planner, contents.owned.iter().copied())?;
        let (root, tracker) = (planner.session.build_root().to_owned(), planner.session.context.tracker.clone());
        let text = |file: &RelPath| tracker.read_to_string(&file.to_path(&root)).ok();
        let namespaces = metadata::namespaces(&origins, &text);
        let arguments =
            self.setup_arguments(planner.session, target, &contents, (&installed, &namespaces), &constraints)?;
        origins.extend(contents.files.iter().flat_map(|file| &file.sources).map(|file| (file.clone(), file.clone())));
        let mut tree = nodes(planner, &origins)?;
        let store = planner.session.services.open_store()?;
        let setup_py = generated_setup::setup_py(&target.address.to_string(), &arguments);
        for (name, text) in [("setup.py", setup_py.as_str()), ("MANIFEST.in", generated_setup::MANIFEST)] {
            let node = Node::File { digest: store.put(text.as_bytes())?, executable: false };
            tree.insert(RelPath::parse(name)?, node);
        }
        let name = arguments.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (dir, source_roots) = (RelPath::root(), vec![RelPath::root()]);
        Ok(Sources { tree, generated: generated.trees, dir, origins, source_roots, constraints, name })
    }

    /// The generated files that a distribution owns.
    fn generated_below_roots(
        &self,
        planner: &mut Planner<'_>,
        target: &Target,
        contents: &Contents<'_>,
    ) -> Result<GeneratedContents, prepare::Error> {
        let (root, tracker) = (planner.session.build_root().to_owned(), planner.session.context.tracker.clone());
        let text = |file: &RelPath| tracker.read_to_string(&file.to_path(&root)).ok();
        let mut found = GeneratedContents::default();
        for owned in &contents.owned {
            let Some(tree) = planner.importable_files(&owned.address)? else { continue };
            found.trees.push(tree);
            let files = predicted_files(self.graph, owned, self.roots, self.closures.settings(), &text);
            let unknown =
                || generate::Error::UnknownFiles { target: target.address.clone(), generated: owned.address.clone() };
            for file in files.ok_or_else(unknown)? {
                let root =
                    import_roots(self.graph, owned, self.roots).into_iter().rev().find(|root| file.starts_with(root));
                found.files.push(root.and_then(|root| file.strip_prefix(&root)).unwrap_or(file));
            }
        }
        Ok(found)
    }

    /// Everything that a distribution depends on, at its paths in the repository, with its own build files.
    fn own_sources(&mut self, planner: &mut Planner<'_>, target: &Target) -> Result<Sources, prepare::Error> {
        let closure = self.closures.compute([&target.address], Follow::All);
        let generated = planner.generated_trees(closure.generated.iter().copied(), |_| true)?;
        let origins: BTreeMap<RelPath, RelPath> =
            closure.files.iter().map(|file| ((*file).clone(), (*file).clone())).collect();
        let dir = target.address.dir.clone();
        let build_files = ["setup.py", "setup.cfg", "pyproject.toml"];
        let has = |name: &&str| dir.push(name).is_ok_and(|file| origins.contains_key(&file));
        if !build_files.iter().any(has) {
            return Err(Error::NoBuildFiles { target: target.address.clone(), dir: dir.to_string() }.into());
        }
        let members = self.dependencies.transitive_without_special(std::slice::from_ref(&target.address));
        let members = members.iter().filter_map(|address| self.graph.get(address)).chain([target]);
        let constraints = self.constraints(planner, members)?;
        readme::warn_if_missing(planner.session, self.graph, target, &dir, &origins);
        let tree = nodes(planner, &origins)?;
        let source_roots = closure.source_roots.iter().map(|root| (*root).clone()).collect();
        let name = target.object("provides").and_then(|artifact| artifact.argument("name")?.as_str());
        let name = name.unwrap_or_default().to_owned();
        Ok(Sources { tree, generated, dir, origins, source_roots, constraints, name })
    }

    /// The interpreter constraints that all of these targets have in common.
    fn constraints<'t>(
        &self,
        planner: &Planner<'_>,
        targets: impl Iterator<Item = &'t Target>,
    ) -> Result<Constraints, prepare::Error> {
        let default = toolchains::default_constraints(planner.config());
        let default = default.iter().map(String::as_str).collect();
        let lookup = InterpreterConstraints { graph: self.graph, dependencies: self.dependencies, default };
        let all: Vec<Constraints> = targets.filter_map(|target| lookup.for_target(target)).collect();
        Ok(constraints::merge(&all).map_err(Error::from)?)
    }
}

/// The tree nodes of files of the repository, at their paths in the tree.
fn nodes(
    planner: &mut Planner<'_>,
    origins: &BTreeMap<RelPath, RelPath>,
) -> Result<BTreeMap<RelPath, Node>, prepare::Error> {
    let sources = planner.session.services.open_sources()?;
    let found = sources.nodes(origins.values())?;
    let found = found.into_iter().map(|(file, node)| Ok((file.clone(), node?)));
    let found = found.collect::<Result<BTreeMap<RelPath, Node>, prepare::Error>>()?;
    Ok(origins.iter().filter_map(|(path, file)| Some((path.clone(), found.get(file)?.clone()))).collect())
}

/// A field with settings for the build backend.
fn settings(target: &Target, field: &str) -> Map<String, serde_json::Value> {
    match target.fields.get(field).map(value_to_json) {
        Some(serde_json::Value::Object(settings)) => settings,
        _ => Map::new(),
    }
}
