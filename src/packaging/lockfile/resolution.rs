//! What a resolver found: the packages of a new lockfile, and what only some formats record of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use uv_normalize::PackageName;
use uv_pep440::Version;

use super::{Error, File, Lock, Package, Problem, uv};
use crate::packaging::requirement::{self, Requirement, allows_version};

/// The result of a resolution.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// uv's lockfile, in which every file has a hash.
    pub uv_lock: String,
    /// The same, parsed.
    pub lock: Lock,
    /// The pinned packages, each with the environments that it is for.
    pub pins: Vec<Requirement>,
    /// The metadata of the packages, as far as it is known.
    pub metadata: BTreeMap<(PackageName, Version), Published>,
    /// The local directories that contain distributions: as uv's lockfile names them, and as a new lockfile does.
    pub directories: Vec<LocalDirectory>,
}

/// A local directory that contains distributions.
#[derive(Clone, Debug)]
pub struct LocalDirectory {
    /// The path in uv's lockfile.
    pub resolved_at: String,
    /// The path on this machine, absolute.
    pub path: String,
    /// The names of its files.
    pub file_names: Vec<String>,
}

/// Metadata that a package was published with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Its requirements.
    pub requires_dist: Vec<String>,
    /// The Python versions that it supports.
    pub requires_python: Option<String>,
}

/// An entry of the metadata file of the resolving step.
#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    requires_dist: Vec<String>,
    requires_python: Option<String>,
}

impl Resolution {
    /// Parses what the resolving step wrote: uv's lockfile, the versions with their markers, and the metadata.
    pub fn parse(
        uv_lock: String,
        versions: &str,
        metadata: &str,
        directories: Vec<LocalDirectory>,
    ) -> Result<Resolution, Error> {
        let lock = uv::read(&File { label: "uv.lock", text: &uv_lock })?;
        let pin = |line: &str| {
            let invalid = |error: requirement::Error| unreadable("uv's list of versions", error.into());
            requirement::parse(line).map_err(invalid)
        };
        let lines = versions.lines().filter(|line| !line.trim().is_empty());
        let pins = lines.map(pin).collect::<Result<_, _>>()?;
        Ok(Resolution { uv_lock, lock, pins, metadata: metadata_entries(metadata)?, directories })
    }

    /// The pinned packages with their pins, in the order of their names.
    pub fn packages(&self) -> impl Iterator<Item = (&Requirement, &Package)> {
        self.pins.iter().filter_map(|pin| {
            let is_pinned = |package: &&Package| package.name == pin.name && allows_version(pin, &package.version);
            Some((pin, self.lock.packages.iter().find(is_pinned)?))
        })
    }

    /// The `file:` URL of a file in a local directory.
    pub fn local_url(&self, file_name: &str) -> Option<String> {
        let holds = |directory: &&LocalDirectory| directory.file_names.iter().any(|name| name == file_name);
        self.directories.iter().find(holds).map(|directory| format!("file://{}/{file_name}", directory.path))
    }
}

fn unreadable(label: &str, problem: Problem) -> Error {
    Error { label: label.to_owned(), place: None, problem }
}

/// The first entry of a package is used: those of wheels come before those of source distributions.
fn metadata_entries(text: &str) -> Result<BTreeMap<(PackageName, Version), Published>, Error> {
    let malformed = |error: serde_json::Error| {
        unreadable("uv's metadata", Problem::Malformed { format: "metadata", why: error.to_string() })
    };
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(malformed)?;
    let mut found = BTreeMap::new();
    for entry in entries {
        let key = entry.name.parse::<PackageName>().ok().zip(entry.version.parse::<Version>().ok());
        if let Some(key) = key {
            let published = Published { requires_dist: entry.requires_dist, requires_python: entry.requires_python };
            found.entry(key).or_insert(published);
        }
    }
    Ok(found)
}
