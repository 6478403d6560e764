//! Plans distributions: which sources belong to one, its metadata, and the step that builds its wheel and source distribution.

use std::collections::BTreeSet;

use crate::prepare::package::{Package, PackagePlanner};
use crate::prepare::{Error, Planner};
use crate::targets::{Address, Target, TargetGraph, kind};

/// The targets whose dependencies must be known to plan packages: the packages, and all distributions, because each of them
/// may own sources of another.
pub fn candidates(graph: &TargetGraph, packages: &[Address]) -> BTreeSet<Address> {
    let distributions = graph.targets().filter(|target| target.kind == kind::PYTHON_DISTRIBUTION);
    packages.iter().cloned().chain(distributions.map(|target| target.address.clone())).collect()
}

impl PackagePlanner<'_> {
    pub(super) fn plan_distribution(&mut self, _: &mut Planner<'_>, target: &Target) -> Result<Package, Error> {
        Err(Error::NotPackaged { target: target.address.clone(), kind: target.kind.clone() })
    }
}
