//! The name of one target: `src/app/main.py:lib`, `//:reqs#requests`, `src/app:dist@resolve=a`. Text to parts and back;
//! whether such a target exists is the graph's to know.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::base::{RelPath, rel_path};

/// Copies share their parts: a repository's graph names each target many times.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Arc<Parts>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parts {
    /// The directory of the BUILD file.
    pub dir: RelPath,
    /// For a target generated from a file: the file, relative to `dir`.
    pub file: Option<RelPath>,
    /// As written, or the directory's name.
    pub name: String,
    /// For a target generated from something else than a file: `requests` in `//:reqs#requests`.
    pub generated: Option<String>,
    pub parameters: BTreeMap<String, String>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    #[error("`{text}` is not an address: {why}")]
    Form { text: String, why: &'static str },
    #[error("`{text}` is not an address")]
    Path { text: String, source: rel_path::ParseError },
}

impl Address {
    /// The address of a target written in a BUILD file.
    pub fn of(dir: &RelPath, name: &str) -> Address {
        let (dir, name) = (dir.clone(), name.to_owned());
        Parts { dir, file: None, name, generated: None, parameters: BTreeMap::new() }.into()
    }

    pub fn with_file(&self, file: RelPath) -> Address {
        Parts { file: Some(file), ..self.parts() }.into()
    }

    pub fn with_generated(&self, generated: &str) -> Address {
        Parts { generated: Some(generated.to_owned()), ..self.parts() }.into()
    }

    pub fn with_parameters(&self, more: &BTreeMap<String, String>) -> Address {
        if more.is_empty() {
            return self.clone();
        }
        let mut parts = self.parts();
        parts.parameters.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
        parts.into()
    }

    /// To make another address of.
    pub fn parts(&self) -> Parts {
        Parts::clone(&self.0)
    }

    /// The name that a target without one has in `dir`; none in the root.
    pub fn default_name(dir: &RelPath) -> Option<&str> {
        dir.file_name()
    }

    pub fn has_default_name(&self) -> bool {
        Address::default_name(&self.dir) == Some(&self.name)
    }

    /// The file of a file's target, from the build root.
    pub fn file_path(&self) -> Option<RelPath> {
        self.file.as_ref().map(|file| self.dir.join(file))
    }

    /// Where `dir:` and `dir::` look for the target: a file's target lives beside the file.
    pub fn resident_dir(&self) -> RelPath {
        self.file_path().and_then(|file| file.parent()).unwrap_or_else(|| self.dir.clone())
    }

    /// Most addresses are of other directories: those are told apart without making a path.
    pub fn resides_in(&self, dir: &RelPath) -> bool {
        dir.starts_with(&self.dir) && self.resident_dir() == *dir
    }

    /// In a directory or below.
    pub fn resides_below(&self, dir: &RelPath) -> bool {
        self.dir.starts_with(dir) || dir.starts_with(&self.dir) && self.resident_dir().starts_with(dir)
    }

    fn printed_name(&self) -> Option<&str> {
        (!self.has_default_name()).then_some(&self.name)
    }

    /// The order in which lists of addresses are printed: a default name stands as none.
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

/// An address as somebody wrote it: whether its path is a file or a directory shows only in the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// From the build root.
    pub path: RelPath,
    /// May climb: `../lib`.
    pub name: Option<String>,
    pub generated: Option<String>,
    pub parameters: BTreeMap<String, String>,
}

impl Written {
    /// As in a `dependencies` field of a BUILD file in `dir`: `:x`, `./f.py`, `../a:x` are relative, the rest is not.
    pub fn parse(text: &str, dir: &RelPath) -> Result<Written, ParseError> {
        let refuse = |why| ParseError::Form { text: text.to_owned(), why };
        let (rest, parameters) = match text.split_once('@') {
            Some((rest, parameters)) => (rest, parse_parameters(parameters).ok_or_else(|| refuse(PARAMETERS))?),
            None => (text, BTreeMap::new()),
        };
        let (rest, generated) = split_part(rest, '#');
        let (path, name) = split_part(rest, ':');
        if text.is_empty() || name == Some("") || generated == Some("") {
            return Err(refuse("a part of it is empty"));
        }
        if name.is_some_and(|name| name.contains(':')) {
            return Err(refuse("it has a colon too many"));
        }
        let relative =
            path.is_empty() || path == "." || path == ".." || path.starts_with("./") || path.starts_with("../");
        let base = if relative { dir.clone() } else { RelPath::root() };
        let clean = path.strip_prefix("//").unwrap_or(path);
        let path = if clean.starts_with('/') { RelPath::parse(clean) } else { base.resolve(clean) };
        let path = path.map_err(|source| ParseError::Path { text: text.to_owned(), source })?;
        Ok(Written { path, name: name.map(str::to_owned), generated: generated.map(str::to_owned), parameters })
    }

    /// The address, knowing whether the path is a file. Its name is what was written, or the directory's.
    pub fn resolve(&self, path_is_file: bool) -> Result<Address, ParseError> {
        let refuse = |why| ParseError::Form { text: self.path.to_string(), why };
        if !path_is_file {
            let name = self.name.as_deref().or_else(|| Address::default_name(&self.path));
            let name = name.ok_or_else(|| refuse("a target in the root directory has to be named"))?;
            let address = Address::of(&self.path, name).with_parameters(&self.parameters);
            return Ok(Parts { generated: self.generated.clone(), ..address.parts() }.into());
        }
        let written = self.name.as_deref().unwrap_or_default();
        let name = written.trim_start_matches("../");
        let climb = (written.len() - name.len()) / 3;
        let dir = self.path.ancestors().nth(climb).ok_or_else(|| refuse("its name climbs out of the root"))?;
        let name = if name.is_empty() { Address::default_name(&dir) } else { Some(name) };
        let name = name.ok_or_else(|| refuse("a target in the root directory has to be named"))?;
        let file = self.path.strip_prefix(&dir).ok_or_else(|| refuse("its name is not below it"))?;
        Ok(Address::of(&dir, name).with_file(file).with_parameters(&self.parameters))
    }
}

const PARAMETERS: &str = "after `@` stand `key=value` pairs, with commas between them";

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
        let written = Written::parse(text, &path("src/app")).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(written.resolve(is_file).expect(text).to_string(), expected, "{text}");
    }

    #[test]
    fn written_addresses_resolve_from_their_directory() {
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
    fn what_prints_reads_back() {
        for text in ["src/app:app", "src/app/f.py", "src/a/b.py:../a", "//:r#x", "//f.py:r", "src/app@resolve=a"] {
            check(text, text.contains(".py"), text);
        }
    }

    #[test]
    fn broken_addresses_are_refused() {
        for text in ["", "a:", "a:b:c", "a#", "../../../x", "a@b", "a@=c"] {
            assert!(Written::parse(text, &path("src/app")).is_err(), "{text}");
        }
        assert!(Written::parse("//", &path("a")).expect("root").resolve(false).is_err());
        assert!(Written::parse("a/f.py:../../../x", &path("")).expect("parts").resolve(true).is_err());
    }

    #[test]
    fn lists_put_the_default_name_first() {
        let (lib, data) = (address("src/lib", "", "lib", "", ""), address("src/lib", "", "data", "", ""));
        assert!(lib.list_order(&data).is_lt());
    }
}
