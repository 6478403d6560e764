//! Reads PEX lockfiles: JSON, with or without Pants' `//` header, which is read in `metadata`.

use serde::Deserialize;
use uv_normalize::PackageName;
use uv_pep440::VersionSpecifiers;
use uv_pep508::MarkerTree;

use super::{
    Artifact, Error, File, Lock, LockedProjects, Package, Problem, Unavailable, file_name_of, sha256_of, usable_url,
};
use crate::base::text::Place;
use crate::packaging::requirement::{self, parse_constraint};

const FORMAT: &str = "PEX lockfile";

#[derive(Deserialize)]
struct Document {
    locked_resolves: Vec<LockedResolve>,
    #[serde(default)]
    requirements: Vec<String>,
    #[serde(default)]
    requires_python: Vec<String>,
    #[serde(default)]
    excluded: Vec<String>,
}

#[derive(Deserialize)]
struct LockedResolve {
    locked_requirements: Vec<LockedRequirement>,
    #[serde(default)]
    marker: Option<String>,
    /// `[python, abi, platform]`.
    #[serde(default)]
    platform_tag: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct LockedRequirement {
    project_name: String,
    version: String,
    #[serde(default)]
    requires_dists: Vec<String>,
    #[serde(default)]
    requires_python: Option<String>,
    artifacts: Vec<LockedArtifact>,
}

#[derive(Deserialize)]
struct LockedArtifact {
    algorithm: String,
    hash: String,
    url: String,
}

pub(super) fn read(file: &File<'_>) -> Result<Lock, Error> {
    let document = document(file)?;
    let mut packages = Vec::new();
    for resolve in &document.locked_resolves {
        let marker = resolve.marker.as_deref().map(|text| marker(file, text)).transpose()?.unwrap_or(MarkerTree::TRUE);
        let platform_tag = resolve.platform_tag.as_ref().map(|tag| tag.join("-"));
        for locked in &resolve.locked_requirements {
            packages.push(Package { marker, platform_tag: platform_tag.clone(), ..package(file, locked)? });
        }
    }
    let parse = |text: &String| requirement::parse(text).map_err(|error| file.error_near(text, error.into()));
    let constraint = |text: &String| parse_constraint(text).map_err(|error| file.error_near(text, error.into()));
    let excluded = document.excluded.iter().map(parse);
    Ok(Lock {
        label: file.label.to_owned(),
        packages,
        roots: document.requirements.iter().map(parse).collect::<Result<_, _>>()?,
        requires_python: document.requires_python.iter().map(constraint).collect::<Result<_, _>>()?,
        has_edges: true,
        excluded: excluded.map(|excluded| excluded.map(|excluded| excluded.name)).collect::<Result<_, _>>()?,
        metadata: None,
        projects: LockedProjects::default(),
    })
}

/// Replaces comment lines by empty ones, so that the line numbers of the parser are those of the file.
fn document(file: &File<'_>) -> Result<Document, Error> {
    let json: Vec<&str> =
        file.text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect();
    serde_json::from_str(&json.join("\n")).map_err(|error| {
        let line_start: usize =
            file.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let message = error.to_string();
        let why = message.split(" at line ").next().unwrap_or_default().to_owned();
        file.error_at(line_start + error.column().saturating_sub(1), Problem::Malformed { format: FORMAT, why })
    })
}

fn package(file: &File<'_>, locked: &LockedRequirement) -> Result<Package, Error> {
    let near = |problem| file.error_near(&format!("\"{}\"", locked.project_name), problem);
    let malformed = |why: String| near(Problem::Malformed { format: FORMAT, why });
    let requires = locked.requires_dists.iter().map(|text| requirement::parse_published(text));
    let requires_python = locked.requires_python.as_deref().map(str::parse::<VersionSpecifiers>);
    let (artifacts, unavailable) = artifacts(locked).map_err(near)?;
    Ok(Package {
        name: PackageName::from_owned(locked.project_name.clone()).map_err(|error| malformed(error.to_string()))?,
        version: locked.version.parse().map_err(|_| malformed(format!("invalid version `{}`", locked.version)))?,
        requires: requires.collect::<Result<_, _>>().map_err(|error| near(error.into()))?,
        // The metadata of old packages may contain obsolete specifiers; the package is locked nevertheless.
        requires_python: requires_python.and_then(Result::ok),
        marker: MarkerTree::TRUE,
        platform_tag: None,
        artifacts,
        unavailable: unavailable.map(|why| {
            let line = format!("\"{}\"", locked.project_name);
            Unavailable { place: Place::of(file.text, file.text.find(&line).unwrap_or(0)), why }
        }),
        git: None,
    })
}

fn artifacts(locked: &LockedRequirement) -> Result<(Vec<Artifact>, Option<String>), Problem> {
    let mut artifacts = Vec::new();
    let mut unavailable = None;
    for artifact in &locked.artifacts {
        let url = &artifact.url;
        if ["git+", "hg+", "svn+", "bzr+"].iter().any(|scheme| url.starts_with(scheme)) {
            unavailable = Some(format!("is installed from version control (`{url}`)"));
            continue;
        }
        let sha256 = (artifact.algorithm == "sha256").then(|| sha256_of(&artifact.hash)).flatten();
        let sha256 = sha256.ok_or_else(|| Problem::NoHash { package: locked.project_name.clone() })?;
        match file_name_of(url) {
            Some(name) => {
                artifacts.push(Artifact { file_name: Some(name), url: usable_url(url), sha256, size_bytes: None })
            }
            None => unavailable = Some(format!("has the URL `{url}`, which contains no file name")),
        }
    }
    Ok((artifacts, unavailable))
}

fn marker(file: &File<'_>, text: &str) -> Result<MarkerTree, Error> {
    let why = || format!("invalid marker `{text}`");
    text.parse().map_err(|_| file.error_near(text, Problem::Malformed { format: FORMAT, why: why() }))
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    fn lock_of(entries: &str) -> String {
        format!(
            "// header\n{{\"locked_resolves\": [{{\"locked_requirements\": [{entries}]}}], \"requirements\": [\"six\"]}}\n"
        )
    }

    fn entry(algorithm: &str, url: &str) -> String {
        format!(
            "{{\"project_name\": \"Six\", \"version\": \"1.16\", \"requires_dists\": [\"a; extra == 'x'\"], \
             \"requires_python\": \">=3\", \"artifacts\": [{{\"algorithm\": \"{algorithm}\", \"hash\": \"{}\", \"url\": \"{url}\"}}]}}",
            "0a".repeat(32)
        )
    }

    #[test]
    fn packages_artifacts_and_roots_are_read() {
        let text = lock_of(&entry("sha256", "https://example.invalid/six-1.16-py3-none-any.whl"));
        let lock = parse("a.lock", &text, None).expect("readable");
        let package = &lock.packages[0];
        assert_eq!((package.name.as_str(), package.version.to_string().as_str()), ("six", "1.16"));
        assert_eq!(package.artifacts[0].file_name.as_deref(), Some("six-1.16-py3-none-any.whl"));
        assert_eq!(lock.roots[0].name.as_str(), "six");
    }

    #[test]
    fn an_insecure_hash_is_rejected_with_its_location() {
        let error = parse("a.lock", &lock_of(&entry("md5", "https://example.invalid/six.whl")), None).expect_err("md5");
        assert_eq!(error.to_string(), "a.lock:2:64: `Six` has no sha256 hash, so its files cannot be verified");
    }

    #[test]
    fn a_package_from_version_control_is_read_as_unavailable() {
        let lock =
            parse("a.lock", &lock_of(&entry("sha256", "git+https://example.invalid/six")), None).expect("readable");
        assert!(lock.packages[0].artifacts.is_empty());
        assert!(lock.packages[0].unavailable.as_ref().expect("reason").why.contains("version control"));
    }

    #[test]
    fn malformed_json_is_rejected_with_its_location() {
        let error = parse("a.lock", "// header\n{\n  \"locked_resolves\": [,]\n}", None).expect_err("broken");
        assert_eq!(error.to_string(), "a.lock:3:23: invalid PEX lockfile: expected value");
        let error = parse("a.lock", "{}", None).expect_err("not a lock");
        assert!(error.to_string().contains("missing field `locked_resolves`"), "{error}");
    }
}
