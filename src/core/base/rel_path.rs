//! A path relative to some root, valid by construction: UTF-8, no `..`, no empty or `.` component, no NUL.

use std::cmp::Ordering;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A relative path. The root itself is the empty path. Paths are ordered by component, so a directory is followed directly by
/// its contents. Clones share the text, because a target graph contains each directory thousands of times.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct RelPath(Arc<str>);

/// Text that is not a relative path, or that leaves its root.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("invalid relative path `{path}`: {why}")]
pub struct ParseError {
    /// The text.
    pub path: String,
    /// The reason, as a clause.
    pub why: &'static str,
}

impl RelPath {
    /// The root: the empty path.
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
            return Err(refuse("it contains a NUL character"));
        }
        if text.split('/').any(|part| part == "..") {
            return Err(refuse("it contains `..`"));
        }
        if is_clean(text) {
            return Ok(RelPath(text.into()));
        }
        let parts = text.split('/').filter(|part| !matches!(*part, "" | "."));
        Ok(RelPath(parts.collect::<Vec<_>>().join("/").into()))
    }

    /// Like `parse`, but relative to `self` and with `..` allowed as long as the result is below the root. For paths that
    /// users write, such as `../lib`.
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

    /// The path as text; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the empty path.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The components in order; none for the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// The last component; `None` for the root.
    pub fn file_name(&self) -> Option<&str> {
        self.components().next_back()
    }

    /// The parent directory as text; empty if that is the root.
    pub fn dir_text(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(dir, _)| dir)
    }

    /// The parent directory; `None` for the root.
    pub fn parent(&self) -> Option<RelPath> {
        if self.is_root() {
            return None;
        }
        Some(self.0.rsplit_once('/').map(|(parent, _)| RelPath(parent.into())).unwrap_or_default())
    }

    /// The parent, its parent and so on; the root is last.
    pub fn ancestors(&self) -> impl Iterator<Item = RelPath> {
        std::iter::successors(self.parent(), RelPath::parent)
    }

    /// The path `other` below `self`.
    pub fn join(&self, other: &RelPath) -> RelPath {
        match (self.is_root(), other.is_root()) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            _ => self.with(&other.0),
        }
    }

    /// Appends a component or a relative path, which is parsed first.
    pub fn push(&self, name: &str) -> Result<RelPath, ParseError> {
        match is_clean(name) && !self.is_root() {
            true => Ok(self.with(name)),
            false => Ok(self.join(&RelPath::parse(name)?)),
        }
    }

    /// Appends text that is not empty to a path that is not the root.
    fn with(&self, rest: &str) -> RelPath {
        RelPath([&self.0, "/", rest].concat().into())
    }

    /// Whether `self` is `dir` or lies below it. Components are compared as a whole.
    pub fn starts_with(&self, dir: &RelPath) -> bool {
        let rest = self.0.strip_prefix(&*dir.0);
        dir.is_root() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The path relative to `dir`; `None` if it is not below `dir`.
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

    /// The extension of the file name, without its dot. A name such as `.bashrc` has none.
    pub fn extension(&self) -> Option<&str> {
        let (stem, extension) = self.file_name()?.rsplit_once('.')?;
        (!stem.is_empty()).then_some(extension)
    }

    /// The path below `root` in the file system.
    pub fn to_path(&self, root: &Path) -> PathBuf {
        if self.is_root() { root.to_owned() } else { root.join(&*self.0) }
    }
}

/// Whether `parse` would return the text unchanged. False for the root.
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
        // The order by component without splitting: `/` sorts below every other byte, since `parse` refuses NUL.
        let key = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        let (left, right) = (self.0.as_bytes(), other.0.as_bytes());
        let shared = shared_len(left, right);
        left.get(shared).map(key).cmp(&right.get(shared).map(key))
    }
}

/// The length of the common prefix in bytes. Compares eight bytes at a time, because paths of one repository have long common
/// prefixes.
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
    fn paths_are_normalized() {
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
    fn parent_components_cannot_leave_the_root() {
        let dir = RelPath::parse("src/app").expect("clean");
        assert_eq!(dir.resolve("../lib"), RelPath::parse("src/lib"));
        assert!(dir.resolve("../../..").is_err());
    }

    #[test]
    fn a_prefix_consists_of_whole_components() {
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
    fn pushed_text_is_normalized() {
        let push = |dir: &str, name: &str| RelPath::parse(dir).and_then(|dir| dir.push(name));
        assert_eq!(push("a", "b"), RelPath::parse("a/b"));
        assert_eq!(push("", "b"), RelPath::parse("b"));
        assert_eq!(push("a", "./b//c/"), RelPath::parse("a/b/c"));
        assert_eq!(push("a", ""), RelPath::parse("a"));
        assert!(push("a", "../b").is_err() && push("a", "/b").is_err() && push("a", "b\0").is_err());
    }
}
