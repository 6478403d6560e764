//! Source roots: where the packages of a file begin. Decided from paths alone: patterns, and the folders that hold a
//! marker file.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};
use rustc_hash::FxHashMap;

use crate::base::RelPath;

#[derive(Clone, Debug, Default)]
pub struct SourceRoots {
    patterns: Vec<Pattern>,
    marked: BTreeSet<RelPath>,
    /// Of the folders that hold files: asked for each folder many times over.
    known: FxHashMap<RelPath, Option<RelPath>>,
}

/// Matches from the right: `src` is any folder of that name, `/src` only the one at the top.
#[derive(Clone, Debug)]
struct Pattern {
    anchored: bool,
    components: Vec<Component>,
}

#[derive(Clone, Debug)]
enum Component {
    Word(String),
    Glob(Box<GlobMatcher>),
}

#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` in `[source] root_patterns` is not a pattern")]
pub struct Error {
    pattern: String,
    source: globset::Error,
}

impl SourceRoots {
    /// `patterns` and `markers` as in `[source] root_patterns` and `marker_filenames`.
    pub fn new<'a>(
        patterns: &[&str],
        markers: &[&str],
        files: impl IntoIterator<Item = &'a RelPath>,
    ) -> Result<SourceRoots, Error> {
        let patterns = patterns.iter().map(|pattern| Pattern::parse(pattern)).collect::<Result<_, _>>()?;
        let mut marked = BTreeSet::new();
        let mut dirs: Vec<RelPath> = Vec::new();
        let mut last = None;
        for file in files {
            let (dir, name) = file.as_str().rsplit_once('/').unwrap_or(("", file.as_str()));
            if markers.contains(&name) {
                marked.extend(file.parent());
            }
            // Neighbours mostly lie in one folder.
            if last.replace(dir) != Some(dir) {
                dirs.extend(file.parent());
            }
        }
        let mut roots = SourceRoots { patterns, marked, known: FxHashMap::default() };
        for dir in dirs {
            roots.learn(&dir);
        }
        Ok(roots)
    }

    fn learn(&mut self, dir: &RelPath) -> Option<RelPath> {
        if let Some(known) = self.known.get(dir) {
            return known.clone();
        }
        let root = match (self.is_root(dir), dir.parent()) {
            (true, _) => Some(dir.clone()),
            (false, Some(above)) => self.learn(&above),
            (false, None) => None,
        };
        self.known.insert(dir.clone(), root.clone());
        root
    }

    pub fn is_root(&self, dir: &RelPath) -> bool {
        self.marked.contains(dir) || self.patterns.iter().any(|pattern| pattern.matches(dir))
    }

    /// The nearest source root that is or holds `dir`.
    pub fn of_dir(&self, dir: &RelPath) -> Option<RelPath> {
        match self.known.get(dir) {
            Some(known) => known.clone(),
            None => std::iter::once(dir.clone()).chain(dir.ancestors()).find(|dir| self.is_root(dir)),
        }
    }

    pub fn of_file(&self, file: &RelPath) -> Option<RelPath> {
        self.of_dir(&file.parent()?)
    }

    /// All source roots among the folders that hold `files`, sorted.
    pub fn roots<'a>(&self, files: impl IntoIterator<Item = &'a RelPath>) -> BTreeSet<RelPath> {
        let mut seen = BTreeSet::new();
        for file in files {
            for dir in file.ancestors() {
                if !seen.insert(dir) {
                    break;
                }
            }
        }
        seen.into_iter().filter(|dir| self.is_root(dir)).collect()
    }
}

impl Pattern {
    fn parse(pattern: &str) -> Result<Pattern, Error> {
        let parts = pattern.split('/').filter(|part| !matches!(*part, "" | "."));
        let components = parts.map(|part| {
            if !part.contains(['*', '?', '[']) {
                return Ok(Component::Word(part.to_owned()));
            }
            let glob = GlobBuilder::new(part).literal_separator(true).build();
            let glob = glob.map_err(|source| Error { pattern: pattern.to_owned(), source })?;
            Ok(Component::Glob(Box::new(glob.compile_matcher())))
        });
        Ok(Pattern { anchored: pattern.starts_with('/'), components: components.collect::<Result<_, Error>>()? })
    }

    fn matches(&self, dir: &RelPath) -> bool {
        let depth = dir.components().count();
        // Only `/` means the build root; no name does.
        let fits = if self.anchored || self.components.is_empty() {
            depth == self.components.len()
        } else {
            depth >= self.components.len()
        };
        fits && self.components.iter().rev().zip(dir.components().rev()).all(|(component, name)| match component {
            Component::Word(word) => word == name,
            Component::Glob(glob) => glob.is_match(name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).expect("clean")
    }

    /// `expected`: the root, or nothing.
    fn check(patterns: &[&str], file: &str, expected: Option<&str>) {
        let roots = SourceRoots::new(patterns, &[], &[]).expect("patterns");
        assert_eq!(roots.of_file(&path(file)), expected.map(path), "{patterns:?} {file}");
    }

    #[test]
    fn the_deepest_match_wins() {
        check(&["/", "src"], "src/app/a.py", Some("src"));
        check(&["/", "src"], "lib/src/app/a.py", Some("lib/src"));
        check(&["/", "src"], "tests/a.py", Some("."));
        check(&["/", "src/python"], "src/python/x/a.py", Some("src/python"));
        check(&["src", "src/python"], "src/python/x/a.py", Some("src/python"));
    }

    #[test]
    fn a_leading_slash_anchors() {
        check(&["/src"], "src/a.py", Some("src"));
        check(&["/src"], "lib/src/a.py", None);
        check(&["/*"], "lib/deep/a.py", Some("lib"));
        check(&["/libs/*/src"], "libs/one/src/a.py", Some("libs/one/src"));
        check(&["/"], "a.py", Some("."));
        check(&["src"], "a.py", None);
    }

    #[test]
    fn a_star_stays_in_its_segment() {
        check(&["packages/*"], "packages/one/pkg/a.py", Some("packages/one"));
        check(&["lib-*"], "x/lib-a/b/a.py", Some("x/lib-a"));
    }

    #[test]
    fn a_marker_file_makes_a_root() {
        let files = [path("a/b/setup.py"), path("a/b/pkg/m.py"), path("c/m.py")];
        let roots = SourceRoots::new(&["/c"], &["setup.py"], &files).expect("patterns");
        assert_eq!(roots.of_file(&files[1]), Some(path("a/b")));
        assert_eq!(roots.roots(&files), BTreeSet::from([path("a/b"), path("c")]));
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = SourceRoots::new(&["src/["], &[], &[]).expect_err("unclosed");
        assert!(error.to_string().contains("`src/[`"), "{error}");
    }
}
