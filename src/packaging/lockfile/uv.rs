//! Reads `uv.lock`: TOML with one table for each package, and dependencies by name with markers.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use uv_normalize::{ExtraName, PackageName};
use uv_pep440::VersionSpecifiers;
use uv_pep508::MarkerTree;

use super::projects::{LockedProject, LockedProjects, Part, encode};
use super::{Artifact, Error, File, GitSource, Lock, Package, Problem, Unavailable, file_name_of, sha256_of};
use crate::base::RelPath;
use crate::packaging::requirement::{self, Requirement};

const FORMAT: &str = "uv lockfile";

#[derive(Deserialize)]
struct Document {
    version: u32,
    #[serde(default, rename = "requires-python")]
    requires_python: Option<String>,
    #[serde(default)]
    package: Vec<Locked>,
    #[serde(default)]
    manifest: Manifest,
    #[serde(default)]
    conflicts: Vec<Vec<ConflictPart>>,
}

/// What is not said by a package.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Manifest {
    /// The groups of a root without a project.
    #[serde(default)]
    dependency_groups: BTreeMap<String, Vec<Required>>,
}

/// A project, or an extra or group of one, that excludes others.
#[derive(Deserialize)]
struct ConflictPart {
    package: String,
    extra: Option<String>,
    group: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Locked {
    name: String,
    /// Absent for a project with a dynamic version.
    version: Option<String>,
    source: Source,
    /// The environments that this version applies to, if the lockfile contains several versions.
    #[serde(default)]
    resolution_markers: Vec<String>,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<Dependency>>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Vec<Dependency>>,
    sdist: Option<Distribution>,
    #[serde(default)]
    wheels: Vec<Distribution>,
    #[serde(default)]
    metadata: ProjectMetadata,
}

/// What a project requires, as it is written.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ProjectMetadata {
    #[serde(default)]
    requires_dist: Vec<Required>,
    /// By dependency group.
    #[serde(default)]
    requires_dev: BTreeMap<String, Vec<Required>>,
}

#[derive(Deserialize)]
struct Required {
    name: String,
    #[serde(default)]
    extras: Vec<String>,
    #[serde(default)]
    specifier: String,
    url: Option<String>,
    marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    Registry(IgnoredAny),
    Url(String),
    Git(String),
    Path(String),
    Directory(String),
    Editable(String),
    Virtual(String),
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    version: Option<String>,
    #[serde(default)]
    extra: Vec<String>,
    marker: Option<String>,
}

#[derive(Deserialize)]
struct Distribution {
    url: Option<String>,
    path: Option<String>,
    filename: Option<String>,
    hash: Option<String>,
    size: Option<u64>,
}

pub(super) fn read(file: &File<'_>) -> Result<Lock, Error> {
    let document: Document = file.toml(FORMAT)?;
    if document.version != 1 {
        return Err(
            file.error_near("version", Problem::Unsupported(format!("version {} of uv's lockfile", document.version)))
        );
    }
    let mut packages = Vec::new();
    let mut roots = Vec::new();
    let mut names = BTreeSet::new();
    let mut projects = LockedProjects { projects: Vec::new(), conflicts: conflicts(&document) };
    for locked in &document.package {
        // The project that was locked is not installed itself; its dependencies are the roots.
        let Some(dir) = project_dir(&locked.source) else {
            packages.push(package(file, locked)?);
            continue;
        };
        names.insert(requirement::parse(&locked.name).ok().map(|project| project.name));
        roots.extend(project_requires(file, locked)?);
        projects.projects.push(project(file, locked, dir)?);
    }
    let groups = &document.manifest.dependency_groups;
    if !groups.is_empty() {
        let groups = requirements_by_group(groups, |required| {
            required.parse().map_err(|error| file.error_near(&required.name, error.into()))
        })?;
        roots.extend(groups.values().flatten().cloned());
        projects.projects.push(LockedProject { name: None, dir: RelPath::root(), requires: Vec::new(), groups });
    }
    // Projects of the repository are no packages: what requires them gets their sources.
    roots.retain(|required: &Requirement| !names.contains(&Some(required.name.clone())));
    let requires_python = document.requires_python.as_deref().map(|text| specifiers(file, text)).transpose()?;
    Ok(Lock {
        label: file.label.to_owned(),
        packages,
        roots,
        requires_python: requires_python.into_iter().collect(),
        has_edges: true,
        excluded: BTreeSet::new(),
        metadata: None,
        projects,
    })
}

/// The directory of a project of the repository. One that is installed from its directory without being editable counts, too: its code is
/// in the repository.
fn project_dir(source: &Source) -> Option<RelPath> {
    match source {
        Source::Virtual(dir) | Source::Editable(dir) => Some(RelPath::root().resolve(dir).unwrap_or_default()),
        Source::Directory(dir) => RelPath::root().resolve(dir).ok(),
        _ => None,
    }
}

fn project(file: &File<'_>, locked: &Locked, dir: RelPath) -> Result<LockedProject, Error> {
    let near = |problem| file.error_near(&format!("name = \"{}\"", locked.name), problem);
    let malformed =
        |error: uv_normalize::InvalidNameError| near(Problem::Malformed { format: FORMAT, why: error.to_string() });
    let parse = |dependency: &Dependency| requirement_of(dependency).map_err(|error| near(error.into()));
    Ok(LockedProject {
        name: Some(PackageName::from_owned(locked.name.clone()).map_err(malformed)?),
        dir,
        requires: requires(file, locked)?,
        groups: requirements_by_group(&locked.dev_dependencies, parse)?,
    })
}

fn requirements_by_group<T>(
    groups: &BTreeMap<String, Vec<T>>,
    parse: impl Fn(&T) -> Result<Requirement, Error>,
) -> Result<BTreeMap<String, Vec<Requirement>>, Error> {
    let parse_all =
        |(name, group): (&String, &Vec<T>)| Ok((name.clone(), group.iter().map(&parse).collect::<Result<_, _>>()?));
    groups.iter().map(parse_all).collect()
}

fn conflicts(document: &Document) -> Vec<BTreeSet<ExtraName>> {
    let part = |part: &ConflictPart| match (&part.extra, &part.group) {
        (Some(extra), _) => encode(&part.package, Part::Extra(extra)),
        (None, Some(group)) => encode(&part.package, Part::Group(group)),
        (None, None) => encode(&part.package, Part::Project),
    };
    document.conflicts.iter().map(|set| set.iter().filter_map(part).collect()).collect()
}

fn package(file: &File<'_>, locked: &Locked) -> Result<Package, Error> {
    let near = |problem| file.error_near(&format!("name = \"{}\"", locked.name), problem);
    let malformed = |why: String| near(Problem::Malformed { format: FORMAT, why });
    let unavailable = match &locked.source {
        Source::Git(from) => Some(format!("is installed from version control (`{from}`)")),
        Source::Directory(from) | Source::Path(from) => Some(format!("is installed from the local path `{from}`")),
        Source::Registry(_) | Source::Url(_) | Source::Editable(_) | Source::Virtual(_) => None,
    };
    let version = locked.version.as_deref().unwrap_or("0");
    let artifacts = if unavailable.is_none() { artifacts(locked).map_err(near)? } else { Vec::new() };
    Ok(Package {
        name: PackageName::from_owned(locked.name.clone()).map_err(|error| malformed(error.to_string()))?,
        version: version.parse().map_err(|_| malformed(format!("invalid version `{version}`")))?,
        requires: requires(file, locked)?,
        requires_python: None,
        marker: any_of(file, &locked.resolution_markers)?,
        platform_tag: None,
        artifacts,
        unavailable: unavailable
            .map(|why| Unavailable { place: file.place_of_package(&locked.name, locked.version.as_deref()), why }),
        git: match &locked.source {
            Source::Git(from) => git_source(from),
            _ => None,
        },
    })
}

/// The commit in a URL such as `https://example.invalid/a.git?subdirectory=b&tag=v1#0123…`; `None` without a whole commit.
fn git_source(from: &str) -> Option<GitSource> {
    let (place, commit) = from.rsplit_once('#')?;
    let is_whole = matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (url, query) = place.split_once('?').unwrap_or((place, ""));
    let subdirectory = query.split('&').find_map(|part| part.strip_prefix("subdirectory="));
    let subdirectory =
        subdirectory.map(|dir| percent_encoding::percent_decode_str(dir).decode_utf8_lossy().into_owned());
    let url = url.strip_prefix("git+").unwrap_or(url).to_owned();
    is_whole.then(|| GitSource { url, commit: commit.to_owned(), subdirectory })
}

fn artifacts(locked: &Locked) -> Result<Vec<Artifact>, Problem> {
    let source_url = if let Source::Url(url) = &locked.source { Some(url) } else { None };
    let distributions = locked.wheels.iter().chain(&locked.sdist);
    let artifacts = distributions.map(|distribution| {
        let no_hash = || Problem::NoHash { package: locked.name.clone() };
        let sha256 = distribution.hash.as_deref().and_then(sha256_of).ok_or_else(no_hash)?;
        let url = distribution.url.as_ref().or(source_url).cloned();
        let named = distribution.filename.clone();
        let file_name =
            named.or_else(|| file_name_of(url.as_deref().or(distribution.path.as_deref()).unwrap_or_default()));
        Ok(Artifact { file_name, url, sha256, size_bytes: distribution.size })
    });
    artifacts.collect()
}

fn requires(file: &File<'_>, locked: &Locked) -> Result<Vec<Requirement>, Error> {
    let near = |problem| file.error_near(&format!("name = \"{}\"", locked.name), problem);
    let mut requires = Vec::new();
    for dependency in &locked.dependencies {
        requires.push(requirement_of(dependency).map_err(|error| near(error.into()))?);
    }
    for (extra, dependencies) in &locked.optional_dependencies {
        let why =
            |error: uv_normalize::InvalidNameError| near(Problem::Malformed { format: FORMAT, why: error.to_string() });
        let extra = ExtraName::from_owned(extra.clone()).map_err(why)?;
        for dependency in dependencies {
            let requirement = requirement_of(dependency).map_err(|error| near(error.into()))?;
            requires.push(requirement.with_extra_marker(extra.clone()));
        }
    }
    Ok(requires)
}

/// The requirements of a project and of its dependency groups: with version specifiers where the lockfile has them.
fn project_requires(file: &File<'_>, locked: &Locked) -> Result<Vec<Requirement>, Error> {
    let near = |error: requirement::Error| file.error_near(&format!("name = \"{}\"", locked.name), error.into());
    let ProjectMetadata { requires_dist, requires_dev } = &locked.metadata;
    let mut all = if requires_dist.is_empty() { requires(file, locked)? } else { Vec::new() };
    for required in requires_dist.iter().chain(requires_dev.values().flatten()) {
        all.push(required.parse().map_err(near)?);
    }
    Ok(all)
}

impl Required {
    fn parse(&self) -> Result<Requirement, requirement::Error> {
        let extras = if self.extras.is_empty() { String::new() } else { format!("[{}]", self.extras.join(",")) };
        let place = self.url.as_ref().map(|url| format!(" @ {url}")).unwrap_or_default();
        let marker = self.marker.as_ref().map(|marker| format!(" ; {marker}")).unwrap_or_default();
        requirement::parse(&format!("{}{extras}{}{place}{marker}", self.name, self.specifier))
    }
}

fn requirement_of(dependency: &Dependency) -> Result<Requirement, requirement::Error> {
    let mut text = dependency.name.clone();
    if !dependency.extra.is_empty() {
        text += &format!("[{}]", dependency.extra.join(","));
    }
    if let Some(version) = &dependency.version {
        text += &format!("=={version}");
    }
    if let Some(marker) = &dependency.marker {
        text += &format!(" ; {marker}");
    }
    requirement::parse(&text)
}

fn any_of(file: &File<'_>, markers: &[String]) -> Result<MarkerTree, Error> {
    if markers.is_empty() {
        return Ok(MarkerTree::TRUE);
    }
    markers.iter().try_fold(MarkerTree::FALSE, |any, text| {
        let refuse =
            |_| file.error_near(text, Problem::Malformed { format: FORMAT, why: format!("invalid marker `{text}`") });
        Ok(any.or(text.parse::<MarkerTree>().map_err(refuse)?))
    })
}

fn specifiers(file: &File<'_>, text: &str) -> Result<VersionSpecifiers, Error> {
    requirement::parse_constraint(text).map_err(|error| file.error_near(text, error.into()))
}

#[cfg(test)]
mod tests {
    use super::super::{GitSource, parse};

    const HASH: &str = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

    fn lock_of(packages: &str) -> String {
        format!("version = 1\nrevision = 3\nrequires-python = \">=3.9\"\n\n{}", packages.replace("HASH", HASH))
    }

    #[test]
    fn edges_extras_and_files_are_read() {
        let text = lock_of(
            r#"[[package]]
name = "app"
source = { virtual = "." }
dependencies = [{ name = "redis", extra = ["hiredis"] }]

[[package]]
name = "redis"
version = "5.0"
source = { registry = "https://index.example.invalid/simple" }
dependencies = [{ name = "async-timeout", marker = "python_full_version < '3.11'" }]
wheels = [{ url = "https://example.invalid/redis-5.0-py3-none-any.whl", hash = "HASH", size = 7 }]

[package.optional-dependencies]
hiredis = [{ name = "hiredis", version = "1.0" }]
"#,
        );
        let lock = parse("uv.lock", &text, None).expect("readable");
        assert_eq!(lock.roots[0].to_string(), "redis[hiredis]");
        assert_eq!(lock.packages.len(), 1);
        let requires: Vec<String> = lock.packages[0].requires.iter().map(ToString::to_string).collect();
        assert_eq!(requires, ["async-timeout ; python_full_version < '3.11'", "hiredis==1.0 ; extra == 'hiredis'"]);
        assert_eq!(lock.packages[0].artifacts[0].size_bytes, Some(7));
    }

    #[test]
    fn the_roots_are_the_requirements_and_groups_of_projects_without_the_projects() {
        let text = lock_of(
            r#"[[package]]
name = "app"
source = { virtual = "." }

[package.metadata]
requires-dist = [{ name = "my-lib", editable = "lib" }, { name = "six", specifier = ">=1" }]

[package.metadata.requires-dev]
dev = [{ name = "pytest" }]

[[package]]
name = "my-lib"
source = { editable = "lib" }
"#,
        );
        let lock = parse("uv.lock", &text, None).expect("readable");
        assert_eq!(lock.roots.iter().map(ToString::to_string).collect::<Vec<_>>(), ["six>=1", "pytest"]);
    }

    #[test]
    fn a_file_without_a_hash_is_rejected_with_its_location() {
        let text = lock_of(
            "[[package]]\nname = \"six\"\nversion = \"1\"\nsource = { registry = \"r\" }\nsdist = { url = \"https://example.invalid/six-1.tar.gz\" }\n",
        );
        let error = parse("uv.lock", &text, None).expect_err("no hash");
        assert_eq!(error.to_string(), "uv.lock:6:1: `six` has no sha256 hash, so its files cannot be verified");
    }

    #[test]
    fn malformed_toml_is_rejected_with_its_location() {
        let error = parse("uv.lock", &lock_of("[[package]]\nname = \n"), None).expect_err("broken");
        assert!(error.to_string().starts_with("uv.lock:6:8: invalid uv lockfile: "), "{error}");
    }

    #[test]
    fn newer_versions_are_rejected_by_name() {
        let error = parse("uv.lock", "version = 2\nrequires-python = \">=3.9\"\n", None).expect_err("future");
        assert_eq!(error.to_string(), "uv.lock:1:1: version 2 of uv's lockfile is not supported");
    }

    #[test]
    fn versions_for_different_interpreters_have_their_markers() {
        let text = lock_of(
            "[[package]]\nname = \"n\"\nversion = \"1\"\nsource = { registry = \"r\" }\nresolution-markers = [\"python_full_version < '3.10'\"]\n\
             [[package]]\nname = \"n\"\nversion = \"2\"\nsource = { git = \"https://example.invalid/n?subdirectory=b%20c&rev=main#0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a\" }\n",
        );
        let lock = parse("uv.lock", &text, None).expect("readable");
        assert!(!lock.packages[0].marker.is_true());
        let unavailable = lock.packages[1].unavailable.as_ref().expect("git");
        let expected = GitSource {
            url: "https://example.invalid/n".to_owned(),
            commit: "0a".repeat(20),
            subdirectory: Some("b c".to_owned()),
        };
        assert_eq!(lock.packages[1].git, Some(expected));
        assert!(unavailable.why.contains("version control") && unavailable.place.line == 11, "{unavailable:?}");
    }
}
