//! Writes PEX lockfiles: JSON with sorted keys, as `pex3 lock create` writes it. Fields of an existing lockfile that do not
//! depend on the resolution are kept, so that the version of PEX which a repository uses still reads the file; new files have the
//! fields of PEX 2.1.137, which all later versions read. Entries of packages that did not change are kept as they are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use uv_normalize::PackageName;

use super::header::pretty;
use super::{NewLock, spelling};
use crate::packaging::lockfile::metadata::BEGIN;
use crate::packaging::lockfile::pins;
use crate::packaging::lockfile::resolution::Published;
use crate::packaging::lockfile::{Artifact, Format, Package};
use crate::packaging::resolve::best_file;

/// The fields of a new lockfile that do not depend on the resolution (PEX 2.1.137, `pex/resolve/lockfile/json_codec.py`).
const FIELDS: &str = r#"{
    "allow_builds": true, "allow_prereleases": false, "allow_wheels": true, "build_isolation": true, "path_mappings": {},
    "pex_version": "2.1.137", "pip_version": "23.1.2", "prefer_older_binary": false, "resolver_version": "pip-2020-resolver",
    "style": "universal", "target_systems": ["linux", "mac"], "transitive": true, "use_pep517": null
}"#;

/// The entries of a lockfile by normalized name and version.
type Entries = BTreeMap<(String, String), Value>;

/// The entries of the file that is replaced.
struct OldEntries {
    by_version: Entries,
    /// Whether the files of a version are kept: it was locked for the same interpreters and with the same settings.
    keeps_files: bool,
}

pub(super) fn text(new: &NewLock<'_>) -> String {
    let documents: Vec<Map<String, Value>> = new.old.map(documents).unwrap_or_default();
    let json = pretty(&document(new, &documents)) + "\n";
    // A lockfile that PEX wrote has no header, and PEX itself does not read one.
    let is_plain = !documents.is_empty() && new.old.is_some_and(|old| !old.contains(BEGIN));
    match new.has_sidecar || is_plain {
        true => json,
        false => new.generated.header(Format::Pex, "//", new.old) + &json,
    }
}

/// The documents of an existing file: two if it has conflict markers, none if it cannot be read.
fn documents(text: &str) -> Vec<Map<String, Value>> {
    let sides = if pins::has_conflict(text) { pins::sides(text).to_vec() } else { vec![text.to_owned()] };
    let json = |text: &String| text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<String>();
    sides.iter().filter_map(|side| serde_json::from_str(&json(side)).ok()).collect()
}

fn document(new: &NewLock<'_>, documents: &[Map<String, Value>]) -> Value {
    let generated = new.generated;
    let template = || serde_json::from_str(FIELDS).expect("the fields are valid JSON");
    let mut fields: Map<String, Value> = documents.first().cloned().unwrap_or_else(template);
    let requires_python = requires_python(new, fields.get("requires_python"));
    let entries = OldEntries {
        keeps_files: fields.get("style").is_some_and(|style| style == "universal")
            && fields.get("requires_python") == Some(&requires_python)
            && has_same_binaries(new, &fields),
        by_version: entries(documents),
    };
    let packages = new.resolution.lock.packages.iter();
    let mut locked: Vec<(&Package, Value)> = packages
        .map(|package| (package, entry(new, package, &entries)))
        .filter(|(_, value)| has_artifacts(value))
        .collect();
    locked.sort_by(|(one, _), (other, _)| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    let locked: Vec<Value> = locked.into_iter().map(|(_, value)| value).collect();
    let mut resolve = Map::from_iter([("locked_requirements".to_owned(), locked.into())]);
    if fields.get("locked_resolves").and_then(|found| found.get(0)).is_some_and(|found| found.get("marker").is_some()) {
        resolve.insert("marker".to_owned(), Value::Null);
    }
    resolve.insert("platform_tag".to_owned(), Value::Null);
    fields.insert("locked_resolves".to_owned(), json!([resolve]));
    fields.insert("requirements".to_owned(), json!(generated.requirements));
    fields.insert("constraints".to_owned(), json!(generated.constraints));
    fields.insert("requires_python".to_owned(), requires_python);
    fields.insert("style".to_owned(), json!("universal"));
    fields.insert("target_systems".to_owned(), json!(["linux", "mac"]));
    fields.insert("allow_builds".to_owned(), json!(!is_all(&generated.only_binary)));
    fields.insert("allow_wheels".to_owned(), json!(!is_all(&generated.no_binary)));
    let later = [
        ("excluded", generated.excludes.clone()),
        ("overridden", generated.overrides.clone()),
        ("only_builds", named(&generated.no_binary)),
        ("only_wheels", named(&generated.only_binary)),
    ];
    for (name, values) in later {
        // PEX 2.1.137 does not have these fields.
        if fields.contains_key(name) || !values.is_empty() {
            fields.insert(name.to_owned(), values.into());
        }
    }
    let used = new
        .path_mappings
        .iter()
        .filter(|(name, _)| fields["locked_resolves"].to_string().contains(&format!("${{{name}}}")));
    fields.insert(
        "path_mappings".to_owned(),
        used.map(|(name, _)| (name.clone(), Value::Null)).collect::<Map<_, _>>().into(),
    );
    fields.sort_keys();
    Value::Object(fields)
}

fn is_all(names: &[String]) -> bool {
    names.iter().any(|name| name == ":all:")
}

fn named(names: &[String]) -> Vec<String> {
    names.iter().filter(|name| !name.starts_with(':')).cloned().collect()
}

/// Whether the old file was written with the same settings for wheels and source distributions.
fn has_same_binaries(new: &NewLock<'_>, fields: &Map<String, Value>) -> bool {
    let (wheels, builds) = (&new.generated.only_binary, &new.generated.no_binary);
    let is_list = |name: &str, names: &[String]| {
        fields.get(name).map_or(named(names).is_empty(), |old| *old == json!(named(names)))
    };
    let is_flag = |name: &str, flag: bool| fields.get(name).is_none_or(|old| *old == json!(flag));
    let same_lists = is_list("only_wheels", wheels) && is_list("only_builds", builds);
    same_lists && is_flag("allow_builds", !is_all(wheels)) && is_flag("allow_wheels", !is_all(builds))
}

fn has_artifacts(entry: &Value) -> bool {
    entry["artifacts"].as_array().is_some_and(|artifacts| !artifacts.is_empty())
}

fn entries(documents: &[Map<String, Value>]) -> Entries {
    let resolves = documents.iter().filter_map(|document| document.get("locked_resolves")?.as_array()).flatten();
    let locked = resolves.filter_map(|resolve| resolve.get("locked_requirements")?.as_array()).flatten();
    let named = locked.filter_map(|entry| {
        let name = entry.get("project_name")?.as_str()?.parse::<PackageName>().ok()?;
        Some(((name.to_string(), entry.get("version")?.as_str()?.to_owned()), entry.clone()))
    });
    named.collect()
}

/// The entry of a package: the old one if its files are the same or are kept.
fn entry(new: &NewLock<'_>, package: &Package, entries: &OldEntries) -> Value {
    let is_upgraded =
        new.upgraded.is_none_or(|names| names.iter().any(|name| name.parse() == Ok(package.name.clone())));
    let keeps_files = entries.keeps_files && !is_upgraded;
    let old = entries.by_version.get(&(package.name.to_string(), package.version.to_string()));
    let artifacts = artifacts(new, package);
    let hashes = |artifacts: &Value| -> BTreeSet<String> {
        let hashes = artifacts.as_array().into_iter().flatten().filter_map(|artifact| artifact.get("hash")?.as_str());
        hashes.map(str::to_owned).collect()
    };
    if let Some(old) = old.filter(|old| keeps_files || hashes(&old["artifacts"]) == hashes(&artifacts)) {
        return old.clone();
    }
    let published = new.resolution.metadata.get(&(package.name.clone(), package.version.clone()));
    let (requires_dists, requires_python) = match old {
        // Metadata does not change, and the old lockfile may have its original spelling.
        Some(old) => (old["requires_dists"].clone(), old["requires_python"].clone()),
        None => published_fields(package, published),
    };
    json!({
        "artifacts": artifacts,
        "project_name": package.name.to_string(),
        "requires_dists": requires_dists,
        "requires_python": requires_python,
        "version": package.version.to_string(),
    })
}

/// The dependencies and Python versions of a package. Where its metadata is unknown, the dependencies of uv's lockfile, which
/// have no version specifiers, select the same packages.
fn published_fields(package: &Package, published: Option<&Published>) -> (Value, Value) {
    let mut requires: Vec<String> = match published {
        Some(published) => published.requires_dist.iter().map(|text| spelling::published(text)).collect(),
        None => package.requires.iter().map(|required| spelling::published(&required.to_string())).collect(),
    };
    requires.sort();
    requires.dedup();
    let python = published.and_then(|published| published.requires_python.as_deref());
    (requires.into(), python.map_or(Value::Null, |python| spelling::specifiers(python).into()))
}

/// The files of a package that the settings permit: first a wheel for every platform or else the one that suits the interpreter
/// best, then the others by URL.
fn artifacts(new: &NewLock<'_>, package: &Package) -> Value {
    let permits =
        |names: &[String]| !names.iter().any(|name| name == ":all:" || name.parse() == Ok(package.name.clone()));
    let is_wheel = |name: &str| name.ends_with(".whl");
    let (wheels, sdists) = (permits(&new.generated.no_binary), permits(&new.generated.only_binary));
    let named = package
        .artifacts
        .iter()
        .filter_map(|artifact| Some((artifact.file_name.as_deref()?, url(new, artifact)?, artifact)));
    let mut files: Vec<_> = named.filter(|(name, ..)| if is_wheel(name) { wheels } else { sdists }).collect();
    let names = || files.iter().map(|(name, ..)| *name);
    let best = names().find(|name| name.ends_with("-none-any.whl"));
    let best = best.or_else(|| best_file(&package.name, names(), new.environment).map(|(name, _)| name));
    files.sort_by_key(|(name, url, _)| (Some(*name) != best, url.clone()));
    let value = |(_, url, artifact): (_, String, &Artifact)| json!({"algorithm": "sha256", "hash": artifact.sha256, "url": url});
    files.into_iter().map(value).collect()
}

/// The URL of a file, in which names stand for directories of this machine.
pub(super) fn url(new: &NewLock<'_>, artifact: &Artifact) -> Option<String> {
    let local = || artifact.file_name.as_deref().and_then(|name| new.resolution.local_url(name));
    let url = artifact.url.clone().or_else(local)?;
    let mapped = new.path_mappings.iter().find_map(|(name, path)| {
        let rest = url.strip_prefix("file://")?.strip_prefix(path.trim_end_matches('/'))?;
        rest.starts_with('/').then(|| format!("file://${{{name}}}{rest}"))
    });
    Some(mapped.unwrap_or(url))
}

/// The interpreter constraints: as the old file spells them if they are the same.
fn requires_python(new: &NewLock<'_>, old: Option<&Value>) -> Value {
    let constraints = &new.generated.interpreter_constraints;
    let old: Vec<&str> = old.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let normalized: BTreeSet<String> = old.iter().map(|text| spelling::interpreter_constraint(text)).collect();
    if normalized.iter().eq(constraints) {
        return json!(old);
    }
    let names_implementation = old.iter().any(|text| text.starts_with("CPython"));
    let short = |text: &String| if names_implementation { text.clone() } else { text.replacen("CPython", "", 1) };
    constraints.iter().map(short).collect()
}
