//! What a tool must see of the repository to tell its code from others': the top of each package below a source root.
//! The files are seen empty, so that an edit to one changes no other file's result.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::base::RelPath;

const INIT: [&str; 2] = ["__init__.py", "__init__.pyi"];

/// All that a repository has, by the directories of its Python sources.
#[derive(Clone, Debug, Default)]
pub struct Landmarks {
    /// The `__init__.py` of every directory that has one.
    inits: FxHashMap<RelPath, RelPath>,
    /// Sorted.
    tops: Vec<RelPath>,
}

impl Landmarks {
    /// `root_of` tells the source root that a directory lies below. A source may come more than once.
    pub fn new<'f>(
        sources: impl Iterator<Item = &'f RelPath>,
        root_of: &dyn Fn(&RelPath) -> Option<RelPath>,
    ) -> Landmarks {
        let mut by_dir: FxHashMap<RelPath, Vec<&RelPath>> = FxHashMap::default();
        for source in sources.filter(|source| matches!(source.extension(), Some("py" | "pyi"))) {
            by_dir.entry(source.parent().unwrap_or_default()).or_default().push(source);
        }
        let stands_for: FxHashMap<&RelPath, &RelPath> =
            by_dir.iter().filter_map(|(dir, files)| Some((dir, representative(files)?))).collect();
        let mut tops: Vec<RelPath> = Vec::new();
        for (dir, files) in &by_dir {
            match root_of(dir) {
                Some(root) if root == *dir => tops.extend(files.iter().map(|file| (*file).clone())),
                Some(root) => tops.extend(top(dir, &root, &stands_for)),
                None => {}
            }
        }
        tops.sort_unstable();
        tops.dedup();
        let inits = stands_for.into_iter().filter(|(_, file)| is_init(file));
        Landmarks { inits: inits.map(|(dir, file)| (dir.clone(), file.clone())).collect(), tops }
    }

    /// Those that tell of any code, and those of the packages that these files are in. The files themselves may be among
    /// them.
    pub fn around<'f>(&self, files: impl Iterator<Item = &'f RelPath>) -> Vec<&RelPath> {
        let mut around: Vec<&RelPath> = self.tops.iter().collect();
        let (mut seen, mut last) = (FxHashSet::default(), None);
        for file in files {
            // Neighbours mostly lie in one directory.
            let dir = file.dir_text();
            if last.replace(dir) == Some(dir) {
                continue;
            }
            for dir in file.ancestors() {
                if !seen.insert(dir.clone()) {
                    break;
                }
                around.extend(self.inits.get(&dir));
            }
        }
        around
    }
}

/// What stands for the highest directory with sources on the way from a root to a directory.
fn top(dir: &RelPath, root: &RelPath, stands_for: &FxHashMap<&RelPath, &RelPath>) -> Option<RelPath> {
    let way = std::iter::once(dir.clone()).chain(dir.ancestors()).take_while(|dir| dir != root);
    way.filter_map(|dir| stands_for.get(&dir).map(|file| (*file).clone())).last()
}

/// Its `__init__.py`, else the first.
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
        let landmarks = Landmarks::new(sources.iter(), &root);
        let files: Vec<RelPath> = files.iter().map(path).collect();
        let around: BTreeSet<&str> = landmarks.around(files.iter()).into_iter().map(RelPath::as_str).collect();
        assert_eq!(around.into_iter().collect::<Vec<_>>(), expected, "{files:?}");
    }

    #[test]
    fn every_package_below_a_source_root_has_one() {
        let tops = ["src/ns/app/__init__.py", "src/ns/plain/a.py", "src/single.py", "tests/test_x.py"];
        check(&[], &tops);
        check(&["tests/sub/test_y.py"], &tops);
    }

    #[test]
    fn the_packages_that_a_file_is_in_are_seen() {
        let (app, deep) = ("src/ns/app/__init__.py", "src/ns/app/deep/__init__.py");
        check(&["src/ns/app/deep/x.py"], &[app, deep, "src/ns/plain/a.py", "src/single.py", "tests/test_x.py"]);
    }
}
