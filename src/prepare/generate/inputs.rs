//! The input files of a command: the sources of the targets that it names and of everything that these depend on, the files that they
//! generate, and the packages among them.

use std::collections::BTreeSet;

use crate::action::Source;
use crate::base::RelPath;
use crate::inference::InferenceSettings;
use crate::inference::closure::{Closures, Follow};
use crate::prepare::generate::Error;
use crate::prepare::package::{self, PackagePlanner, distribution};
use crate::prepare::{Error as PrepareError, Planner};
use crate::targets::dependencies::explicit_in_field;
use crate::targets::{Address, Kind, Target, TargetGraph, kind};

impl Planner<'_> {
    /// The trees that a command runs on.
    pub(super) fn input_trees(&mut self, graph: &TargetGraph, target: &Target) -> Result<Vec<Source>, PrepareError> {
        // As in Pants, the dependencies of the outputs are inputs if there are no others.
        let field = match target.is_set("execution_dependencies") {
            true => "execution_dependencies",
            false => "output_dependencies",
        };
        let roots = addresses_in_field(graph, target, field)?;
        let dependencies = self.session.infer_for(&roots.iter().cloned().collect())?;
        let mut members = dependencies.transitive_without_special(&roots);
        members.extend(roots.iter().cloned());
        self.session.report_inference(&dependencies, &members)?;
        let settings = InferenceSettings::from_config(self.config())?;
        let source_roots = self.session.find_source_roots()?;
        let closures = Closures::new(graph, &dependencies, &settings, &source_roots);
        let closure = closures.compute(&roots, Follow::All);
        let files = members.iter().filter_map(|member| graph.get(member)).filter(|member| has_files(member));
        let mut files: BTreeSet<&RelPath> = files.flat_map(|member| &member.sources).collect();
        files.extend(closure.files.iter().copied());
        let sources = self.session.services.open_sources()?;
        let mut trees = vec![Source::Tree(sources.tree_with_moved(files, &closure.relocated)?)];
        trees.extend(self.generated_trees(closure.generated.iter().copied(), |_| true)?);
        let packages = members.iter().filter(|member| graph.get(member).is_some_and(is_package));
        trees.extend(self.package_trees(graph, packages.cloned().collect())?);
        Ok(trees)
    }

    /// The trees of packages, at their paths below the directory for results.
    fn package_trees(&mut self, graph: &TargetGraph, packages: Vec<Address>) -> Result<Vec<Source>, PrepareError> {
        if packages.is_empty() {
            return Ok(Vec::new());
        }
        let dependencies = self.session.infer_for(&distribution::candidates(graph, &packages))?;
        let settings = InferenceSettings::from_config(self.config())?;
        let roots = self.session.find_source_roots()?;
        let closures = Closures::new(graph, &dependencies, &settings, &roots);
        let mut planner = PackagePlanner::new(graph, &dependencies, &closures, &roots);
        packages.iter().map(|package| Ok(Source::Output(planner.plan(self, package)?.step))).collect()
    }
}

/// The targets that a field names, with generators replaced by the targets that they generate.
pub(super) fn addresses_in_field(graph: &TargetGraph, target: &Target, field: &str) -> Result<Vec<Address>, Error> {
    let explicit = explicit_in_field(graph, target, field);
    match explicit.errors.into_iter().next() {
        Some(source) => Err(Error::Address { target: target.address.clone(), source }),
        None => Ok(explicit.include),
    }
}

/// Whether the sources of a target are inputs of a command that depends on it. Files of requirements and lockfiles, which targets of
/// Pants itself have, are not.
fn has_files(target: &Target) -> bool {
    !target.kind.starts_with('_') && !Kind::find(&target.kind).is_some_and(Kind::is_generator)
}

fn is_package(target: &Target) -> bool {
    package::KINDS.contains(&target.kind.as_str()) || target.kind == kind::DOCKER_IMAGE
}
