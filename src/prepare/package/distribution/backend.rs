//! The build backend of a project, and the environment that it runs in. Its packages come from the built-in lock of build
//! backends where that has them; others are pinned once, in a file that the user commits.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Error;
use crate::action::Source;
use crate::base::RelPath;
use crate::config::typed::SystemSettings;
use crate::packaging::requirement::{self, Requirement};
use crate::packaging::resolve::{self, SelectedPackage};
use crate::plan::interpreter::Interpreter;
use crate::plan::requirements;
use crate::prepare::{self, Planner, locks};
use crate::session::{self, Session, toolchains};
use crate::targets::Target;
use crate::tools;

/// The backend of projects that name none (PEP 517).
const LEGACY: &str = "setuptools.build_meta:__legacy__";

/// The build backend of a project.
pub(super) struct Backend {
    /// A module, or a module and an attribute.
    pub name: String,
    /// Directories of the project that contain the backend.
    pub path: Vec<String>,
    /// What the build requires; `None` for the packages of the tool `setuptools`.
    pub requires: Option<Vec<Requirement>>,
}

/// The section `[build-system]` of pyproject.toml.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct BuildSystem {
    build_backend: Option<String>,
    backend_path: Vec<String>,
    requires: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Pyproject {
    build_system: BuildSystem,
}

/// The backend that pyproject.toml in the directory of the project names, or else setuptools.
pub(super) fn find(
    session: &Session,
    target: &Target,
    dir: &RelPath,
    origins: &BTreeMap<RelPath, RelPath>,
) -> Result<Backend, Error> {
    let default = || Backend { name: LEGACY.to_owned(), path: Vec::new(), requires: None };
    let file = dir.push("pyproject.toml").ok().and_then(|file| origins.get(&file));
    let Some(file) = file else { return Ok(default()) };
    let fail = |why: String| Error::BuildSystem { target: target.address.clone(), file: file.to_string(), why };
    let text = session.context.tracker.read_to_string(&file.to_path(session.build_root()));
    let text = text.map_err(|error| fail(error.to_string()))?;
    let system = toml::from_str::<Pyproject>(&text).map_err(|error| fail(error.to_string()))?.build_system;
    let Some(requires) = system.requires else { return Ok(default()) };
    let parse = |text: &String| {
        requirement::parse(text).map_err(|source| Error::BuildRequirement {
            target: target.address.clone(),
            requirement: text.clone(),
            file: file.to_string(),
            source,
        })
    };
    Ok(Backend {
        name: system.build_backend.unwrap_or_else(|| LEGACY.to_owned()),
        path: system.backend_path,
        requires: Some(requires.iter().map(parse).collect::<Result<_, _>>()?),
    })
}

impl Planner<'_> {
    /// A venv image with what a build requires; without `requires`, with setuptools.
    pub(super) fn build_image(
        &mut self,
        constraints: &[String],
        requires: &Option<Vec<Requirement>>,
    ) -> Result<Source, prepare::Error> {
        let chosen = match requires {
            Some(requires) => self.build_packages(constraints, requires)?,
            None => {
                let setuptools = tools::named("setuptools").expect("setuptools is described");
                self.tool_packages(constraints, &setuptools)?
            }
        };
        self.compose_image(constraints, &[], &chosen)
    }

    fn build_packages(
        &mut self,
        constraints: &[String],
        requires: &[Requirement],
    ) -> Result<Vec<SelectedPackage>, prepare::Error> {
        let environment = self.environment(constraints)?;
        let lock = requirements::parse_built_in("build backends", tools::SDIST_LOCK)?;
        match resolve::resolve(&lock, requires, &environment) {
            Err(resolve::Error::NotLocked { .. }) => {
                let texts: BTreeSet<String> = requires.iter().map(requirement::canonical).collect();
                let name = lock_name(&texts);
                let lock = locks::tool_lock(self.session, &name, constraints, texts)?;
                Ok(resolve::resolve_whole(&lock, &environment).map_err(requirements::Error::from)?)
            }
            chosen => Ok(chosen.map_err(requirements::Error::from)?),
        }
    }

    /// The interpreter that builds a distribution. Its system tree has the packages that `[system.build_packages]` names
    /// for the distribution.
    pub(super) fn build_interpreter(
        &mut self,
        constraints: &[String],
        distribution: &str,
    ) -> Result<Interpreter, prepare::Error> {
        let packages = SystemSettings::parse(self.config()).build_packages(distribution);
        if packages.is_empty() {
            return self.interpreter(constraints);
        }
        let toolchain = toolchains::ensure_with(self.session, constraints, &packages)?;
        Ok(toolchains::interpreter(&toolchain).ok_or(session::Error::NoInterpreter)?)
    }
}

/// The name of the lock of a set of build requirements, which is part of a file name: `build-hatchling-1.21.0`.
fn lock_name(requirements: &BTreeSet<String>) -> String {
    let joined = requirements.iter().map(String::as_str).collect::<Vec<_>>().join("-");
    let clean: String = joined.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let parts: Vec<&str> = clean.split('-').filter(|part| !part.is_empty()).collect();
    let name = parts.join("-");
    match name.len() {
        0..=60 => format!("build-{name}"),
        _ => format!("build-{}-{}", &name[..40], &crate::base::Digest::of(joined.as_bytes()).hex()[..12]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_lock_is_short_and_distinct() {
        let name = |texts: &[&str]| lock_name(&texts.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(name(&["hatchling==1.21.0"]), "build-hatchling-1.21.0");
        let [one, other] = ["a", "b"].map(|last| name(&["setuptools>=61", "wheel", &"x".repeat(60), last]));
        assert!(one.len() < 70 && one != other);
    }
}
