//! What a tool must see of the repository to tell its code from others': the top of each package below a source root.
//! The files are seen empty, so that an edit to one changes no other file's result.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;

const INIT: [&str; 2] = ["__init__.py", "__init__.pyi"];

/// All that a repository has, by the directories of its Python sources.
#[derive(Clone, Debug, Default)]
pub struct Landmarks {
    /// For every directory with sources the one that stands for it: its `__init__.py`, else the first.
    stands_for: BTreeMap<RelPath, RelPath>,
    tops: BTreeSet<RelPath>,
}

impl Landmarks {
    /// `root_of` tells the source root that a directory lies below.
    pub fn new<'f>(
        sources: impl Iterator<Item = &'f RelPath>,
        root_of: &dyn Fn(&RelPath) -> Option<RelPath>,
    ) -> Landmarks {
        let mut by_dir: BTreeMap<RelPath, BTreeSet<&RelPath>> = BTreeMap::new();
        for source in sources.filter(|source| matches!(source.extension(), Some("py" | "pyi"))) {
            by_dir.entry(source.parent().unwrap_or_default()).or_default().insert(source);
        }
        let stands_for: BTreeMap<RelPath, RelPath> =
            by_dir.iter().filter_map(|(dir, files)| Some((dir.clone(), representative(files)?))).collect();
        let mut tops = BTreeSet::new();
        for (dir, files) in &by_dir {
            match root_of(dir) {
                Some(root) if root == *dir => tops.extend(files.iter().map(|file| (*file).clone())),
                Some(root) => tops.extend(top(dir, &root, &stands_for)),
                None => {}
            }
        }
        Landmarks { stands_for, tops }
    }

    /// Those that tell of any code, and those of the packages that these files are in, without the files themselves.
    pub fn around(&self, files: &[RelPath]) -> BTreeSet<&RelPath> {
        let mut around: BTreeSet<&RelPath> = self.tops.iter().collect();
        let mut seen = BTreeSet::new();
        for file in files {
            for dir in file.ancestors().take_while(|dir| seen.insert(dir.clone())).collect::<Vec<_>>() {
                let init = self.stands_for.get(&dir).filter(|file| is_init(file));
                around.extend(init);
            }
        }
        let own: BTreeSet<&RelPath> = files.iter().collect();
        around.retain(|landmark| !own.contains(landmark));
        around
    }
}

/// What stands for the highest directory with sources on the way from a root to a directory.
fn top(dir: &RelPath, root: &RelPath, stands_for: &BTreeMap<RelPath, RelPath>) -> Option<RelPath> {
    let mut way: Vec<RelPath> =
        std::iter::once(dir.clone()).chain(dir.ancestors()).take_while(|dir| dir != root).collect();
    way.reverse();
    way.iter().find_map(|dir| stands_for.get(dir).cloned())
}

fn representative(files: &BTreeSet<&RelPath>) -> Option<RelPath> {
    let init = files.iter().find(|file| is_init(file));
    init.or_else(|| files.first()).map(|file| (*file).clone())
}

fn is_init(file: &RelPath) -> bool {
    file.file_name().is_some_and(|name| INIT.contains(&name))
}

#[cfg(test)]
mod tests {
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
        let around: Vec<&str> = landmarks.around(&files).into_iter().map(RelPath::as_str).collect();
        assert_eq!(around, expected, "{files:?}");
    }

    #[test]
    fn every_package_below_a_source_root_has_one() {
        let tops = ["src/ns/app/__init__.py", "src/ns/plain/a.py", "src/single.py", "tests/test_x.py"];
        check(&[], &tops);
        check(&["tests/sub/test_y.py"], &tops);
    }

    #[test]
    fn the_packages_that_a_file_is_in_are_seen_and_the_file_itself_is_no_landmark() {
        let (app, deep) = ("src/ns/app/__init__.py", "src/ns/app/deep/__init__.py");
        check(&["src/ns/app/deep/x.py", "src/single.py"], &[app, deep, "src/ns/plain/a.py", "tests/test_x.py"]);
    }
}
