//! A path relative to some root, clean by construction: UTF-8, no `..`, no empty or `.` component, no NUL.

use std::borrow::Borrow;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The root itself is the empty path. Ordering is by component, so a directory sorts right before what it holds.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct RelPath(String);

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
        let mut parts = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => return Err(refuse("it holds `..`")),
                part => parts.push(part),
            }
        }
        Ok(RelPath(parts.join("/")))
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

    /// The directory that holds this path; `None` for the root.
    pub fn parent(&self) -> Option<RelPath> {
        if self.is_root() {
            return None;
        }
        Some(RelPath(self.0.rsplit_once('/').map(|(parent, _)| parent.to_owned()).unwrap_or_default()))
    }

    /// The parent, its parent and so on, the root last.
    pub fn ancestors(&self) -> impl Iterator<Item = RelPath> {
        std::iter::successors(self.parent(), RelPath::parent)
    }

    pub fn join(&self, other: &RelPath) -> RelPath {
        match (self.is_root(), other.is_root()) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            _ => RelPath(format!("{}/{}", self.0, other.0)),
        }
    }

    /// Joins one clean component or relative path that is known to be clean.
    pub fn push(&self, name: &str) -> Result<RelPath, ParseError> {
        Ok(self.join(&RelPath::parse(name)?))
    }

    pub fn starts_with(&self, dir: &RelPath) -> bool {
        self.strip_prefix(dir).is_some()
    }

    pub fn strip_prefix(&self, dir: &RelPath) -> Option<RelPath> {
        if dir.is_root() {
            return Some(self.clone());
        }
        let rest = self.0.strip_prefix(&dir.0)?;
        if rest.is_empty() {
            return Some(RelPath::root());
        }
        rest.strip_prefix('/').map(|rest| RelPath(rest.to_owned()))
    }

    pub fn extension(&self) -> Option<&str> {
        let (stem, extension) = self.file_name()?.rsplit_once('.')?;
        (!stem.is_empty()).then_some(extension)
    }

    pub fn to_path(&self, root: &Path) -> PathBuf {
        if self.is_root() { root.to_owned() } else { root.join(&self.0) }
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &RelPath) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RelPath {
    fn cmp(&self, other: &RelPath) -> std::cmp::Ordering {
        // As by component, without splitting: `/` sorts below every other byte, and NUL is refused by `parse`.
        let key = |byte: u8| if byte == b'/' { 0 } else { byte };
        self.0.bytes().map(key).cmp(other.0.bytes().map(key))
    }
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
        RelPath::parse(text.borrow()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(RelPath::parse(text).map(|path| path.0), Ok(expected.to_owned()), "{text}");
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
        assert_eq!(dir.resolve("../lib").map(|path| path.0), Ok("src/lib".to_owned()));
        assert!(dir.resolve("../../..").is_err());
    }

    #[test]
    fn a_prefix_is_whole_components() {
        let path = RelPath::parse("src/app").expect("clean");
        assert!(!path.starts_with(&RelPath::parse("src/ap").expect("clean")));
        assert!(path.starts_with(&RelPath::root()));
    }

    #[test]
    fn a_directory_sorts_before_its_siblings_with_longer_names() {
        let sorted = |text: &str| RelPath::parse(text).expect("clean");
        assert!(sorted("a/b") < sorted("a-b"));
    }
}
