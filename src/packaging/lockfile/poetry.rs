//! Reads `poetry.lock` (versions 1 and 2 of its format): TOML with one table for each package, which says in which groups of
//! dependencies it is and under which markers. The requirements of the project itself are not in the file.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::{Table, Value};
use uv_normalize::{ExtraName, PackageName};
use uv_pep440::VersionSpecifiers;
use uv_pep508::MarkerTree;

use super::projects::{LockedProject, LockedProjects};
use super::{Artifact, Error, File, GitSource, Lock, Package, Problem, Unavailable, file_name_of, sha256_of};
use crate::base::RelPath;
use crate::config::poetry::versions_without_alternatives;
use crate::packaging::requirement::{self, Requirement};
use crate::targets::poetry::requirement_text;

const FORMAT: &str = "poetry.lock lockfile";

/// The group of the dependencies of the project itself.
const MAIN: &str = "main";

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    package: Vec<Locked>,
    /// The names of the packages of each extra of the project.
    #[serde(default)]
    extras: BTreeMap<String, Vec<String>>,
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    lock_version: String,
    python_versions: Option<String>,
    /// The files of each package, in version 1 of the format.
    #[serde(default)]
    files: BTreeMap<String, Vec<Distribution>>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    #[serde(default)]
    optional: bool,
    /// In version 1 of the format.
    category: Option<String>,
    /// Since version 2.1 of the format.
    groups: Option<Vec<String>>,
    /// One marker, or one for each group.
    markers: Option<Value>,
    #[serde(default)]
    files: Vec<Distribution>,
    #[serde(default)]
    dependencies: Table,
    #[serde(default)]
    extras: BTreeMap<String, Vec<String>>,
    source: Option<Source>,
}

#[derive(Deserialize)]
struct Distribution {
    file: String,
    hash: String,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
    url: String,
    resolved_reference: Option<String>,
    subdirectory: Option<String>,
}

pub(super) fn read(file: &File<'_>) -> Result<Lock, Error> {
    let document: Document = file.toml(FORMAT)?;
    if !["1", "2"].contains(&document.metadata.lock_version.split('.').next().unwrap_or_default()) {
        let what = format!("version {} of Poetry's lockfile", document.metadata.lock_version);
        return Err(file.error_near("lock-version", Problem::Unsupported(what)));
    }
    let mut names = BTreeSet::new();
    for locked in &document.package {
        names.insert(package_name(file, locked)?);
    }
    let (mut packages, mut projects) = (Vec::new(), Vec::new());
    for locked in &document.package {
        // Some packages of build tools are required without being locked.
        let mut requires = requires(file, locked)?;
        requires.retain(|required| names.contains(&required.name));
        match project_dir(locked) {
            Some(dir) => {
                let name = Some(package_name(file, locked)?);
                projects.push(LockedProject { name, dir, requires, groups: BTreeMap::new() });
            }
            None => packages.push(package(file, &document, locked, requires)?),
        }
    }
    let root = root(file, &document)?;
    let roots = root.requires.iter().chain(root.groups.values().flatten()).cloned().collect();
    projects.push(root);
    let python = document.metadata.python_versions.as_deref().and_then(python_versions);
    Ok(Lock {
        label: file.label.to_owned(),
        packages,
        roots,
        requires_python: python.into_iter().collect(),
        has_edges: true,
        excluded: BTreeSet::new(),
        metadata: None,
        projects: LockedProjects { projects, conflicts: Vec::new() },
    })
}

/// The locked project. The lockfile does not say which packages it requires itself, so that it requires all of its groups.
fn root(file: &File<'_>, document: &Document) -> Result<LockedProject, Error> {
    let mut root = LockedProject { name: None, dir: RelPath::root(), requires: Vec::new(), groups: BTreeMap::new() };
    for locked in &document.package {
        let near = |error: requirement::Error| file.error_near(&named(locked), error.into());
        let by_extra = document.extras.iter().filter(|(_, names)| names.iter().any(|name| is_named(locked, name)));
        for group in groups(locked) {
            let marker = marker(file, locked, Some(group))?;
            let mut required = requirement::parse(&format!("{}=={}", locked.name, locked.version)).map_err(near)?;
            required.marker = marker;
            match group {
                MAIN if locked.optional => {
                    for (extra, _) in by_extra.clone() {
                        root.requires
                            .extend(extra_name(file, extra).map(|extra| required.clone().with_extra_marker(extra)));
                    }
                }
                MAIN => root.requires.push(required),
                group => root.groups.entry(group.to_owned()).or_default().push(required),
            }
        }
    }
    Ok(root)
}

/// The groups that a package belongs to.
fn groups(locked: &Locked) -> Vec<&str> {
    match &locked.groups {
        Some(groups) => groups.iter().map(String::as_str).collect(),
        None => vec![locked.category.as_deref().unwrap_or(MAIN)],
    }
}

fn is_named(locked: &Locked, name: &str) -> bool {
    PackageName::from_owned(name.to_owned())
        .is_ok_and(|name| name.as_ref() == locked.name.to_lowercase().replace(['_', '.'], "-"))
}

fn extra_name(_file: &File<'_>, extra: &str) -> Option<ExtraName> {
    ExtraName::from_owned(extra.to_owned()).ok()
}

fn named(locked: &Locked) -> String {
    format!("name = \"{}\"", locked.name)
}

fn package_name(file: &File<'_>, locked: &Locked) -> Result<PackageName, Error> {
    let malformed =
        |error: uv_normalize::InvalidNameError| Problem::Malformed { format: FORMAT, why: error.to_string() };
    PackageName::from_owned(locked.name.clone()).map_err(|error| file.error_near(&named(locked), malformed(error)))
}

/// The directory of a project of this repository among the packages.
fn project_dir(locked: &Locked) -> Option<RelPath> {
    let source = locked.source.as_ref().filter(|source| source.kind == "directory")?;
    RelPath::root().resolve(&source.url).ok()
}

fn package(
    file: &File<'_>,
    document: &Document,
    locked: &Locked,
    requires: Vec<Requirement>,
) -> Result<Package, Error> {
    let near = |problem| file.error_near(&named(locked), problem);
    let kind = locked.source.as_ref().map_or("legacy", |source| &source.kind);
    let from = locked.source.as_ref().map(|source| source.url.as_str()).unwrap_or_default();
    let why = match kind {
        "git" => Some(format!("is installed from version control (`{from}`)")),
        "directory" | "file" => Some(format!("is installed from the local path `{from}`")),
        _ => None,
    };
    let url = (kind == "url").then(|| from.to_owned());
    let listed = if locked.files.is_empty() { document.metadata.files.get(&locked.name) } else { Some(&locked.files) };
    let artifacts = listed.into_iter().flatten().map(|distribution| {
        let sha256 = sha256_of(&distribution.hash).ok_or_else(|| Problem::NoHash { package: locked.name.clone() })?;
        let url = url.clone().filter(|url| file_name_of(url).as_ref() == Some(&distribution.file));
        Ok(Artifact { file_name: Some(distribution.file.clone()), url, sha256, size_bytes: None })
    });
    let invalid = |_| Problem::Malformed { format: FORMAT, why: format!("invalid version `{}`", locked.version) };
    Ok(Package {
        name: package_name(file, locked)?,
        version: locked.version.parse().map_err(|error| near(invalid(error)))?,
        requires,
        requires_python: None,
        // Whether an extra of the project is asked for follows from what its code requires.
        marker: marker(file, locked, None)?.simplify_extras_with(|_| true),
        platform_tag: None,
        artifacts: if why.is_none() { artifacts.collect::<Result<_, Problem>>().map_err(near)? } else { Vec::new() },
        git: git_source(locked),
        unavailable: why
            .map(|why| Unavailable { place: file.place_of_package(&locked.name, Some(&locked.version)), why }),
    })
}

fn git_source(locked: &Locked) -> Option<GitSource> {
    let source = locked.source.as_ref().filter(|source| source.kind == "git")?;
    let (url, commit) = (source.url.clone(), source.resolved_reference.clone()?);
    Some(GitSource { url, commit, subdirectory: source.subdirectory.clone() })
}

/// Under which marker a package is installed: for one group, or for any.
fn marker(file: &File<'_>, locked: &Locked, group: Option<&str>) -> Result<MarkerTree, Error> {
    let parse = |text: &str| {
        let problem = Problem::Malformed { format: FORMAT, why: format!("invalid marker `{text}`") };
        text.parse::<MarkerTree>().map_err(|_| file.error_near(&named(locked), problem))
    };
    match &locked.markers {
        None => Ok(MarkerTree::TRUE),
        Some(Value::String(text)) => parse(text),
        Some(markers) => {
            let of_group = |group: &str| match markers.get(group).and_then(Value::as_str) {
                Some(text) => parse(text),
                None => Ok(MarkerTree::TRUE),
            };
            let groups = group.map_or_else(|| groups(locked), |group| vec![group]);
            groups.into_iter().try_fold(MarkerTree::FALSE, |any, group| Ok(any.or(of_group(group)?)))
        }
    }
}

/// The dependencies of a package. Those that are optional belong to extras.
fn requires(file: &File<'_>, locked: &Locked) -> Result<Vec<Requirement>, Error> {
    let near = |error: requirement::Error| file.error_near(&named(locked), error.into());
    let mut requires = Vec::new();
    let mut optional: BTreeMap<PackageName, Vec<Requirement>> = BTreeMap::new();
    for (name, entry) in &locked.dependencies {
        let entries = match entry {
            Value::Array(entries) => entries.iter().collect(),
            entry => vec![entry],
        };
        for entry in entries {
            let required = parse_dependency(name, entry).map_err(near)?;
            match entry.get("optional").and_then(Value::as_bool) {
                Some(true) => optional.entry(required.name.clone()).or_default().push(required),
                _ => requires.push(required),
            }
        }
    }
    for (extra, texts) in &locked.extras {
        let Some(extra) = extra_name(file, extra) else { continue };
        // Such a text has the version in brackets. What is not locked is not among the dependencies.
        let names = texts.iter().filter_map(|text| requirement::parse_published(text).ok());
        let members = names.filter_map(|named| optional.get(&named.name)).flatten();
        requires.extend(members.map(|required| required.clone().with_extra_marker(extra.clone())));
    }
    Ok(requires)
}

/// Versions only distinguish between several locked ones. What has no form in PEP 440 is left out.
fn parse_dependency(name: &str, entry: &Value) -> Result<Requirement, requirement::Error> {
    let text = requirement_text(name, entry);
    let is_local = ["git", "url", "path"].iter().any(|key| entry.get(*key).is_some());
    if !is_local && let Ok(parsed) = requirement::parse(&text) {
        return Ok(parsed);
    }
    let marker = entry.get("markers").and_then(Value::as_str).map(|marker| format!(" ; {marker}")).unwrap_or_default();
    requirement::parse(&format!("{name}{marker}"))
}

fn python_versions(text: &str) -> Option<VersionSpecifiers> {
    versions_without_alternatives(text)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const HASH: &str = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

    fn lock(packages: &str, version: &str) -> Lock {
        let text = format!(
            "# This file is automatically @generated by Poetry\n\n{}\n[extras]\nfast = [\"speed\"]\n\n[metadata]\nlock-version = \"{version}\"\n\
             python-versions = \"^3.9\"\ncontent-hash = \"00\"\n",
            packages.replace("HASH", HASH)
        );
        parse("poetry.lock", &text, None).expect("readable")
    }

    const PACKAGES: &str = r#"[[package]]
name = "app-base"
version = "1.0"
optional = false
python-versions = ">=3.9"
groups = ["main", "dev"]
markers = {main = "python_version < \"3.11\""}
files = [{file = "app_base-1.0-py3-none-any.whl", hash = "HASH"}]

[package.dependencies]
tool = {version = ">=1,<3", extras = ["x"], markers = "sys_platform == 'linux'"}
setuptools = "*"
speed = {version = "^2 || ^3", optional = true}

[package.extras]
quick = ["speed (>=2,<4)", "unlocked (>1)"]

[[package]]
name = "speed"
version = "3.0"
optional = true
python-versions = "*"
groups = ["main"]
files = []

[[package]]
name = "tool"
version = "2.0"
optional = false
python-versions = "*"
groups = ["dev"]
files = []

[package.source]
type = "git"
url = "https://example.invalid/tool.git"
reference = "main"
resolved_reference = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
subdirectory = "python"

[[package]]
name = "lib"
version = "0.1"
optional = false
python-versions = "*"
groups = ["main"]
files = []
develop = true

[package.dependencies]
tool = "^2.0"

[package.source]
type = "directory"
url = "libs/lib"
"#;

    #[test]
    fn packages_groups_extras_and_sources_are_read() {
        let lock = lock(PACKAGES, "2.1");
        let names: Vec<&str> = lock.packages.iter().map(|package| package.name.as_ref()).collect();
        assert_eq!(names, ["app-base", "speed", "tool"]);
        let requires: Vec<String> = lock.packages[0].requires.iter().map(ToString::to_string).collect();
        assert_eq!(requires, ["tool[x]>=1,<3 ; sys_platform == 'linux'", "speed>=2,<3.0.0 ; extra == 'quick'"]);
        assert_eq!(lock.packages[0].artifacts[0].file_name.as_deref(), Some("app_base-1.0-py3-none-any.whl"));
        assert!(lock.packages[0].marker.is_true(), "in the group `dev` everywhere");
        let git = lock.packages[2].git.as_ref().expect("git");
        assert_eq!(
            (git.url.as_str(), git.subdirectory.as_deref()),
            ("https://example.invalid/tool.git", Some("python"))
        );
        assert_eq!(lock.requires_python[0].to_string(), ">=3.9, <4.0.0");

        let root = lock.projects.in_dir(&RelPath::root()).expect("root");
        let texts = |requires: &[Requirement]| requires.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            texts(&root.requires),
            ["app-base==1.0 ; python_full_version < '3.11'", "speed==3.0 ; extra == 'fast'", "lib==0.1"]
        );
        assert_eq!(texts(&root.groups["dev"]), ["app-base==1.0", "tool==2.0"]);
        assert_eq!(lock.projects.projects[0].dir.as_str(), "libs/lib");
    }

    #[test]
    fn earlier_versions_of_the_format_are_read() {
        let package = "[[package]]\nname = \"six\"\nversion = \"1\"\ncategory = \"dev\"\noptional = false\npython-versions = \"*\"\n";
        let lock = lock(package, "1.1");
        assert_eq!(lock.roots.iter().map(ToString::to_string).collect::<Vec<_>>(), ["six==1"]);
    }

    #[test]
    fn problems_are_reported_with_their_place() {
        let error = |text: &str| parse("poetry.lock", text, None).expect_err("a problem").to_string();
        let tail = "[metadata]\nlock-version = \"2.1\"\ncontent-hash = \"0\"\n";
        let six =
            "[[package]]\nname = \"six\"\nversion = \"1\"\nfiles = [{file = \"six-1.tar.gz\", hash = \"md5:0\"}]\n";
        assert_eq!(
            error(&format!("{six}{tail}")),
            "poetry.lock:2:1: `six` has no sha256 hash, so its files cannot be verified"
        );
        assert_eq!(
            error(&tail.replace("2.1", "3.0")),
            "poetry.lock:2:1: version 3.0 of Poetry's lockfile is not supported"
        );
    }
}
