//! Addresses: `src/app/main.py:lib`, `//:reqs#requests`, `src/app:dist@resolve=a`. Parses and prints them. Whether a
//! target with an address exists is known to the graph only.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::base::{RelPath, rel_path};

/// The unique name of a target. Clones share their parts, since a graph holds each address many times.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Arc<Parts>);

/// The parts of an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parts {
    /// The directory of the BUILD file.
    pub dir: RelPath,
    /// The file from which the target is generated, relative to `dir`.
    pub file: Option<RelPath>,
    /// The name of the target, or of its generator: the field `name`, by default the name of the directory.
    pub name: String,
    /// The name of a target that is not generated from a file: `requests` in `//:reqs#requests`.
    pub generated: Option<String>,
    /// Parameters of a parametrized target: `{resolve: a}` in `src/app:dist@resolve=a`.
    pub parameters: BTreeMap<String, String>,
}

/// A text that is not a valid address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// The text does not have the form of an address.
    #[error("{why}")]
    Form {
        /// The whole text.
        text: String,
        /// The violated rule.
        why: &'static str,
    },
    /// The path part is invalid.
    #[error("its path is invalid")]
    Path {
        /// The whole text.
        text: String,
        /// The cause.
        source: rel_path::ParseError,
    },
}

impl Address {
    /// The address of a target that a BUILD file in `dir` declares.
    pub fn new(dir: &RelPath, name: &str) -> Address {
        let (dir, name) = (dir.clone(), name.to_owned());
        Parts { dir, file: None, name, generated: None, parameters: BTreeMap::new() }.into()
    }

    /// The address of the target that this one generates from a file, given relative to `dir`.
    pub fn with_file(&self, file: RelPath) -> Address {
        Parts { file: Some(file), ..self.parts() }.into()
    }

    /// The address of the target that this one generates under a name.
    pub fn with_generated(&self, generated: &str) -> Address {
        Parts { generated: Some(generated.to_owned()), ..self.parts() }.into()
    }

    /// The same address with more parameters.
    pub fn with_parameters(&self, more: &BTreeMap<String, String>) -> Address {
        if more.is_empty() {
            return self.clone();
        }
        let mut parts = self.parts();
        parts.parameters.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
        parts.into()
    }

    /// A copy of the parts, to build another address.
    pub fn parts(&self) -> Parts {
        Parts::clone(&self.0)
    }

    /// The name of a target in `dir` that does not set one. `None` in the build root.
    pub fn default_name(dir: &RelPath) -> Option<&str> {
        dir.file_name()
    }

    /// Whether the name is that of the directory.
    pub fn has_default_name(&self) -> bool {
        Address::default_name(&self.dir) == Some(&self.name)
    }

    /// The file from which the target is generated, from the build root.
    pub fn file_path(&self) -> Option<RelPath> {
        self.file.as_ref().map(|file| self.dir.join(file))
    }

    /// The directory in which the specs `dir:` and `dir::` find the target: that of its file, or else of its BUILD
    /// file.
    pub fn resident_dir(&self) -> RelPath {
        self.file_path().and_then(|file| file.parent()).unwrap_or_else(|| self.dir.clone())
    }

    /// Whether `dir` is the resident directory. Rejects most addresses without building a path.
    pub fn resides_in(&self, dir: &RelPath) -> bool {
        dir.starts_with(&self.dir) && self.resident_dir() == *dir
    }

    /// Whether the resident directory is `dir` or below it.
    pub fn resides_below(&self, dir: &RelPath) -> bool {
        self.dir.starts_with(dir) || dir.starts_with(&self.dir) && self.resident_dir().starts_with(dir)
    }

    fn printed_name(&self) -> Option<&str> {
        (!self.has_default_name()).then_some(&self.name)
    }

    /// The order in which lists of addresses are printed. It sorts default names first.
    pub fn list_order(&self, other: &Address) -> Ordering {
        (self.dir.cmp(&other.dir))
            .then_with(|| self.file.cmp(&other.file))
            .then_with(|| self.printed_name().cmp(&other.printed_name()))
            .then_with(|| self.parameters.cmp(&other.parameters))
            .then_with(|| self.generated.cmp(&other.generated))
    }
}

impl From<Parts> for Address {
    fn from(parts: Parts) -> Address {
        Address(Arc::new(parts))
    }
}

impl Deref for Address {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dir.is_root() {
            out.write_str("//")?;
        }
        match &self.file {
            Some(file) => {
                let climb = file.components().count().saturating_sub(1);
                out.write_str(self.dir.join(file).as_str())?;
                if climb > 0 || !self.has_default_name() {
                    write!(out, ":{}{}", "../".repeat(climb), self.name)?;
                }
            }
            None => {
                out.write_str(self.dir.as_str())?;
                let short = self.generated.is_some() || !self.parameters.is_empty();
                if !(short && self.has_default_name()) {
                    write!(out, ":{}", self.name)?;
                }
            }
        }
        if let Some(generated) = &self.generated {
            write!(out, "#{generated}")?;
        }
        for (index, (key, value)) in self.parameters.iter().enumerate() {
            write!(out, "{}{key}={value}", if index == 0 { "@" } else { "," })?;
        }
        Ok(())
    }
}

/// An address as written. Whether its path is a file or a directory depends on the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file or directory, from the build root.
    pub path: RelPath,
    /// The part after `:`, which may begin with `../` after a file.
    pub name: Option<String>,
    /// The part after `#`.
    pub generated: Option<String>,
    /// The parts after `@`.
    pub parameters: BTreeMap<String, String>,
}

impl Written {
    /// Parses an address as in the field `dependencies` of a BUILD file in `dir`: `:x`, `./f.py` and `../a:x` are
    /// relative to `dir`, all others to the build root. The path ends at the first `:`, `#` or `@`, unless a longer part of
    /// the text is a path that `exists`: file names may contain these characters.
    pub fn parse(text: &str, dir: &RelPath, exists: &dyn Fn(&RelPath) -> bool) -> Result<Written, ParseError> {
        let refuse = |why| ParseError::Form { text: text.to_owned(), why };
        let is_path = |path: &str| Written::parse_path(path, dir).is_ok_and(|path| exists(&path));
        let (path, rest) = split_path(text, &is_path);
        let (rest, parameters) = match rest.split_once('@') {
            Some((rest, parameters)) => (rest, parse_parameters(parameters).ok_or_else(|| refuse(PARAMETERS))?),
            None => (rest, BTreeMap::new()),
        };
        let (rest, generated) = split_part(rest, '#');
        let (_, name) = split_part(rest, ':');
        if text.is_empty() || name == Some("") || generated == Some("") {
            return Err(refuse("one of its parts is empty"));
        }
        if name.is_some_and(|name| name.contains(':')) {
            return Err(refuse("it has more than one colon"));
        }
        let path = Written::parse_path(path, dir);
        let path = path.map_err(|source| ParseError::Path { text: text.to_owned(), source })?;
        Ok(Written { path, name: name.map(str::to_owned), generated: generated.map(str::to_owned), parameters })
    }

    fn parse_path(path: &str, dir: &RelPath) -> Result<RelPath, rel_path::ParseError> {
        let relative =
            path.is_empty() || path == "." || path == ".." || path.starts_with("./") || path.starts_with("../");
        let base = if relative { dir.clone() } else { RelPath::root() };
        let clean = path.strip_prefix("//").unwrap_or(path);
        if clean.starts_with('/') { RelPath::parse(clean) } else { base.resolve(clean) }
    }

    /// The address, given whether the path is a file. The default name is that of the directory.
    pub fn resolve(&self, path_is_file: bool) -> Result<Address, ParseError> {
        let refuse = |why| ParseError::Form { text: self.path.to_string(), why };
        if !path_is_file {
            let name = self.name.as_deref().or_else(|| Address::default_name(&self.path));
            let name = name.ok_or_else(|| refuse("a target in the build root needs a name"))?;
            let address = Address::new(&self.path, name).with_parameters(&self.parameters);
            return Ok(Parts { generated: self.generated.clone(), ..address.parts() }.into());
        }
        let written = self.name.as_deref().unwrap_or_default();
        let name = written.trim_start_matches("../");
        let climb = (written.len() - name.len()) / 3;
        let dir = self.path.ancestors().nth(climb).ok_or_else(|| refuse("its name leaves the build root"))?;
        let name = if name.is_empty() { Address::default_name(&dir) } else { Some(name) };
        let name = name.ok_or_else(|| refuse("a target in the build root needs a name"))?;
        let file =
            self.path.strip_prefix(&dir).ok_or_else(|| refuse("its file is not below the directory of its name"))?;
        Ok(Address::new(&dir, name).with_file(file).with_parameters(&self.parameters))
    }
}

const PARAMETERS: &str = "the part after `@` must be `key=value` pairs, separated by commas";

/// Splits a text at the end of its path: the longest one that ends before `:`, `#` or `@` and for which `is_path` holds,
/// or else the shortest.
pub fn split_path<'t>(text: &'t str, is_path: &dyn Fn(&str) -> bool) -> (&'t str, &'t str) {
    let ends: Vec<usize> = text.match_indices([':', '#', '@']).map(|(end, _)| end).collect();
    // Nearly all addresses have at most one place where the path can end.
    let known = match ends.len() {
        0 => return (text, ""),
        1 if !is_path(text) => None,
        _ => ends.iter().copied().chain([text.len()]).rev().find(|end| *end > 0 && is_path(&text[..*end])),
    };
    text.split_at(known.unwrap_or(ends[0]))
}

fn split_part(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn parse_parameters(text: &str) -> Option<BTreeMap<String, String>> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        (!key.is_empty()).then(|| (key.to_owned(), value.to_owned()))
    };
    text.split(',').map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).expect("clean")
    }

    fn address(dir: &str, file: &str, name: &str, generated: &str, parameters: &str) -> Address {
        let file = (!file.is_empty()).then(|| path(file));
        let generated = (!generated.is_empty()).then(|| generated.to_owned());
        let parameters =
            if parameters.is_empty() { BTreeMap::new() } else { parse_parameters(parameters).expect("pairs") };
        Parts { dir: path(dir), file, name: name.to_owned(), generated, parameters }.into()
    }

    #[test]
    fn addresses_print_as_pants_prints_them() {
        let check = |address: Address, expected: &str| assert_eq!(address.to_string(), expected);
        check(address("src/app", "", "app", "", ""), "src/app:app");
        check(address("src/app", "", "bin", "", ""), "src/app:bin");
        check(address("src/app", "main.py", "app", "", ""), "src/app/main.py");
        check(address("src/app", "main.py", "lib", "", ""), "src/app/main.py:lib");
        check(address("src/app", "sub/main.py", "app", "", ""), "src/app/sub/main.py:../app");
        check(address("src/app", "a/b/c.py", "lib", "", ""), "src/app/a/b/c.py:../../lib");
        check(address("", "", "reqs", "requests", ""), "//:reqs#requests");
        check(address("", "requirements.txt", "reqs", "", ""), "//requirements.txt:reqs");
        check(address("3rdparty", "", "3rdparty", "requests", ""), "3rdparty#requests");
        check(address("src/app", "", "app", "", "resolve=a"), "src/app@resolve=a");
        check(address("src/app", "", "reqs", "x", "b=2,a=1"), "src/app:reqs#x@a=1,b=2");
        check(address("src/app", "f.py", "app", "", "resolve=a"), "src/app/f.py@resolve=a");
    }

    fn check(text: &str, is_file: bool, expected: &str) {
        let written =
            Written::parse(text, &path("src/app"), &|_| false).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(written.resolve(is_file).expect(text).to_string(), expected, "{text}");
    }

    #[test]
    fn written_addresses_resolve_relative_to_their_directory() {
        check(":x", false, "src/app:x");
        check("src/lib", false, "src/lib:lib");
        check("src/lib:x", false, "src/lib:x");
        check("//:x", false, "//:x");
        check("//src/lib:x", false, "src/lib:x");
        check("./f.py", true, "src/app/f.py");
        check("../lib/f.py:x", true, "src/lib/f.py:x");
        check("src/app/sub/f.py:../x", true, "src/app/sub/f.py:../x");
        check("//:reqs#requests", false, "//:reqs#requests");
        check("3rdparty#requests", false, "3rdparty#requests");
        check(":x@resolve=a,b=c", false, "src/app:x@b=c,resolve=a");
    }

    #[test]
    fn printed_addresses_parse_to_themselves() {
        for text in ["src/app:app", "src/app/f.py", "src/a/b.py:../a", "//:r#x", "//f.py:r", "src/app@resolve=a"] {
            check(text, text.contains(".py"), text);
        }
    }

    #[test]
    fn an_existing_path_may_contain_the_separators() {
        let exists = |path: &RelPath| ["src/app/a@b.py", "c#d:e", "x", "x@y"].contains(&path.as_str());
        let check = |text: &str, is_file: bool, expected: &str| {
            let written = Written::parse(text, &path("src/app"), &exists).expect(text);
            assert_eq!(written.resolve(is_file).expect(text).to_string(), expected, "{text}");
        };
        check("src/app/a@b.py", true, "src/app/a@b.py");
        check("./a@b.py:lib@resolve=a", true, "src/app/a@b.py:lib@resolve=a");
        check("c#d:e#generated", false, "c#d:e#generated");
        check("x@y:z", false, "x@y:z");
        check("x@k=v", false, "x@k=v");
    }

    #[test]
    fn invalid_addresses_are_refused() {
        for text in ["", "a:", "a:b:c", "a#", "../../../x", "a@b", "a@=c"] {
            assert!(Written::parse(text, &path("src/app"), &|_| false).is_err(), "{text}");
        }
        assert!(Written::parse("//", &path("a"), &|_| false).expect("root").resolve(false).is_err());
        assert!(Written::parse("a/f.py:../../../x", &path(""), &|_| false).expect("parts").resolve(true).is_err());
    }

    #[test]
    fn the_list_order_puts_the_default_name_first() {
        let (lib, data) = (address("src/lib", "", "lib", "", ""), address("src/lib", "", "data", "", ""));
        assert!(lib.list_order(&data).is_lt());
    }
}
