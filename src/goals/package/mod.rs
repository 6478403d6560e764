//! `package`: builds the selected packages and writes them to the directory for results. `output` writes the files, `docker`
//! builds images from Dockerfiles, and `reuse` stores the results for a run in which nothing changed. Packages are planned in `prepare::package`.

pub(super) mod docker;
mod output;
mod reuse;

use std::collections::BTreeMap;

use crate::action::{Exit, StepId};
use crate::base::{Digest, ErrorKind, RelPath, error_chain, replace_file};
use crate::config::typed::{DockerSettings, PackageSettings};
use crate::engine::StepResult;
use crate::engine::executor::Results;
use crate::goals::Error;
use crate::goals::recorded::{Recorded, RecordedStep};
use crate::packaging::build_failure;
use crate::packaging::oci::{self, layout};
use crate::prepare::package::{self, KINDS, Package, PlannedPackage};
use crate::report::junit::path_safe;
use crate::report::limits::SHOWN_BYTES;
use crate::report::packages::WrittenPackage;
use crate::report::{json, packages, size};
use crate::session::failure::{self, Failure};
use crate::session::image_builder::ImageBuild;
use crate::session::reuse::reused_or;
use crate::session::{Session, Verdict, execute, selection};
use crate::store::Store;

use crate::targets::{Address, dependencies};
pub(super) use output::write_trees;

/// The built packages of a run.
#[derive(Default)]
pub(super) struct BuiltPackages {
    /// In the order of the targets.
    pub(super) built: Vec<BuiltPackage>,
    /// The addresses of the targets, and why they were not built.
    pub(super) failed: Vec<(String, Failure)>,
}

/// One package in the store.
pub(super) struct BuiltPackage {
    address: String,
    /// Its files, at their paths below the directory for results.
    pub(super) tree: Digest,
    /// The path of the package if it is a directory.
    pub(super) directory: Option<RelPath>,
    /// The contexts of images that a program of this machine builds, those that others are built on first.
    pub(super) image_builds: Vec<(Digest, ImageBuild)>,
    /// The step, unless the result of an earlier run is reused.
    step: Option<StepId>,
}

impl BuiltPackage {
    /// Its files, at their paths in the package if that is a directory.
    pub(super) fn content(&self, session: &mut Session) -> Result<Digest, Error> {
        let store = session.services.open_store()?;
        Ok(match &self.directory {
            Some(directory) => store.subtree(self.tree, directory)?.unwrap_or(self.tree),
            None => self.tree,
        })
    }
}

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    Ok(run_recorded(session)?.verdict)
}

/// Runs the goal and lists its steps.
pub(super) fn run_recorded(session: &mut Session) -> Result<Recorded, Error> {
    let mut done = reused_or(session, "package", build)?;
    if session.services.was_interrupted() {
        return Ok(Recorded::without_steps(Verdict::Interrupted));
    }
    let execution = session.services.last_execution().cloned();
    docker::build_images(session, &mut done)?;
    let written = output::write(session, &done.built)?;
    for (address, Failure { message, .. }) in &done.failed {
        session.ui.summary(&packages::failed_block(address, "built", message, session.ui.terminal.colour));
    }
    let verdict = match failure::common_kind(done.failed.iter().map(|(_, failure)| failure)) {
        None if done.failed.is_empty() => Verdict::Good,
        kind => Verdict::Prevented(kind.unwrap_or(ErrorKind::Mistake)),
    };
    let settings = PackageSettings::parse(session.config());
    if let Some(path) = settings.checksums {
        write_checksums(session, &path, &written)?;
    }
    if settings.json {
        session.ui.print(&json::render_packages(&written, session.exit_code(verdict)))?;
    }
    let step = |package: &BuiltPackage| {
        let sections = ["pex", "setup-py-generation"].map(str::to_owned).to_vec();
        let (name, targets) = (path_safe(&package.address), vec![package.address.clone()]);
        Some(RecordedStep { name, targets, sections, passed: true, step: package.step? })
    };
    Ok(Recorded { verdict, steps: done.built.iter().filter_map(step).collect(), execution })
}

/// Writes the hashes of files, with paths relative to the directory of the list, so that `sha256sum --check` finds the files there.
fn write_checksums(session: &Session, path: &str, written: &[WrittenPackage]) -> Result<(), Error> {
    let path = session.build_root().join(path);
    let dir = path.parent().unwrap_or(session.build_root());
    // Sorted by name.
    let mut hashes: BTreeMap<String, &String> = BTreeMap::new();
    for file in written.iter().flat_map(|package| &package.files) {
        let place = session.build_root().join(&file.path);
        let name = place.strip_prefix(dir).unwrap_or(&place).display().to_string();
        hashes.extend(file.sha256.as_ref().map(|sha256| (name, sha256)));
    }
    let lines: String = hashes.into_iter().map(|(name, sha256)| format!("{sha256}  {name}\n")).collect();
    std::fs::create_dir_all(dir).map_err(|source| Error::Output { path: dir.to_owned(), source })?;
    replace_file(&path, lines.as_bytes()).map_err(|source| Error::Output { path, source })
}

/// Whether the command line selects packages.
pub(super) fn has_packages(session: &mut Session) -> Result<bool, Error> {
    Ok(!selected_packages(session)?.is_empty())
}

/// Plans and builds the selected packages.
fn build(session: &mut Session) -> Result<BuiltPackages, Error> {
    let targets = selected_packages(session)?;
    if targets.is_empty() {
        selection::warn_if_nothing_exists(session, "package")?;
        session.ui.warn("the command line selects no packages");
        return Ok(BuiltPackages::default());
    }
    build_all(session, &targets)
}

/// Builds one package for another goal.
pub(super) fn build_one(session: &mut Session, target: &Address) -> Result<BuiltPackage, Error> {
    let mut done = build_all(session, std::slice::from_ref(target))?;
    match done.failed.pop() {
        Some((_, failure)) => Err(Error::NotStarted(failure)),
        None => Ok(done.built.remove(0)),
    }
}

/// Plans and builds these packages.
pub(super) fn build_all(session: &mut Session, targets: &[Address]) -> Result<BuiltPackages, Error> {
    let once = |session: &mut Session| {
        let planned = package::plan(session, targets)?;
        let packages = planned.packages.iter().filter_map(|planned| planned.package.as_ref().ok());
        let contexts = |package: &Package| package.image_builds.iter().map(|(step, _)| *step).collect::<Vec<_>>();
        let steps: Vec<_> = packages.flat_map(|package| contexts(package).into_iter().chain([package.step])).collect();
        let outcomes = execute::execute(session, planned.graph, &steps, false)?;
        Ok::<_, Error>((planned.packages, outcomes))
    };
    let (planned, outcomes) = execute::with_repair(session, once)?;
    let store = session.services.open_store()?;
    let max_layer_bytes = DockerSettings::parse(session.config()).max_layer_bytes.unwrap_or(u64::MAX);
    let mut done = BuiltPackages::default();
    for PlannedPackage { address, package } in planned {
        let built = package.and_then(|package| {
            let tree = built_tree(&store, &package, &outcomes)?;
            if let Some(directory) = &package.directory {
                refuse_large_layers(&store, tree, directory, max_layer_bytes)?;
            }
            let (address, step) = (address.to_string(), Some(package.step));
            let contexts = package.image_builds.into_iter();
            let contexts = contexts.map(|(step, build)| Ok((tree_of(step, &outcomes)?, build)));
            let image_builds = contexts.collect::<Result<_, Failure>>()?;
            Ok(BuiltPackage { address, tree, directory: package.directory, image_builds, step })
        });
        match built {
            Ok(built) => done.built.push(built),
            Err(failure) => done.failed.push((address.to_string(), failure)),
        }
    }
    Ok(done)
}

/// The selected targets that can be packaged, sorted.
pub(super) fn selected_packages(session: &mut Session) -> Result<Vec<Address>, Error> {
    let graph = session.load_graph()?;
    let selected = session.select()?;
    let mut targets: Vec<Address> =
        selected.iter().flat_map(|address| dependencies::expand_generators(&graph, address)).collect();
    targets.retain(|address| graph.get(address).is_some_and(|target| KINDS.contains(&target.kind.as_str())));
    targets.sort();
    targets.dedup();
    Ok(targets)
}

/// The output tree of a package's step.
fn built_tree(store: &Store, package: &Package, outcomes: &Results) -> Result<Digest, Failure> {
    match outcomes.get(&package.step) {
        Some(Ok(StepResult { outcome: Some((_, outcome)), .. })) if outcome.exit != Exit::Code(0) => {
            let [stdout, stderr] =
                [outcome.stdout, outcome.stderr].map(|stream| store.excerpt(stream, SHOWN_BYTES).unwrap_or_default());
            let mut message = format!("the build failed: {}\n{stdout}{stderr}", outcome.exit).trim_end().to_owned();
            let file_name = package.distribution.as_ref().map(|name| format!("{name}-0"));
            if let Some(hint) = file_name.and_then(|name| build_failure::hint(&name, &stderr)) {
                message += &format!("\nhint: {hint}");
            }
            Err(Failure { message, kind: ErrorKind::Mistake })
        }
        _ => tree_of(package.step, outcomes),
    }
}

/// An error if the package is an image that has a layer above the limit.
fn refuse_large_layers(store: &Store, tree: Digest, directory: &RelPath, max_bytes: u64) -> Result<(), Failure> {
    let layers = || -> Result<Vec<(String, u64)>, oci::Error> {
        match store.subtree(tree, directory)? {
            Some(content) if layout::is_layout(store, content)? => layout::layers(store, content),
            _ => Ok(Vec::new()),
        }
    };
    let layers = layers().map_err(|error| Failure::not_started(&error_chain(&error)))?;
    let Some((comment, bytes)) = layers.iter().find(|(_, bytes)| *bytes > max_bytes) else { return Ok(()) };
    let message = format!(
        "the layer `{comment}` has {}, and `[docker] max_layer_size` is {}\n\
         hint: remove what the image does not need, distribute it over several targets, or set a limit that your registry accepts",
        size(*bytes),
        size(max_bytes)
    );
    Err(Failure { message, kind: ErrorKind::Mistake })
}

/// The output tree of a step that did not fail.
fn tree_of(step: StepId, outcomes: &Results) -> Result<Digest, Failure> {
    match outcomes.get(&step) {
        Some(Ok(done)) => Ok(done.tree),
        Some(Err(error)) => Err(Failure::from_step(error)),
        None => Err(Failure::not_started("it was not started")),
    }
}
