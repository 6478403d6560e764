//! Plans packages: distributions, binaries, archives and functions. There is one file for each kind. Every package is a step
//! whose output tree has the paths of the directory for results, so that packages can be merged into archives and sandboxes.
//! Which packages are selected, and how they are written, is decided in `goals::package`.

mod archive;
pub mod distribution;
mod documentation;
pub mod image;
mod lambda;
mod pex;
pub mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::{ActionGraph, StepId};
use crate::base::RelPath;
use crate::inference::closure::Closures;
use crate::inference::ownership::Ownership;
use crate::inference::{Dependencies, InferenceSettings, SourceRoots};
use crate::packaging::oci::reference::Reference;
use crate::plan::venv;
use crate::prepare::package::distribution::Form;
use crate::prepare::package::image::base::PulledBase;
use crate::prepare::planner::Shared;
use crate::prepare::{Error, Planner};
use crate::session::Session;
use crate::session::failure::Failure;
use crate::session::image_builder::ImageBuild;
use crate::targets::{Address, Target, TargetGraph, kind};

/// The target types that can be packaged. The others of Pants are reported as unsupported.
pub const KINDS: [&str; 11] = [
    kind::ARCHIVE,
    kind::DOCKER_IMAGE,
    kind::MKDOCS_SITE,
    kind::OCI_IMAGE,
    kind::PEX_BINARY,
    kind::PYTHON_DISTRIBUTION,
    "python_aws_lambda_function",
    "python_aws_lambda_layer",
    "python_awslambda",
    "python_google_cloud_function",
    kind::SPHINX_DOCS,
];

/// The packages of a graph of actions.
pub struct PlannedPackages {
    /// The steps of all packages and of what they need.
    pub graph: ActionGraph,
    /// In the order given.
    pub packages: Vec<PlannedPackage>,
}

/// A target that is packaged.
pub struct PlannedPackage {
    /// The target.
    pub address: Address,
    /// The package, or why it cannot be planned.
    pub package: Result<Package, Failure>,
}

/// A planned package.
#[derive(Clone, Debug)]
pub struct Package {
    /// The step whose output tree contains the package, at its paths below the directory for results.
    pub step: StepId,
    /// The path of the package if it is a directory; otherwise each file of the tree is a package.
    pub directory: Option<RelPath>,
    /// The name of the distribution that is built, for advice on a failed build.
    pub distribution: Option<String>,
    /// The images that a program of this machine builds, those that others are built on first: the step whose output tree is the context,
    /// and how to build. The last one is the package itself.
    pub image_builds: Vec<(StepId, ImageBuild)>,
}

impl Package {
    /// A package whose files are the output of a step.
    pub(super) fn of_step(step: StepId) -> Package {
        Package { step, directory: None, distribution: None, image_builds: Vec::new() }
    }
}

/// Plans these targets, which are packages.
pub fn plan(session: &mut Session, targets: &[Address]) -> Result<PlannedPackages, Error> {
    let graph = session.load_graph()?;
    let dependencies = session.infer_for(&distribution::candidates(&graph, targets))?;
    let settings = InferenceSettings::from_config(session.config())?;
    let roots = session.find_source_roots()?;
    let closures = Closures::new(&graph, &dependencies, &settings, &roots);
    session
        .report_inference(&dependencies, &targets.iter().cloned().chain(dependencies.transitive(targets)).collect())?;
    let mut planner = Planner::new(session)?;
    let mut packages = PackagePlanner::new(&graph, &dependencies, &closures, &roots);
    let mut planned = Vec::new();
    for address in targets {
        let package = packages.plan(&mut planner, address).map_err(|error| error.to_failure());
        planned.push(PlannedPackage { address: address.clone(), package });
    }
    planner.session.services.open_sources()?.save()?;
    Ok(PlannedPackages { graph: planner.actions, packages: planned })
}

/// Plans packages for a graph of actions, each once.
pub struct PackagePlanner<'g> {
    graph: &'g TargetGraph,
    dependencies: &'g Dependencies,
    closures: &'g Closures<'g>,
    roots: &'g SourceRoots,
    /// Which distribution owns what; found out when it is first needed.
    ownership: Option<Ownership<'g>>,
    planned: BTreeMap<(Address, Form), Shared<Package>>,
    /// The images of registries on which others are based.
    pulled_bases: BTreeMap<Reference, Shared<PulledBase>>,
    /// The packages whose planning has begun, to detect cycles.
    begun: BTreeSet<(Address, Form)>,
}

impl<'g> PackagePlanner<'g> {
    /// Nothing is planned yet. The dependencies of [`distribution::candidates`] must be inferred.
    pub fn new(
        graph: &'g TargetGraph,
        dependencies: &'g Dependencies,
        closures: &'g Closures<'g>,
        roots: &'g SourceRoots,
    ) -> PackagePlanner<'g> {
        let (planned, pulled_bases, begun) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        PackagePlanner { graph, dependencies, closures, roots, ownership: None, planned, pulled_bases, begun }
    }

    /// The package of a target, as its fields declare it.
    pub fn plan(&mut self, planner: &mut Planner<'_>, address: &Address) -> Result<Package, Error> {
        self.plan_form(planner, address, Form::Declared)
    }

    /// The package of a target in some form, which matters to distributions only.
    pub(super) fn plan_form(
        &mut self,
        planner: &mut Planner<'_>,
        address: &Address,
        form: Form,
    ) -> Result<Package, Error> {
        let key = (address.clone(), form);
        if let Some(planned) = self.planned.get(&key) {
            return Ok(planned.clone()?);
        }
        if !self.begun.insert(key.clone()) {
            return Err(Error::PackageCycle(address.clone()));
        }
        let planned = self.plan_new(planner, address, form).map_err(Arc::new);
        self.planned.insert(key, planned.clone());
        Ok(planned?)
    }

    /// The step that unpacks the wheel of a distribution, so that it can be installed.
    pub(super) fn plan_installed(&mut self, planner: &mut Planner<'_>, address: &Address) -> Result<StepId, Error> {
        let wheel = self.plan_form(planner, address, Form::Wheel)?;
        Ok(venv::unpack_built(&mut planner.actions, wheel.step))
    }

    fn plan_new(&mut self, planner: &mut Planner<'_>, address: &Address, form: Form) -> Result<Package, Error> {
        let target = self.graph.get(address).ok_or_else(|| Error::NoTarget(address.clone()))?;
        match target.kind.as_str() {
            kind::ARCHIVE => self.plan_archive(planner, target),
            kind::DOCKER_IMAGE => self.plan_docker_image(planner, target),
            kind::MKDOCS_SITE | kind::SPHINX_DOCS => self.plan_documentation(planner, target),
            kind::OCI_IMAGE => self.plan_image(planner, target),
            kind::PEX_BINARY => self.plan_pex(planner, target),
            kind::PYTHON_DISTRIBUTION => self.plan_distribution(planner, target, form),
            "python_aws_lambda_function"
            | "python_aws_lambda_layer"
            | "python_awslambda"
            | "python_google_cloud_function" => self.plan_function(planner, target),
            _ => Err(Error::NotPackaged { target: address.clone(), kind: target.kind.clone() }),
        }
    }
}

/// Whether targets of this type are container images.
pub(super) fn is_image(kind: &str) -> bool {
    [kind::DOCKER_IMAGE, kind::OCI_IMAGE].contains(&kind)
}

/// The path of a package below the directory for results: the field `output_path`, or else `dir.of.target/name.suffix`. The
/// placeholders are those of Pants.
pub(super) fn output_path(target: &Target, suffix: &str) -> Result<RelPath, Error> {
    let address = &target.address;
    let dir = address.dir.as_str().replace('/', ".");
    let generated = address.generated.as_deref().map(|name| name.replace('.', "_"));
    let mut name = generated.unwrap_or_else(|| address.name.clone());
    if !address.parameters.is_empty() {
        let parameters: Vec<String> = address.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
        name += &format!("@{}", parameters.join(","));
    }
    let file_suffix = if suffix.is_empty() { String::new() } else { format!(".{suffix}") };
    let written = target.text("output_path");
    let path = match written {
        Some(path) if path.contains("${") => path
            .replace("${spec_path_normalized}", if dir.is_empty() { "." } else { &dir })
            .replace("${target_name_normalized}", &name)
            .replace("${file_suffix}", &file_suffix),
        Some(path) => path.to_owned(),
        None if dir.is_empty() => format!("{name}{file_suffix}"),
        None => format!("{dir}/{name}{file_suffix}"),
    };
    RelPath::parse(&path).map_err(|source| Error::OutputPath { target: address.clone(), path, source })
}
