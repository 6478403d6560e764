//! Where each file of a read set comes from.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::audit::read_set::{Access, Found, ReadSet, Use};
use crate::base::sandbox_paths;

/// Where a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A declared source, which was copied to `/src`.
    Source,
    /// The venv image: packages at `/deps` and `/requirements`.
    Package,
    /// A pinned interpreter, the pinned system tree or another image.
    Toolchain,
    /// Made for the sandbox: `/etc`, `/dev`, `/proc`, the list of source roots, the root itself.
    Sandbox,
    /// Made by the step itself, or in its scratch space.
    Scratch,
}

/// The files of a read set by origin.
#[derive(Clone, Debug, Default)]
pub struct Classified {
    /// The files and directories whose content was used, by path.
    pub used: BTreeMap<Origin, BTreeSet<String>>,
    /// The declared sources, relative to the build root, whose content was not used.
    pub unused_sources: BTreeSet<String>,
    /// The programs that were executed.
    pub programs: BTreeSet<String>,
    /// The directories that were listed.
    pub listed: BTreeSet<String>,
    /// Paths at which nothing was found.
    pub absent: BTreeSet<String>,
}

impl Classified {
    /// Classifies a read set. `sources` are the files of its root tree, relative to it.
    pub fn new(set: &ReadSet, sources: &BTreeSet<String>) -> Classified {
        let mut classified = Classified::default();
        for (path, access) in &set.files {
            match access.found {
                Found::Absent if access.is_absent() => drop(classified.absent.insert(path.clone())),
                Found::Directory if access.uses.contains(&Use::Read) => drop(classified.listed.insert(path.clone())),
                Found::File if access.is_content_used() => classified.add_used(set, sources, path, access),
                _ => {}
            }
        }
        let read = classified.used.get(&Origin::Source).cloned().unwrap_or_default();
        let is_unused = |source: &&String| !read.contains(&sandbox_paths::in_src(source));
        classified.unused_sources = sources.iter().filter(is_unused).cloned().collect();
        classified
    }

    fn add_used(&mut self, set: &ReadSet, sources: &BTreeSet<String>, path: &str, access: &Access) {
        if access.uses.contains(&Use::Executed) {
            self.programs.insert(path.to_owned());
        }
        let (origin, path) = match source_of_bytecode(path).filter(|source| is_source(sources, source)) {
            // Another process of the step compiled it.
            Some(source) => (Origin::Source, source),
            None => (origin(set, sources, path), path.to_owned()),
        };
        self.used.entry(origin).or_default().insert(path);
    }

    /// The number of files of an origin whose content was used.
    pub fn count(&self, origin: Origin) -> usize {
        self.used.get(&origin).map_or(0, BTreeSet::len)
    }
}

fn is_source(sources: &BTreeSet<String>, path: &str) -> bool {
    path.strip_prefix(sandbox_paths::SRC)
        .and_then(|path| path.strip_prefix('/'))
        .is_some_and(|path| sources.contains(path))
}

/// The origin of an existing file.
fn origin(set: &ReadSet, sources: &BTreeSet<String>, path: &str) -> Origin {
    let below = |dir: &str| path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_source(sources, path) {
        Origin::Source
    } else if [sandbox_paths::DEPS, sandbox_paths::REQUIREMENTS].into_iter().any(below) {
        Origin::Package
    } else if below(sandbox_paths::SOURCE_ROOTS) {
        Origin::Sandbox
    } else if set.images.keys().any(|image| below(image)) {
        Origin::Toolchain
    } else if ["/etc", "/dev", "/proc"].into_iter().any(below) || path == "/" {
        Origin::Sandbox
    } else {
        Origin::Scratch
    }
}

/// The source of a bytecode file: `a/__pycache__/b.cpython-311.pyc` is compiled from `a/b.py` (PEP 3147).
pub fn source_of_bytecode(path: &str) -> Option<String> {
    let (dir, name) = path.rsplit_once("/__pycache__/")?;
    let stem = name.strip_suffix(".pyc")?.split('.').next()?;
    Some(format!("{dir}/{stem}.py"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    #[test]
    fn each_file_has_one_origin() {
        let digest = Digest::of(b"");
        let images = ["/usr", "/deps", "/toolchain/python3.12"].map(|at| (at.to_owned(), digest));
        let mut set = ReadSet::new(digest, BTreeMap::from(images));
        for path in [
            "/src/a.py",
            "/src/pkg/__pycache__/b.cpython-311.pyc",
            "/src/made.txt",
            "/deps/lib/x.py",
            "/depsy",
            "/usr/bin/sh",
            "/toolchain/python3.12/lib/os.py",
            "/etc/hosts",
            "/proc/cpuinfo",
        ] {
            set.add(path, [Use::Read], Found::File);
        }
        set.add("/usr/bin/sh", [Use::Executed], Found::File);
        set.add("/src/absent.py", [Use::Probed], Found::Absent);
        set.add("/src/pkg", [Use::Read], Found::Directory);
        set.add("/src/new.txt", [Use::Written], Found::Absent);
        let sources = ["a.py", "pkg/b.py", "unused.py"].map(str::to_owned).into();
        let classified = Classified::new(&set, &sources);
        let paths = |origin| classified.used[&origin].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(paths(Origin::Source), ["/src/a.py", "/src/pkg/b.py"]);
        assert_eq!(paths(Origin::Package), ["/deps/lib/x.py"]);
        assert_eq!(paths(Origin::Toolchain), ["/toolchain/python3.12/lib/os.py", "/usr/bin/sh"]);
        assert_eq!(paths(Origin::Sandbox), ["/etc/hosts", "/proc/cpuinfo"]);
        assert_eq!(paths(Origin::Scratch), ["/depsy", "/src/made.txt"]);
        assert_eq!(classified.unused_sources, BTreeSet::from(["unused.py".to_owned()]));
        assert_eq!(classified.absent, BTreeSet::from(["/src/absent.py".to_owned()]));
        assert_eq!(classified.programs, BTreeSet::from(["/usr/bin/sh".to_owned()]));
        assert_eq!(classified.listed, BTreeSet::from(["/src/pkg".to_owned()]));
    }
}
