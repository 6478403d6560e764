//! The packages that tests need: files that `runtime_package_dependencies` names, which are put beside the sources, and
//! distributions, which are installed with their metadata and entry points. The code that an installed distribution provides is
//! removed from the sources, so that the test imports what was packaged.

use std::collections::BTreeSet;

use crate::action::{Derive, Source, Step, StepId};
use crate::base::{Digest, RelPath};
use crate::inference::Dependencies;
use crate::inference::closure::Closure;
use crate::prepare::package::program;
use crate::prepare::test::TestPlanner;
use crate::prepare::{Error, Planner};
use crate::targets::{Address, Target, TargetGraph, dependencies, kind};

/// The packages of one process.
#[derive(Default)]
pub(super) struct NeededPackages {
    /// The steps that build files to put beside the sources.
    pub files: Vec<StepId>,
    /// The steps that unpack the wheels to install.
    pub installed: Vec<StepId>,
    /// The files of the repository that the installed wheels provide.
    pub provided: BTreeSet<RelPath>,
}

/// The types of packages that a test can need.
const PACKAGES: [&str; 3] = [kind::PYTHON_DISTRIBUTION, kind::PEX_BINARY, kind::ARCHIVE];

/// Whether the tests may need packages: one is among their dependencies, or a field names one.
pub(super) fn are_needed(graph: &TargetGraph, dependencies: &Dependencies, tests: &[Address]) -> bool {
    let is_package =
        |address: &Address| graph.get(address).is_some_and(|target| PACKAGES.contains(&target.kind.as_str()));
    let names_one = |address: &Address| {
        graph.get(address).is_some_and(|target| target.fields.contains_key("entry_point_dependencies"))
    };
    tests.iter().any(names_one) || dependencies.transitive(tests).iter().any(is_package)
}

impl TestPlanner<'_, '_> {
    /// Plans the packages that these tests need.
    pub(super) fn needed_packages(
        &mut self,
        tests: &[&Target],
        closure: &Closure<'_>,
    ) -> Result<NeededPackages, Error> {
        let mut needed = NeededPackages::default();
        for address in &closure.packages {
            needed.files.push(self.packages.plan(&mut self.planner, address)?.step);
        }
        let graph = self.planner.session.load_graph()?;
        let mut installed: BTreeSet<Address> = closure.distributions.iter().map(|address| (*address).clone()).collect();
        for target in tests {
            let entry_points = target.entries("entry_point_dependencies");
            for written in entry_points.iter().filter_map(|(distribution, _)| distribution.as_str()) {
                let named = dependencies::resolve(&graph, target, written);
                let fail = |source| program::Error::Address { target: target.address.clone(), source };
                installed.extend(named.map_err(fail)?);
            }
        }
        for distribution in &installed {
            needed.installed.push(self.packages.plan_installed(&mut self.planner, distribution)?);
            needed.provided.extend(self.packages.provided_files(distribution));
        }
        Ok(needed)
    }
}

impl Planner<'_> {
    /// A tree of sources with the files of packages.
    pub(super) fn with_packages(&mut self, sources: Digest, packages: &[StepId]) -> Source {
        if packages.is_empty() {
            return Source::Tree(sources);
        }
        let parts = std::iter::once(Source::Tree(sources)).chain(packages.iter().copied().map(Source::Output));
        let step = self.actions.add(Step::Derive(Derive {
            label: "sources with packages".to_owned(),
            recipe: "overlay-1",
            parameters: vec![String::new(); packages.len() + 1],
            parts: parts.collect(),
        }));
        Source::Output(step)
    }
}
