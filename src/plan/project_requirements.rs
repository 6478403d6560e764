//! The packages that a project of the repository sees, selected from a lockfile that has projects. Which ones these are is decided in
//! `packaging::resolve`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uv_normalize::PackageName;

use crate::base::RelPath;
use crate::packaging::resolve::{self, ProjectPackages, SelectedPackage};
use crate::packaging::{Environment, Requirement, requirement};
use crate::plan::requirements::{Error, Locks, Wanted, platform};

/// The packages of a project, as they are cached.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LockedProjectPackages {
    /// What is installed.
    pub packages: Vec<SelectedPackage>,
    /// Why packages are left out that no code needs, one message for each.
    pub left_out: Vec<String>,
    /// Those that no code needs, if some come from version control.
    pub optional: BTreeSet<PackageName>,
}

/// Selects the packages that a project of the repository sees from the lockfile of a resolve. `dir` is its directory, and
/// `tool` what its processes need besides.
pub fn select_project_packages(
    locks: &mut Locks,
    resolve: &str,
    dir: &RelPath,
    tool: Option<&Requirement>,
    wanted: &Wanted,
    environment: &Environment,
) -> Result<LockedProjectPackages, Error> {
    let lock = locks.load_resolve(resolve, "a project")?;
    let ProjectPackages { packages, left_out, optional } =
        resolve::resolve_project(&lock, dir, tool, &wanted.parse(), environment)?;
    let left_out = left_out.iter().map(ToString::to_string).collect();
    Ok(LockedProjectPackages { packages, left_out, optional })
}

/// The cache key of `select_project_packages`; `None` if the lockfile is missing.
pub fn project_packages_key(
    locks: &Locks,
    resolve: &str,
    dir: &RelPath,
    tool: Option<&Requirement>,
    wanted: &Wanted,
    environment: &Environment,
) -> Option<Value> {
    let lock = locks.fingerprint_resolve(resolve)?;
    let tool = tool.map(requirement::canonical);
    Some(json!(["project-packages-2", lock, dir.as_str(), tool, wanted.requirements, platform(environment)]))
}
