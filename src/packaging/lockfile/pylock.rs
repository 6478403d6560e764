//! Reads `pylock.toml` (PEP 751): a flat list of packages, each with its own marker.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use uv_normalize::PackageName;
use uv_pep440::{Version, VersionSpecifiers};
use uv_pep508::MarkerTree;

use super::{
    Artifact, Error, File, GitSource, Lock, LockedProjects, Metadata, Package, Problem, Unavailable, file_name_of,
    sha256_of, usable_url,
};
use crate::packaging::requirement;

const FORMAT: &str = "pylock.toml lockfile";

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    lock_version: String,
    requires_python: Option<String>,
    #[serde(default)]
    packages: Vec<Locked>,
    #[serde(default)]
    tool: FileTools,
}

/// The table `[tool]` of the file.
#[derive(Default, Deserialize)]
struct FileTools {
    #[serde(default)]
    waders: FileExtras,
}

/// What Waders adds to a file.
#[derive(Default, Deserialize)]
struct FileExtras {
    metadata: Option<Metadata>,
}

/// The table `[packages.tool]` of a package.
#[derive(Default, Deserialize)]
struct PackageTools {
    #[serde(default)]
    waders: PackageExtras,
}

/// What Waders adds to a package.
#[derive(Default, Deserialize)]
struct PackageExtras {
    /// Its dependencies, with markers for this lockfile.
    requires: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Locked {
    name: String,
    version: Option<String>,
    marker: Option<String>,
    requires_python: Option<String>,
    vcs: Option<toml::Table>,
    directory: Option<toml::Table>,
    archive: Option<Distribution>,
    sdist: Option<Distribution>,
    #[serde(default)]
    wheels: Vec<Distribution>,
    #[serde(default)]
    tool: PackageTools,
}

#[derive(Deserialize)]
struct Distribution {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

pub(super) fn read(file: &File<'_>) -> Result<Lock, Error> {
    let document: Document = file.toml(FORMAT)?;
    if document.lock_version.split('.').next() != Some("1") {
        let what = format!("version {} of pylock.toml", document.lock_version);
        return Err(file.error_near("lock-version", Problem::Unsupported(what)));
    }
    let packages = document.packages.iter().map(|locked| package(file, locked)).collect::<Result<Vec<_>, _>>()?;
    let requires_python = document
        .requires_python
        .as_deref()
        .map(|text| requirement::parse_constraint(text).map_err(|error| file.error_near(text, error.into())));
    Ok(Lock {
        label: file.label.to_owned(),
        roots: Vec::new(),
        requires_python: requires_python.transpose()?.into_iter().collect(),
        // `dependencies` is informational and may be missing: without the table of Waders, the markers alone determine what is
        // installed.
        has_edges: !packages.is_empty() && document.packages.iter().all(|locked| locked.tool.waders.requires.is_some()),
        packages,
        excluded: BTreeSet::new(),
        metadata: document.tool.waders.metadata,
        projects: LockedProjects::default(),
    })
}

fn package(file: &File<'_>, locked: &Locked) -> Result<Package, Error> {
    let near = |problem| file.error_near(&format!("name = \"{}\"", locked.name), problem);
    let malformed = |why: String| near(Problem::Malformed { format: FORMAT, why });
    let unavailable = match (&locked.vcs, &locked.directory) {
        (Some(_), _) => Some("is installed from version control".to_owned()),
        (_, Some(_)) => Some("is installed from a local directory".to_owned()),
        _ => None,
    };
    let version = match &locked.version {
        Some(version) => version.parse().map_err(|_| malformed(format!("invalid version `{version}`")))?,
        None => Version::new([0]),
    };
    let marker = locked.marker.as_deref().map(str::parse::<MarkerTree>).transpose();
    let requires_python = locked.requires_python.as_deref().map(str::parse::<VersionSpecifiers>).transpose();
    let requires = locked.tool.waders.requires.iter().flatten();
    let requires = requires.map(|text| requirement::parse(text).map_err(|error| near(error.into())));
    let distributions = locked.wheels.iter().chain(&locked.sdist).chain(&locked.archive);
    let artifacts = distributions.map(|distribution| artifact(&locked.name, distribution).map_err(near));
    Ok(Package {
        name: PackageName::from_owned(locked.name.clone()).map_err(|error| malformed(error.to_string()))?,
        version,
        requires: requires.collect::<Result<_, _>>()?,
        requires_python: requires_python
            .map_err(|_| malformed("`requires-python` contains invalid version specifiers".to_owned()))?,
        marker: marker
            .map_err(|_| malformed("`marker` contains an invalid marker".to_owned()))?
            .unwrap_or(MarkerTree::TRUE),
        platform_tag: None,
        artifacts: artifacts.collect::<Result<_, _>>()?,
        unavailable: unavailable
            .map(|why| Unavailable { place: file.place_of_package(&locked.name, locked.version.as_deref()), why }),
        git: locked.vcs.as_ref().and_then(git_source),
    })
}

/// The commit of a package, if it is in a git repository.
fn git_source(vcs: &toml::Table) -> Option<GitSource> {
    let text = |key: &str| vcs.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let (url, commit) = (text("url")?, text("commit-id")?);
    (text("type")? == "git").then(|| GitSource { url, commit, subdirectory: text("subdirectory") })
}

fn artifact(package: &str, distribution: &Distribution) -> Result<Artifact, Problem> {
    let sha256 = distribution.hashes.get("sha256").and_then(|hash| sha256_of(hash));
    let location = distribution.url.as_deref().or(distribution.path.as_deref()).unwrap_or_default();
    Ok(Artifact {
        file_name: distribution.name.clone().or_else(|| file_name_of(location)),
        url: distribution.url.as_deref().and_then(usable_url),
        sha256: sha256.ok_or_else(|| Problem::NoHash { package: package.to_owned() })?,
        size_bytes: distribution.size,
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn the_dependencies_of_packages_are_used_if_all_packages_have_them() {
        let entry = |name: &str, extras: &str| format!("[[packages]]\nname = \"{name}\"\nversion = \"1\"\n{extras}");
        let lock = |entries: &[String]| {
            let metadata = "[tool.waders.metadata]\nversion = 3\ngenerated_with_requirements = [\"a\"]\n";
            let text = format!("lock-version = \"1.0\"\n{}{metadata}", entries.concat());
            parse("pylock.toml", &text, None).expect("readable")
        };
        let extras = "[packages.tool.waders]\nrequires = [\"b ; extra == 'x'\"]\n";
        let read = lock(&[entry("a", extras), entry("b", "[packages.tool.waders]\nrequires = []\n")]);
        assert!(read.has_edges);
        assert_eq!(read.packages[0].requires.len(), 1);
        assert_eq!(read.metadata.expect("metadata").generated_with_requirements, Some(vec!["a".to_owned()]));
        assert!(!lock(&[entry("a", extras), entry("b", "")]).has_edges);
    }

    #[test]
    fn files_and_markers_are_read() {
        let text = format!(
            "lock-version = \"1.0\"\nrequires-python = \">=3.9\"\n\n[[packages]]\nname = \"tomli\"\nversion = \"2.0\"\n\
             marker = \"python_full_version < '3.11'\"\n\
             wheels = [{{ name = \"tomli-2.0-py3-none-any.whl\", hashes = {{ sha256 = \"{0}\" }} }}]\n\
             sdist = {{ url = \"https://example.invalid/tomli-2.0.tar.gz\", size = 3, hashes = {{ sha256 = \"{0}\" }} }}\n",
            "0a".repeat(32)
        );
        let lock = parse("pylock.toml", &text, None).expect("readable");
        let names: Vec<_> = lock.packages[0].artifacts.iter().map(|artifact| artifact.file_name.as_deref()).collect();
        assert_eq!(names, [Some("tomli-2.0-py3-none-any.whl"), Some("tomli-2.0.tar.gz")]);
        assert!(!lock.has_edges && !lock.packages[0].marker.is_true());
    }

    #[test]
    fn an_unknown_version_and_a_missing_hash_are_rejected() {
        let error = parse("pylock.toml", "lock-version = \"2.0\"\n", None).expect_err("future");
        assert_eq!(error.to_string(), "pylock.toml:1:1: version 2.0 of pylock.toml is not supported");
        let text = "lock-version = \"1.0\"\n[[packages]]\nname = \"six\"\nversion = \"1\"\nsdist = { url = \"https://example.invalid/six-1.tar.gz\" }\n";
        let error = parse("pylock.toml", text, None).expect_err("no hash");
        assert_eq!(error.to_string(), "pylock.toml:3:1: `six` has no sha256 hash, so its files cannot be verified");
    }
}
