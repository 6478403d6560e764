//! Source roots: the directories below which paths are module names. Found from paths alone, by patterns and marker
//! files. Does not read files.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};
use rustc_hash::FxHashMap;

use crate::base::RelPath;

/// The source roots of a repository.
#[derive(Clone, Debug, Default)]
pub struct SourceRoots {
    patterns: Vec<Pattern>,
    /// Directories with a marker file.
    marked: BTreeSet<RelPath>,
    /// Cache: the source root of each directory that contains files. It is looked up many times for each directory.
    by_dir: FxHashMap<RelPath, Option<RelPath>>,
}

/// Matches the end of a path: `src` matches every directory of that name, `/src` only the one in the build root.
#[derive(Clone, Debug)]
struct Pattern {
    anchored: bool,
    components: Vec<Component>,
}

#[derive(Clone, Debug)]
enum Component {
    Literal(String),
    Glob(Box<GlobMatcher>),
}

/// An invalid pattern in the settings.
#[derive(Debug, thiserror::Error)]
#[error("invalid pattern `{pattern}` in `[source] root_patterns`")]
pub struct Error {
    pattern: String,
    source: globset::Error,
}

impl SourceRoots {
    /// `patterns` and `markers` are the values of `[source] root_patterns` and `[source] marker_filenames`, `files` all
    /// files of the repository.
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
            // Consecutive files are mostly in the same directory.
            if last.replace(dir) != Some(dir) {
                dirs.extend(file.parent());
            }
        }
        let mut roots = SourceRoots { patterns, marked, by_dir: FxHashMap::default() };
        for dir in dirs {
            roots.cache_root(&dir);
        }
        Ok(roots)
    }

    fn cache_root(&mut self, dir: &RelPath) -> Option<RelPath> {
        if let Some(root) = self.by_dir.get(dir) {
            return root.clone();
        }
        let root = match (self.is_root(dir), dir.parent()) {
            (true, _) => Some(dir.clone()),
            (false, Some(parent)) => self.cache_root(&parent),
            (false, None) => None,
        };
        self.by_dir.insert(dir.clone(), root.clone());
        root
    }

    /// Whether this directory is a source root.
    pub fn is_root(&self, dir: &RelPath) -> bool {
        self.marked.contains(dir) || self.patterns.iter().any(|pattern| pattern.matches(dir))
    }

    /// The source root of a directory: the directory itself or its nearest ancestor that is a source root.
    pub fn find_for_dir(&self, dir: &RelPath) -> Option<RelPath> {
        match self.by_dir.get(dir) {
            Some(root) => root.clone(),
            None => std::iter::once(dir.clone()).chain(dir.ancestors()).find(|dir| self.is_root(dir)),
        }
    }

    /// The source root of a file.
    pub fn find_for_file(&self, file: &RelPath) -> Option<RelPath> {
        self.find_for_dir(&file.parent()?)
    }

    /// All source roots among the ancestors of `files`, sorted.
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
                return Ok(Component::Literal(part.to_owned()));
            }
            let glob = GlobBuilder::new(part).literal_separator(true).build();
            let glob = glob.map_err(|source| Error { pattern: pattern.to_owned(), source })?;
            Ok(Component::Glob(Box::new(glob.compile_matcher())))
        });
        Ok(Pattern { anchored: pattern.starts_with('/'), components: components.collect::<Result<_, Error>>()? })
    }

    fn matches(&self, dir: &RelPath) -> bool {
        let depth = dir.components().count();
        // Only the pattern `/` matches the build root, because the build root has no name.
        let depth_matches = if self.anchored || self.components.is_empty() {
            depth == self.components.len()
        } else {
            depth >= self.components.len()
        };
        depth_matches
            && self.components.iter().rev().zip(dir.components().rev()).all(|(component, name)| match component {
                Component::Literal(literal) => literal == name,
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

    /// `expected` is the source root of `file`.
    fn check(patterns: &[&str], file: &str, expected: Option<&str>) {
        let roots = SourceRoots::new(patterns, &[], &[]).expect("patterns");
        assert_eq!(roots.find_for_file(&path(file)), expected.map(path), "{patterns:?} {file}");
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
    fn a_star_does_not_match_slashes() {
        check(&["packages/*"], "packages/one/pkg/a.py", Some("packages/one"));
        check(&["lib-*"], "x/lib-a/b/a.py", Some("x/lib-a"));
    }

    #[test]
    fn a_marker_file_makes_a_root() {
        let files = [path("a/b/setup.py"), path("a/b/pkg/m.py"), path("c/m.py")];
        let roots = SourceRoots::new(&["/c"], &["setup.py"], &files).expect("patterns");
        assert_eq!(roots.find_for_file(&files[1]), Some(path("a/b")));
        assert_eq!(roots.roots(&files), BTreeSet::from([path("a/b"), path("c")]));
    }

    #[test]
    fn an_invalid_pattern_is_reported() {
        let error = SourceRoots::new(&["src/["], &[], &[]).expect_err("unclosed");
        assert!(error.to_string().contains("`src/[`"), "{error}");
    }
}
