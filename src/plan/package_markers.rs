//! Package markers: files by which a tool recognises first-party modules, one for each top-level package below a source root.
//! The planner makes them empty, so that an edit to one does not change the results of other files.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::base::RelPath;

const INIT: [&str; 2] = ["__init__.py", "__init__.pyi"];

/// The package markers of a repository.
#[derive(Clone, Debug, Default)]
pub struct PackageMarkers {
    /// The `__init__.py` of every directory that has one.
    inits: FxHashMap<RelPath, RelPath>,
    /// The markers of all top-level packages and modules, sorted.
    top_level: Vec<RelPath>,
}

impl PackageMarkers {
    /// Selects the markers among `sources`, which may contain duplicates. `root_of` returns the source root that contains a
    /// directory.
    pub fn new<'f>(
        sources: impl Iterator<Item = &'f RelPath>,
        root_of: &dyn Fn(&RelPath) -> Option<RelPath>,
    ) -> PackageMarkers {
        let mut by_dir: FxHashMap<RelPath, Vec<&RelPath>> = FxHashMap::default();
        for source in sources.filter(|source| matches!(source.extension(), Some("py" | "pyi"))) {
            by_dir.entry(source.parent().unwrap_or_default()).or_default().push(source);
        }
        let representatives: FxHashMap<&RelPath, &RelPath> =
            by_dir.iter().filter_map(|(dir, files)| Some((dir, representative(files)?))).collect();
        let mut top_level: Vec<RelPath> = Vec::new();
        for (dir, files) in &by_dir {
            match root_of(dir) {
                Some(root) if root == *dir => top_level.extend(files.iter().map(|file| (*file).clone())),
                Some(root) => top_level.extend(find_top(dir, &root, &representatives)),
                None => {}
            }
        }
        top_level.sort_unstable();
        top_level.dedup();
        let inits = representatives.into_iter().filter(|(_, file)| is_init(file));
        PackageMarkers { inits: inits.map(|(dir, file)| (dir.clone(), file.clone())).collect(), top_level }
    }

    /// The markers that a process on `files` needs: those of all top-level packages, and the `__init__.py` of every package
    /// that contains one of the files. The result may contain some of the files themselves.
    pub fn for_files<'f>(&self, files: impl Iterator<Item = &'f RelPath>) -> Vec<&RelPath> {
        let mut markers: Vec<&RelPath> = self.top_level.iter().collect();
        let (mut visited, mut last) = (FxHashSet::default(), None);
        for file in files {
            // Consecutive files are usually in the same directory.
            let dir = file.dir_text();
            if last.replace(dir) == Some(dir) {
                continue;
            }
            for dir in file.ancestors() {
                if !visited.insert(dir.clone()) {
                    break;
                }
                markers.extend(self.inits.get(&dir));
            }
        }
        markers
    }
}

/// The representative of the highest directory with sources between a source root and `dir`.
fn find_top(dir: &RelPath, root: &RelPath, representatives: &FxHashMap<&RelPath, &RelPath>) -> Option<RelPath> {
    let dirs = std::iter::once(dir.clone()).chain(dir.ancestors()).take_while(|dir| dir != root);
    dirs.filter_map(|dir| representatives.get(&dir).map(|file| (*file).clone())).last()
}

/// The `__init__.py` among the files of a directory, or else the first file.
fn representative<'f>(files: &[&'f RelPath]) -> Option<&'f RelPath> {
    let init = files.iter().filter(|file| is_init(file)).min();
    init.or_else(|| files.iter().min()).copied()
}

fn is_init(file: &RelPath) -> bool {
    file.file_name().is_some_and(|name| INIT.contains(&name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SOURCES: [&str; 8] = [
        "src/ns/app/__init__.py",
        "src/ns/app/deep/__init__.py",
        "src/ns/app/deep/x.py",
        "src/ns/plain/b.py",
        "src/ns/plain/a.py",
        "src/single.py",
        "tests/test_x.py",
        "tests/sub/test_y.py",
    ];

    fn check(files: &[&str], expected: &[&str]) {
        let path = |text: &&str| RelPath::parse(text).unwrap();
        let sources: Vec<RelPath> = SOURCES.iter().map(path).collect();
        let root = |dir: &RelPath| {
            let src = RelPath::parse("src").unwrap();
            Some(if dir.starts_with(&src) { src } else { RelPath::root() })
        };
        let markers = PackageMarkers::new(sources.iter(), &root);
        let files: Vec<RelPath> = files.iter().map(path).collect();
        let markers: BTreeSet<&str> = markers.for_files(files.iter()).into_iter().map(RelPath::as_str).collect();
        assert_eq!(markers.into_iter().collect::<Vec<_>>(), expected, "{files:?}");
    }

    #[test]
    fn every_top_level_package_below_a_source_root_has_a_marker() {
        let top_level = ["src/ns/app/__init__.py", "src/ns/plain/a.py", "src/single.py", "tests/test_x.py"];
        check(&[], &top_level);
        check(&["tests/sub/test_y.py"], &top_level);
    }

    #[test]
    fn the_packages_that_contain_a_file_have_markers() {
        let (app, deep) = ("src/ns/app/__init__.py", "src/ns/app/deep/__init__.py");
        check(&["src/ns/app/deep/x.py"], &[app, deep, "src/ns/plain/a.py", "src/single.py", "tests/test_x.py"]);
    }
}
