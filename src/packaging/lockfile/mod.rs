//! Lockfiles of every format in one shape. Which of their packages a step needs is `resolve`'s; fetching is nobody's
//! here.

pub mod metadata;
mod pex;
mod pylock;
mod requirements_txt;
mod uv;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uv_normalize::PackageName;
use uv_pep440::{Version, VersionSpecifiers};
use uv_pep508::MarkerTree;

use crate::base::text::Place;
use crate::base::{Digest, RelPath};
use crate::packaging::requirement::{self, Requirement};
use crate::tracked::Tracker;

pub use metadata::{Metadata, Staleness};

#[derive(Clone, Debug)]
pub struct Lock {
    /// What people call it: its path, or `the built-in lock of `pytest``.
    pub label: String,
    /// In the file's order. A name may occur more than once, under markers that exclude each other.
    pub packages: Vec<Package>,
    /// What it was made from, where the format says so.
    pub roots: Vec<Requirement>,
    /// The Pythons it was made for; any of them. Empty: all.
    pub requires_python: Vec<VersionSpecifiers>,
    /// Whether packages say what they require. Where they do not, the lock can only be used whole.
    pub has_edges: bool,
    /// Dependencies that were left out on purpose.
    pub excluded: BTreeSet<PackageName>,
    /// What Pants wrote about it.
    pub metadata: Option<Metadata>,
}

#[derive(Clone, Debug)]
pub struct Package {
    pub name: PackageName,
    pub version: Version,
    pub requires: Vec<Requirement>,
    pub requires_python: Option<VersionSpecifiers>,
    /// Where this entry holds at all.
    pub marker: MarkerTree,
    /// `cp39-cp39-manylinux_2_17_x86_64`, in a lock that was made for one platform.
    pub platform_tag: Option<String>,
    pub artifacts: Vec<Artifact>,
    /// Why there may be nothing to fetch: it comes from version control or from a directory.
    pub unavailable: Option<String>,
}

/// One file that is as good as the others of its package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Absent in hash-pinned requirements: the index's listing tells it, see `index::locate`.
    pub file_name: Option<String>,
    pub url: Option<String>,
    /// 64 lower-case hexadecimal digits.
    pub sha256: String,
    pub size_bytes: Option<u64>,
}

#[derive(Debug)]
pub struct Error {
    pub label: String,
    pub place: Option<Place>,
    pub problem: Problem,
}

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("there is no such lockfile")]
    Missing,
    #[error("the lockfile cannot be read")]
    Unreadable(#[source] std::io::Error),
    #[error("a merge left its conflict marker `{0}` here")]
    Conflict(String),
    #[error("this is not a lockfile in the format of {format}: {why}")]
    Malformed { format: &'static str, why: String },
    #[error("{0} is not supported")]
    Unsupported(String),
    #[error("`{package}` has no sha256 hash, so nothing says what may be installed")]
    NoHash { package: String },
    #[error(transparent)]
    Requirement(#[from] requirement::Error),
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.place {
            Some(place) => write!(out, "{}:{place}: {}", self.label, self.problem),
            None => write!(out, "{}: {}", self.label, self.problem),
        }
    }
}

/// The problem is told in the message, so that the chain goes on below it.
impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.problem.source()
    }
}

impl Error {
    pub fn hint(&self) -> Option<&'static str> {
        match self.problem {
            Problem::Missing => Some("run `generate-lockfiles`, or name the right path in `[python.resolves]`"),
            Problem::Conflict(_) => Some("settle the merge, or run `generate-lockfiles` for this resolve"),
            Problem::NoHash { .. } => {
                Some("make the lock again with hashes (`generate-lockfiles`, `--generate-hashes`)")
            }
            _ => None,
        }
    }
}

/// The sidecar of a lockfile: `<path>.metadata`.
fn sidecar_of(file: PathBuf) -> PathBuf {
    let mut sidecar = file.into_os_string();
    sidecar.push(".metadata");
    sidecar.into()
}

/// Stands for the bytes that `load` would read; none where there are none.
pub fn fingerprint(tracker: &Tracker, build_root: &Path, path: &RelPath) -> Option<Digest> {
    let file = path.to_path(build_root);
    let text = Digest::of(&tracker.read(&file).ok()?);
    let sidecar = tracker.read(&sidecar_of(file)).map(|bytes| Digest::of(&bytes).to_string());
    Some(Digest::of(format!("{path} {text} {}", sidecar.unwrap_or_default()).as_bytes()))
}

/// Reads a lockfile and, if there is one, the sidecar `<path>.metadata`.
pub fn load(tracker: &Tracker, build_root: &Path, path: &RelPath) -> Result<Lock, Error> {
    let fail = |problem| Error { label: path.to_string(), place: None, problem };
    let read = |path: &Path| match tracker.read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fail(Problem::Unreadable(error))),
    };
    let file = path.to_path(build_root);
    let text = read(&file)?.ok_or_else(|| fail(Problem::Missing))?;
    let sidecar = read(&sidecar_of(file))?;
    parse(path.as_str(), &text, sidecar.as_deref())
}

/// The format is told by the text: names and endings of lockfiles say little.
pub fn parse(label: &str, text: &str, sidecar: Option<&str>) -> Result<Lock, Error> {
    let file = File { label, text };
    file.refuse_conflict_markers()?;
    let mut lock = match format(text) {
        Format::Pex => pex::read(&file)?,
        Format::Uv => uv::read(&file)?,
        Format::Pylock => pylock::read(&file)?,
        Format::Requirements => requirements_txt::read(&file)?,
    };
    lock.metadata = match sidecar {
        Some(sidecar) => Some(metadata::read_sidecar(&File { label: &format!("{label}.metadata"), text: sidecar })?),
        None => metadata::read_header(&file)?,
    };
    Ok(lock)
}

enum Format {
    Pex,
    Uv,
    Pylock,
    Requirements,
}

fn format(text: &str) -> Format {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    if lines().next().is_some_and(|line| line.starts_with('{')) {
        return Format::Pex;
    }
    for line in lines() {
        match line {
            "[[package]]" => return Format::Uv,
            "[[packages]]" => return Format::Pylock,
            // Nothing locked: the keys at the head tell.
            line if line.starts_with("lock-version") => return Format::Pylock,
            line if line.starts_with("requires-python =") => return Format::Uv,
            _ => {}
        }
    }
    Format::Requirements
}

/// A lockfile's text while it is read, and where in it something stands.
struct File<'a> {
    label: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn error_at(&self, offset: usize, problem: Problem) -> Error {
        Error { label: self.label.to_owned(), place: Some(Place::of(self.text, offset)), problem }
    }

    /// At the first place where `needle` stands; at the file's start if it is written in another way.
    fn error_near(&self, needle: &str, problem: Problem) -> Error {
        self.error_at(self.text.find(needle).unwrap_or(0), problem)
    }

    fn toml<T: serde::de::DeserializeOwned>(&self, format: &'static str) -> Result<T, Error> {
        toml::from_str(self.text).map_err(|error| {
            let problem = Problem::Malformed { format, why: error.message().trim_end().replace('\n', "; ") };
            self.error_at(error.span().map_or(0, |span| span.start), problem)
        })
    }

    fn refuse_conflict_markers(&self) -> Result<(), Error> {
        let mut offset = 0;
        for line in self.text.split_inclusive('\n') {
            let marker = ["<<<<<<< ", ">>>>>>> ", "||||||| "].into_iter().find(|marker| line.starts_with(marker));
            if let Some(marker) = marker {
                return Err(self.error_at(offset, Problem::Conflict(marker.trim_end().to_owned())));
            }
            offset += line.len();
        }
        Ok(())
    }
}

/// The last component of a url's path, percent-decoded.
fn file_name_of(url: &str) -> Option<String> {
    let path = url.split(['#', '?']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = (byte == b'%').then(|| after.get(..2)).flatten().and_then(|digits| std::str::from_utf8(digits).ok());
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty() && !name.contains('/'))
}

/// `sha256:` and its digits, or the digits alone; in small letters.
fn sha256_of(text: &str) -> Option<String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hash = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_lockfile_is_named_with_its_remedy() {
        let path = RelPath::parse("3rdparty/default.lock").expect("clean");
        let error = load(&Tracker::default(), Path::new("/nowhere"), &path).expect_err("missing");
        assert_eq!(error.to_string(), "3rdparty/default.lock: there is no such lockfile");
        assert!(error.hint().expect("hint").contains("generate-lockfiles"));
    }

    #[test]
    fn a_conflict_marker_is_named_with_its_line() {
        let text = "{\n<<<<<<< HEAD\n}\n";
        let error = parse("a.lock", text, None).expect_err("conflict");
        assert_eq!(error.to_string(), "a.lock:2:1: a merge left its conflict marker `<<<<<<<` here");
    }

    #[test]
    fn file_names_are_decoded() {
        let check = |url: &str, expected: Option<&str>| assert_eq!(file_name_of(url).as_deref(), expected, "{url}");
        check("https://example.invalid/a/b-1%2Blocal-py3-none-any.whl#sha256=0", Some("b-1+local-py3-none-any.whl"));
        check("https://example.invalid/a/", None);
        check("https://example.invalid/a%2Fb.whl", None);
        check("https://example.invalid/b%zz.whl", Some("b%zz.whl"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text in "[ -~\n\"\\[\\]{}=;#é]{0,200}", format in 0..4_usize) {
            let heads = ["{\"locked_resolves\": [", "version = 1\n[[package]]\n", "lock-version = \"1.0\"\n[[packages]]\n", ""];
            drop(parse("a.lock", &format!("{}{text}", heads[format]), Some(&text)));
            drop(requirement::parse_published(&text));
            drop(requirement::parse_constraint(&text));
        }
    }
}
