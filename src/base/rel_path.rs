//! A path relative to some root, clean by construction: UTF-8, no `..`, no empty or `.` component, no NUL.

use std::cmp::Ordering;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The root itself is the empty path. Ordering is by component, so a directory sorts right before what it holds.
/// Copies share the text: a repository's graph names each directory thousands of times.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct RelPath(Arc<str>);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{path}` is not a clean relative path: {why}")]
pub struct ParseError {
    pub path: String,
    pub why: &'static str,
}

impl RelPath {
    pub fn root() -> RelPath {
        RelPath::default()
    }

    /// Accepts `a/b`, `./a/b`, `a//b` and `a/b/`; refuses absolute paths, `..` and NUL.
    pub fn parse(text: &str) -> Result<RelPath, ParseError> {
        let refuse = |why| ParseError { path: text.to_owned(), why };
        if text.starts_with('/') {
            return Err(refuse("it is absolute"));
        }
        if text.contains('\0') {
            return Err(refuse("it holds a NUL"));
        }
        if text.split('/').any(|part| part == "..") {
            return Err(refuse("it holds `..`"));
        }
        if is_clean(text) {
            return Ok(RelPath(text.into()));
        }
        let parts = text.split('/').filter(|part| !matches!(*part, "" | "."));
        Ok(RelPath(parts.collect::<Vec<_>>().join("/").into()))
    }

    /// As `parse`, but `..` climbs, and only a climb out of the root is refused. For text that users write (`../lib`).
    pub fn resolve(&self, text: &str) -> Result<RelPath, ParseError> {
        let mut parts: Vec<&str> = self.components().collect();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    let left = parts.pop();
                    left.ok_or(ParseError { path: text.to_owned(), why: "it leaves the root" })?;
                }
                part => parts.push(part),
            }
        }
        RelPath::parse(&parts.join("/"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    pub fn file_name(&self) -> Option<&str> {
        self.components().next_back()
    }

    /// The text of the directory that holds this path; empty where that is the root.
    pub fn dir_text(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(dir, _)| dir)
    }

    /// The directory that holds this path; `None` for the root.
    pub fn parent(&self) -> Option<RelPath> {
        if self.is_root() {
            return None;
        }
        Some(self.0.rsplit_once('/').map(|(parent, _)| RelPath(parent.into())).unwrap_or_default())
    }

    /// The parent, its parent and so on, the root last.
    pub fn ancestors(&self) -> impl Iterator<Item = RelPath> {
        std::iter::successors(self.parent(), RelPath::parent)
    }

    pub fn join(&self, other: &RelPath) -> RelPath {
        match (self.is_root(), other.is_root()) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            _ => self.with(&other.0),
        }
    }

    /// Joins one clean component or relative path that is known to be clean.
    pub fn push(&self, name: &str) -> Result<RelPath, ParseError> {
        match is_clean(name) && !self.is_root() {
            true => Ok(self.with(name)),
            false => Ok(self.join(&RelPath::parse(name)?)),
        }
    }

    /// Neither side is the root.
    fn with(&self, rest: &str) -> RelPath {
        RelPath([&self.0, "/", rest].concat().into())
    }

    pub fn starts_with(&self, dir: &RelPath) -> bool {
        let rest = self.0.strip_prefix(&*dir.0);
        dir.is_root() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub fn strip_prefix(&self, dir: &RelPath) -> Option<RelPath> {
        if dir.is_root() {
            return Some(self.clone());
        }
        let rest = self.0.strip_prefix(&*dir.0)?;
        if rest.is_empty() {
            return Some(RelPath::root());
        }
        rest.strip_prefix('/').map(|rest| RelPath(rest.into()))
    }

    pub fn extension(&self) -> Option<&str> {
        let (stem, extension) = self.file_name()?.rsplit_once('.')?;
        (!stem.is_empty()).then_some(extension)
    }

    pub fn to_path(&self, root: &Path) -> PathBuf {
        if self.is_root() { root.to_owned() } else { root.join(&*self.0) }
    }
}

/// Nothing in it that `parse` would take out or refuse; the root is not clean.
fn is_clean(text: &str) -> bool {
    !text.contains('\0') && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &RelPath) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RelPath {
    fn cmp(&self, other: &RelPath) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        // As by component, without splitting: `/` sorts below every other byte, and NUL is refused by `parse`.
        let key = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        let (left, right) = (self.0.as_bytes(), other.0.as_bytes());
        let shared = shared_len(left, right);
        left.get(shared).map(key).cmp(&right.get(shared).map(key))
    }
}

/// How many bytes both begin with. Eight at a time: paths of one repository begin alike.
fn shared_len(left: &[u8], right: &[u8]) -> usize {
    let (words, others) = (left.as_chunks::<8>().0, right.as_chunks::<8>().0);
    let same = 8 * words.iter().zip(others).take_while(|(word, other)| word == other).count();
    same + left[same..].iter().zip(&right[same..]).take_while(|(byte, other)| byte == other).count()
}

impl fmt::Display for RelPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{self}`")
    }
}

impl AsRef<Path> for RelPath {
    fn as_ref(&self) -> &Path {
        Path::new(if self.is_root() { "." } else { &self.0 })
    }
}

impl Serialize for RelPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RelPath, D::Error> {
        let text = String::deserialize(deserializer)?;
        RelPath::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(RelPath::parse(text).map(|path| path.as_str().to_owned()), Ok(expected.to_owned()), "{text}");
    }

    #[test]
    fn paths_are_cleaned() {
        check("a/b", "a/b");
        check("./a//b/", "a/b");
        check(".", "");
        check("", "");
    }

    #[test]
    fn paths_that_leave_the_root_are_refused() {
        for text in ["/a", "..", "a/../b", "a\0"] {
            assert!(RelPath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_climb_stays_inside() {
        let dir = RelPath::parse("src/app").expect("clean");
        assert_eq!(dir.resolve("../lib"), RelPath::parse("src/lib"));
        assert!(dir.resolve("../../..").is_err());
    }

    #[test]
    fn a_prefix_is_whole_components() {
        let path = RelPath::parse("src/app").expect("clean");
        assert!(!path.starts_with(&RelPath::parse("src/ap").expect("clean")));
        assert!(path.starts_with(&RelPath::root()));
    }

    #[test]
    fn order_is_by_component() {
        let path = |text: &str| RelPath::parse(text).expect("clean");
        let by_component = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        let texts =
            ["a", "a/b", "a-b", "a.py", "ab", "long/name/of/x", "long/name/of/x/y", "long/name/of-x", "long/nam"];
        for left in texts {
            for right in texts {
                let expected = by_component(left).cmp(&by_component(right));
                assert_eq!(path(left).cmp(&path(right)), expected, "{left} {right}");
            }
        }
        assert!(RelPath::root() < path("a"));
    }

    #[test]
    fn what_is_pushed_is_cleaned_too() {
        let push = |dir: &str, name: &str| RelPath::parse(dir).and_then(|dir| dir.push(name));
        assert_eq!(push("a", "b"), RelPath::parse("a/b"));
        assert_eq!(push("", "b"), RelPath::parse("b"));
        assert_eq!(push("a", "./b//c/"), RelPath::parse("a/b/c"));
        assert_eq!(push("a", ""), RelPath::parse("a"));
        assert!(push("a", "../b").is_err() && push("a", "/b").is_err() && push("a", "b\0").is_err());
    }
}
