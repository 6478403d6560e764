//! What uv is asked to resolve for a lockfile: its requirements with the settings of its resolve, for Linux and macOS and all
//! interpreters of its constraints.

use std::collections::BTreeSet;

use uv_pep440::{Version, VersionSpecifiers};

use crate::config::typed::GenerateLockfilesSettings;
use crate::packaging::lockfile::Format;
use crate::packaging::lockfile::write::{Generated, spelling};
use crate::packaging::requirement::{self, parse_constraint};
use crate::plan::lock_run::{Project, ResolveOptions};
use crate::plan::requirements;
use crate::prepare::Error;
use crate::prepare::locks::resolver::ResolveRequest;

/// The operating systems of a PEX lockfile, whose packages have no markers.
const SYSTEMS: [&str; 2] = ["sys_platform == 'linux'", "sys_platform == 'darwin'"];

/// The newest minor version of Python 3 that constraints are checked for, and the patch versions of each.
const NEWEST_MINOR: u64 = 30;
const PATCHES: u64 = 40;

/// The resolution of a lockfile. `old` is the text that the file has.
pub(super) fn request(
    name: &str,
    requirements: &BTreeSet<String>,
    constraints: Vec<String>,
    generated: &Generated,
    format: Format,
    old: Option<&str>,
    settings: &GenerateLockfilesSettings,
) -> Result<ResolveRequest, Error> {
    let old_uv: Option<toml::Table> = old.filter(|_| format == Format::Uv).and_then(|old| old.parse().ok());
    let texts = |key: &str| -> Vec<String> {
        let found = old_uv.as_ref().and_then(|table| table.get(key)?.as_array());
        found.into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let project = Project {
        name: old_uv.as_ref().and_then(project_name).unwrap_or_else(|| format!("pants-lockfile-for-{name}")),
        requires_python: requires_python(&constraints)?,
        requirements: requirements.iter().cloned().collect(),
        constraints: generated.constraints.clone(),
        overrides: generated.overrides.clone(),
        excludes: excluded_names(&generated.excludes)?,
        environments: match format {
            Format::Pex => SYSTEMS.map(str::to_owned).to_vec(),
            _ => texts("supported-markers"),
        },
    };
    let options = ResolveOptions {
        fewest_versions: format == Format::Pex || old.is_some_and(|old| old.contains("fork-strategy = \"fewest\"")),
        only_binary: generated.only_binary.clone(),
        no_binary: generated.no_binary.clone(),
        upgrade_packages: settings.upgrade_package.clone(),
        uploaded_prior_to: generated.uploaded_prior_to.clone(),
    };
    let (old, upgrade) = (old.map(str::to_owned), settings.upgrade);
    Ok(ResolveRequest { owner: format!("`{name}`"), constraints, project, options, old, upgrade, pins: None })
}

/// The name of the project that an existing lockfile of uv was made for.
fn project_name(table: &toml::Table) -> Option<String> {
    let packages = table.get("package")?.as_array()?.iter();
    let mut projects = packages.filter(|package| {
        let source = package.get("source");
        source.is_some_and(|source| source.get("virtual").is_some())
    });
    Some(projects.next()?.get("name")?.as_str()?.to_owned())
}

/// The packages to leave out, by name: uv leaves out all versions of a package or none.
fn excluded_names(excludes: &[String]) -> Result<Vec<String>, Error> {
    let is_name = |text: &String| text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    match excludes.iter().find(|text| !is_name(text)) {
        Some(text) => Err(Error::UnsupportedExclude { requirement: text.clone() }),
        None => Ok(excludes.to_vec()),
    }
}

/// The Python versions that satisfy interpreter constraints, as one set of specifiers. Of several alternatives, everything
/// from the lowest to the highest minor version is included.
fn requires_python(constraints: &[String]) -> Result<String, Error> {
    if let [constraint] = constraints {
        let start = constraint.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(constraint.len());
        parse_constraint(constraint).map_err(invalid)?;
        return Ok(spelling::specifiers(&constraint[start..]));
    }
    let parsed: Result<Vec<VersionSpecifiers>, _> = constraints.iter().map(|text| parse_constraint(text)).collect();
    let parsed = parsed.map_err(invalid)?;
    let allows = |minor: &u64| {
        let allows_patch =
            |patch| parsed.iter().any(|specifiers| specifiers.contains(&Version::new([3, *minor, patch])));
        (0..PATCHES).any(allows_patch)
    };
    let minors: Vec<u64> = (0..=NEWEST_MINOR).filter(allows).collect();
    Ok(match (minors.first(), minors.last()) {
        (Some(first), Some(&NEWEST_MINOR)) => format!(">=3.{first}"),
        (Some(first), Some(last)) => format!(">=3.{first},<3.{}", last + 1),
        _ => constraints.join(","),
    })
}

fn invalid(error: requirement::Error) -> Error {
    requirements::Error::Constraint(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_become_one_range_of_python_versions() {
        let check = |constraints: &[&str], expected: &str| {
            let constraints: Vec<String> = constraints.iter().map(ToString::to_string).collect();
            assert_eq!(requires_python(&constraints).unwrap(), expected, "{constraints:?}");
        };
        check(&["CPython>=3.9,<3.11"], "<3.11,>=3.9");
        check(&["CPython==3.13.7"], "==3.13.7");
        check(&["==3.9.*", "==3.11.*"], ">=3.9,<3.12");
        check(&["==3.9.*", ">=3.11"], ">=3.9");
    }

    #[test]
    fn only_whole_packages_can_be_excluded() {
        let names = |text: &str| excluded_names(&[text.to_owned()]);
        assert!(names("ruamel.yaml").is_ok());
        assert!(names("six<2").is_err());
    }
}
