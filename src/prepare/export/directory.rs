//! The directory with exported environments, `python` below `export` in the directory for results:
//!
//! ```text
//! virtualenvs/<resolve>/<version>     a link to an environment; `current` is a link to this one
//! virtualenvs/tools/<tool>            the same for tools, and for resolves that have no tool's name
//! virtualenv/<version>                the same for a repository without resolves
//! .environments/<hash>/               an environment that the user may change, with `waders-export.json`: what it was made of
//! ```
//!
//! An environment is named by the hash of its tree, so an unchanged lockfile finds it again with everything that was installed
//! into it since, and a changed one leads to another directory: only the link is replaced. The environments used last are
//! kept, so that switching back is a change of the link, too. Planning is in `mod`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::prepare::Error;
use crate::prepare::export::copy::copy;
use crate::prepare::export::subjects::Subject;
use crate::session::Session;
use crate::store::{self, Store};
use crate::tools;

/// The link to the environment that was exported last, beside those with versions as names.
pub const CURRENT: &str = "current";

const ENVIRONMENTS: &str = ".environments";
const MARKER: &str = "waders-export.json";

/// How many environments of one location are kept.
const KEPT: usize = 4;

/// The directory with exported environments.
pub struct ExportDirectory {
    /// Absolute.
    root: PathBuf,
}

/// An environment that is placed at a location.
pub enum Environment {
    /// A read-only directory of the store.
    InStore(PathBuf),
    /// A copy of a tree, which contains these packages with their versions.
    Copy {
        /// The tree.
        tree: Digest,
        /// Normalized names, and versions.
        packages: BTreeMap<String, String>,
    },
}

/// What placing an environment did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The environment was at its location.
    Unchanged,
    /// The location is now a link to an environment that existed already.
    Switched,
    /// The environment was created.
    Created,
}

/// A placed environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The location, absolute.
    pub location: PathBuf,
    /// What was done.
    pub change: Change,
    /// The packages that the user had installed into the previous environment and that this one does not have, with versions.
    pub dropped: Vec<(String, String)>,
    /// Where a directory is now that Waders did not create, and that was at the location.
    pub moved: Option<PathBuf>,
}

/// What the file in each copy records.
#[derive(Serialize, Deserialize)]
struct Marker {
    /// The digest of the tree, in hexadecimal digits.
    tree: String,
    /// The path of the location relative to the export directory.
    location: PathBuf,
    /// The packages that the environment was created with.
    packages: BTreeMap<String, String>,
}

impl ExportDirectory {
    /// The directory of the session. It need not exist.
    pub fn new(session: &Session) -> ExportDirectory {
        ExportDirectory { root: session.context.dist_dir().join("export/python") }
    }

    /// The path of the environment of a subject with an interpreter of this version.
    pub fn location(&self, subject: &Subject, version: &str) -> PathBuf {
        match subject {
            Subject::Repository => self.root.join("virtualenv").join(version),
            Subject::Resolve(resolve) => self.root.join("virtualenvs").join(resolve).join(version),
            Subject::Tool { tool, .. } => self.root.join("virtualenvs/tools").join(&tool.scope),
        }
    }

    /// Makes an environment available at its location. The previous environment stays there until the new one is complete.
    pub(super) fn place(&self, store: &Store, environment: &Environment, location: &Path) -> Result<Placed, Error> {
        let previous = fs::canonicalize(location).ok();
        let (target, is_new) = match environment {
            Environment::InStore(root) => (root.clone(), false),
            Environment::Copy { tree, packages } => self.provide_copy(store, *tree, packages, location)?,
        };
        let dropped = match previous.filter(|previous| *previous != target) {
            Some(previous) => dropped_packages(&previous, &target),
            None => Vec::new(),
        };
        let link = match environment {
            Environment::InStore(root) => root.clone(),
            Environment::Copy { .. } => self.relative(location, &target),
        };
        let (is_linked, moved) = self.replace_link(location, &link)?;
        if is_new {
            self.prune(location, &target);
        }
        let in_store = matches!(environment, Environment::InStore(_));
        let change = if is_new || in_store && is_linked {
            Change::Created
        } else if is_linked {
            Change::Switched
        } else {
            Change::Unchanged
        };
        Ok(Placed { location: location.to_owned(), change, dropped, moved })
    }

    /// Creates the links to the location of a subject: the stable name, and the name that Pants 2.17 gives to tools.
    pub(super) fn link_other_names(&self, subject: &Subject, version: &str) -> Result<(), Error> {
        let location = self.location(subject, version);
        match subject {
            Subject::Tool { is_named: false, .. } => Ok(()),
            Subject::Tool { tool, is_named: true } => {
                let directory = self.root.join("virtualenvs").join(&tool.scope);
                self.replace_link(&directory.join(version), &Path::new("../tools").join(&tool.scope))?;
                self.replace_link(&directory.join(CURRENT), Path::new(version)).map(drop)
            }
            Subject::Repository | Subject::Resolve(_) => {
                self.replace_link(&location.with_file_name(CURRENT), Path::new(version))?;
                self.link_as_tool(subject, version)
            }
        }
    }

    /// Links a resolve at the place of tools. A resolve for a program that Waders does not know, such as one that writes
    /// changelogs, is a tool for its users.
    fn link_as_tool(&self, subject: &Subject, version: &str) -> Result<(), Error> {
        match subject {
            Subject::Resolve(resolve) if tools::named(resolve).is_none() => {
                let link = self.root.join("virtualenvs/tools").join(resolve);
                self.replace_link(&link, &Path::new("..").join(resolve).join(version)).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Links a program of a tool's environment from the directory `bin` beside this one. Returns the path of the link.
    pub fn link_program(&self, tool: &str, program: &str) -> Result<PathBuf, Error> {
        let at = self.root.with_file_name("bin").join(program);
        let target = format!("../python/virtualenvs/tools/{tool}/bin/{program}");
        self.replace_link(&at, Path::new(&target))?;
        Ok(at)
    }

    /// The complete copy of a tree, and whether it was created now.
    fn provide_copy(
        &self,
        store: &Store,
        tree: Digest,
        packages: &BTreeMap<String, String>,
        location: &Path,
    ) -> Result<(PathBuf, bool), Error> {
        let environments = self.root.join(ENVIRONMENTS);
        let target = environments.join(&tree.hex()[..16]);
        if let Ok(marker) = File::options().append(true).open(target.join(MARKER)) {
            // The time says which environments were used last.
            let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
            let _ = futimens(&marker, &Timestamps { last_access: now, last_modification: now });
            return Ok((target, false));
        }
        fs::create_dir_all(&environments).map_err(Error::export("create", &environments))?;
        let made = environments.join(format!(".unfinished-{}-{}", std::process::id(), &tree.hex()[..16]));
        let below = location.strip_prefix(&self.root).unwrap_or(location).to_owned();
        let marker = Marker { tree: tree.hex(), location: below, packages: packages.clone() };
        let marker = serde_json::to_string_pretty(&marker).expect("texts can be written as JSON") + "\n";
        let complete = || {
            copy(store, tree, &made)?;
            fs::write(made.join(MARKER), marker).map_err(Error::export("write", &made))?;
            match fs::rename(&made, &target) {
                // Another process has created the same environment.
                Err(_) if target.join(MARKER).is_file() => store::remove_tree(&made).map_err(Error::from),
                renamed => renamed.map_err(Error::export("create", &target)),
            }
        };
        complete().map_err(|error| {
            let _ = store::remove_tree(&made);
            match error {
                // The user knows the location, and not the unfinished environment.
                Error::Export { source, .. } => Error::export("create", location)(source),
                error => error,
            }
        })?;
        Ok((target, true))
    }

    /// The target of a relative link at `location`.
    fn relative(&self, location: &Path, target: &Path) -> PathBuf {
        let depth = location.strip_prefix(&self.root).map_or(1, |below| below.components().count()) - 1;
        let mut up: PathBuf = std::iter::repeat_n("..", depth).collect();
        up.push(target.strip_prefix(&self.root).unwrap_or(target));
        up
    }

    /// Makes `at` a link to `target` in one step. Returns whether it was another one, and where a directory is now that was there.
    fn replace_link(&self, at: &Path, target: &Path) -> Result<(bool, Option<PathBuf>), Error> {
        if fs::read_link(at).is_ok_and(|present| present == target) {
            return Ok((false, None));
        }
        let directory = at.parent().unwrap_or(at);
        fs::create_dir_all(directory).map_err(Error::export("create", directory))?;
        let moved = match fs::symlink_metadata(at) {
            Ok(metadata) if metadata.is_dir() => Some(self.move_away(at)?),
            _ => None,
        };
        let name = at.file_name().unwrap_or_default().to_string_lossy();
        let fresh = at.with_file_name(format!(".unfinished-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&fresh);
        symlink(target, &fresh).map_err(Error::export("create", at))?;
        fs::rename(&fresh, at).map_err(|source| {
            let _ = fs::remove_file(&fresh);
            Error::export("replace", at)(source)
        })?;
        Ok((true, moved))
    }

    /// Moves a directory that Waders did not create to the directory of environments.
    fn move_away(&self, directory: &Path) -> Result<PathBuf, Error> {
        let environments = self.root.join(ENVIRONMENTS);
        fs::create_dir_all(&environments).map_err(Error::export("create", &environments))?;
        let name = directory.strip_prefix(&self.root).unwrap_or(directory).to_string_lossy().replace('/', "-");
        let mut free = (1..).map(|number| environments.join(format!("replaced-{name}-{number}")));
        let to = free.find(|path| fs::symlink_metadata(path).is_err()).expect("there are infinitely many names");
        fs::rename(directory, &to).map_err(Error::export("move", directory))?;
        Ok(to)
    }

    /// Removes the copies of a location that were used longest ago, and what killed processes left behind.
    fn prune(&self, location: &Path, current: &Path) {
        let location = location.strip_prefix(&self.root).unwrap_or(location);
        let mut copies: Vec<(SystemTime, PathBuf)> = Vec::new();
        for path in entries(&self.root.join(ENVIRONMENTS)) {
            if let Some(pid) = unfinished_by(&path) {
                if !Path::new("/proc").join(pid).exists() {
                    let _ = store::remove_tree(&path);
                }
            } else if path != current && read_marker(&path).is_some_and(|marker| marker.location == location) {
                let used = fs::metadata(path.join(MARKER)).and_then(|metadata| metadata.modified());
                copies.push((used.unwrap_or(SystemTime::UNIX_EPOCH), path));
            }
        }
        copies.sort();
        let excess = (copies.len() + 1).saturating_sub(KEPT);
        for (_, path) in copies.into_iter().take(excess) {
            let _ = store::remove_tree(&path);
        }
    }
}

/// The number of the process that created an unfinished environment.
fn unfinished_by(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.strip_prefix(".unfinished-")?.split('-').next()
}

/// The packages that the user installed into an environment and that another one does not have in any version.
fn dropped_packages(previous: &Path, next: &Path) -> Vec<(String, String)> {
    let Some(marker) = read_marker(previous) else { return Vec::new() };
    let next: BTreeSet<String> = installed_packages(next).into_keys().collect();
    let own = |(name, version): &(String, String)| marker.packages.get(name) == Some(version);
    installed_packages(previous).into_iter().filter(|package| !own(package) && !next.contains(&package.0)).collect()
}

fn read_marker(environment: &Path) -> Option<Marker> {
    serde_json::from_slice(&fs::read(environment.join(MARKER)).ok()?).ok()
}

/// Normalized names of the installed packages, and their versions, as the names of their directories have them.
fn installed_packages(environment: &Path) -> BTreeMap<String, String> {
    let libraries = entries(&environment.join("lib")).into_iter();
    let packages = libraries.flat_map(|library| entries(&library.join("site-packages")));
    let parse = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(".dist-info")?.to_owned();
        let (name, version) = name.rsplit_once('-')?;
        Some((name.parse::<uv_normalize::PackageName>().ok()?.to_string(), version.to_owned()))
    };
    packages.filter_map(parse).collect()
}

/// The entries of a directory; none if it cannot be read.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let read: io::Result<Vec<PathBuf>> =
        fs::read_dir(directory).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    read.unwrap_or_default()
}

#[cfg(test)]
mod tests;
