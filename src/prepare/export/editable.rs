//! The distributions of this repository in exported environments: installed as editable, so that their sources are imported from the
//! repository, and their metadata, entry points and scripts are those of their wheels. The wheels are planned in `package`.

use std::collections::BTreeSet;

use crate::action::StepId;
use crate::base::RelPath;
use crate::config::typed::PythonSettings;
use crate::inference::{Dependencies, SourceRoots};
use crate::plan::venv;
use crate::prepare::package::PackagePlanner;
use crate::prepare::package::distribution::Form;
use crate::prepare::{Error, Planner};
use crate::targets::{Address, Target, TargetGraph, kind};

/// What an environment has of this repository.
#[derive(Clone, Debug, Default)]
pub(super) struct Installed {
    /// Steps whose output trees have the metadata and scripts of distributions.
    pub metadata: Vec<StepId>,
    /// The source roots of the code in these distributions.
    pub source_roots: BTreeSet<RelPath>,
}

/// Plans editable distributions.
pub(super) struct EditablePlanner<'g> {
    pub graph: &'g TargetGraph,
    pub dependencies: &'g Dependencies,
    pub roots: &'g SourceRoots,
    pub packages: PackagePlanner<'g>,
}

impl EditablePlanner<'_> {
    /// The distributions that contain code of a resolve.
    pub(super) fn plan(&mut self, planner: &mut Planner<'_>, resolve: &str) -> Result<Installed, Error> {
        let default = PythonSettings::parse(planner.config()).default_resolve;
        let distributions = self.graph.targets().filter(|target| target.kind == kind::PYTHON_DISTRIBUTION);
        let distributions: Vec<&Address> = distributions.map(|target| &target.address).collect();
        let mut installed = Installed::default();
        for address in distributions {
            if !self.resolves(address, &default).contains(resolve) {
                continue;
            }
            let wheel = self.packages.plan_form(planner, address, Form::Wheel)?;
            installed.metadata.push(venv::unpack_metadata(&mut planner.actions, wheel.step));
            let files = self.packages.provided_files(address);
            let roots = files.iter().map(|file| self.roots.find_for_file(file).unwrap_or_default());
            installed.source_roots.extend(roots);
        }
        Ok(installed)
    }

    /// The resolves of the sources that a distribution depends on.
    fn resolves<'t>(&'t self, distribution: &Address, default: &'t str) -> BTreeSet<&'t str> {
        let needed = self.dependencies.transitive([distribution]);
        let sources = needed.iter().filter_map(|address| self.graph.get(address));
        let sources = sources.filter(|target| target.kind == kind::PYTHON_SOURCE);
        sources.map(|target| resolve_of(target).unwrap_or(default)).collect()
    }
}

fn resolve_of(target: &Target) -> Option<&str> {
    target.text("resolve")
}
