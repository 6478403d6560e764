//! Reads lockfiles of all supported formats into one data structure. The packages of a step are selected in `resolve`;
//! nothing is downloaded here. How lockfiles are written is in `write`.

pub mod diff;
pub mod metadata;
mod pex;
pub mod pins;
mod poetry;
pub mod projects;
mod pylock;
mod requirements_txt;
pub mod resolution;
mod uv;
pub mod uv_changes;
pub mod write;

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

pub use metadata::{Inputs, Metadata, Staleness};
pub use projects::LockedProjects;

/// A lockfile.
#[derive(Clone, Debug)]
pub struct Lock {
    /// The name for messages: the path of the file, or ``the built-in lock of `pytest` ``.
    pub label: String,
    /// In the order of the file. A name may occur more than once, with markers that exclude each other.
    pub packages: Vec<Package>,
    /// The requirements that the lockfile was generated from, if the format records them.
    pub roots: Vec<Requirement>,
    /// The supported Python versions, as alternatives; empty means all.
    pub requires_python: Vec<VersionSpecifiers>,
    /// Whether the format records the dependencies of packages. Otherwise the lockfile can only be used completely.
    pub has_edges: bool,
    /// Dependencies that were excluded when the lockfile was generated.
    pub excluded: BTreeSet<PackageName>,
    /// The metadata that Pants wrote.
    pub metadata: Option<Metadata>,
    /// The projects of the repository, which are no packages.
    pub projects: LockedProjects,
}

/// A locked package.
#[derive(Clone, Debug)]
pub struct Package {
    /// The normalized name.
    pub name: PackageName,
    /// The locked version.
    pub version: Version,
    /// Its dependencies, if the format records them.
    pub requires: Vec<Requirement>,
    /// The Python versions that it supports.
    pub requires_python: Option<VersionSpecifiers>,
    /// The environments that this entry applies to.
    pub marker: MarkerTree,
    /// The platform of a lockfile for a single platform, such as `cp39-cp39-manylinux_2_17_x86_64`.
    pub platform_tag: Option<String>,
    /// The files that provide this version.
    pub artifacts: Vec<Artifact>,
    /// Why there may be no file to download: the package comes from version control or a local directory.
    pub unavailable: Option<Unavailable>,
    /// The commit from which the package can be built.
    pub git: Option<GitSource>,
}

/// A commit of a git repository with a package. Serialized selections contain it, so its field names must not change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitSource {
    /// The URL as git takes it.
    pub url: String,
    /// All digits of the commit.
    pub commit: String,
    /// The directory of the package; `None` for the root.
    pub subdirectory: Option<String>,
}

/// Why a lockfile has no files of a package.
#[derive(Clone, Debug)]
pub struct Unavailable {
    /// The place of the package in the lockfile.
    pub place: Place,
    /// Where the package comes from, as a clause that begins with a verb.
    pub why: String,
}

/// A file of a package. Serialized selections contain it, so its field names must not change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Absent in hash-pinned requirements, where `index::locate` finds it.
    pub file_name: Option<String>,
    /// The URL, if the lockfile contains one.
    pub url: Option<String>,
    /// 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The size, if the lockfile contains it.
    pub size_bytes: Option<u64>,
}

/// A lockfile that cannot be used.
#[derive(Debug)]
pub struct Error {
    /// The name of the lockfile, as in `Lock::label`.
    pub label: String,
    /// The location of the problem in the file.
    pub place: Option<Place>,
    /// The problem.
    pub problem: Problem,
}

/// The problem with a lockfile.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file does not exist.
    #[error("no such lockfile")]
    Missing,
    /// The file cannot be read.
    #[error("cannot read the lockfile")]
    Unreadable(#[source] std::io::Error),
    /// The file contains a merge conflict marker.
    #[error("unresolved merge conflict marker `{0}`")]
    Conflict(String),
    /// The file violates its format.
    #[error("invalid {format}: {why}")]
    Malformed {
        /// The name of the format.
        format: &'static str,
        /// The message of the parser.
        why: String,
    },
    /// The file uses a feature that is not supported.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A lockfile that is to be written.
    #[error("only Poetry can write this lockfile")]
    OnlyPoetry,
    /// A package from version control for another platform than that of an interpreter, or for a tool.
    #[error(
        "`{package}` is installed from version control (`{url}`), which is not supported for other platforms and tools"
    )]
    VersionControl {
        /// The package.
        package: String,
        /// The repository.
        url: String,
    },
    /// A file of a package has no hash.
    #[error("`{package}` has no sha256 hash, so its files cannot be verified")]
    NoHash {
        /// The package.
        package: String,
    },
    /// An invalid requirement or interpreter constraint.
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

/// `Display` already includes the problem, so the source is the cause of the problem.
impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.problem.source()
    }
}

impl Error {
    /// A problem with a lockfile as a whole, or with what `label` names besides.
    pub fn of(label: String, problem: Problem) -> Error {
        Error { label, place: None, problem }
    }

    /// What the user can do about the error.
    pub fn hint(&self) -> Option<String> {
        let hint = match self.problem {
            Problem::Missing => "run `generate-lockfiles`, or correct the path in `[python.resolves]`",
            Problem::OnlyPoetry => "run `poetry lock`",
            Problem::Conflict(_) => "resolve the merge conflict, or run `generate-lockfiles` for this resolve",
            Problem::NoHash { .. } => "regenerate the lockfile with hashes (`generate-lockfiles`, `--generate-hashes`)",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// The path of a lockfile's metadata sidecar: `<path>.metadata`.
fn sidecar_of(file: PathBuf) -> PathBuf {
    let mut sidecar = file.into_os_string();
    sidecar.push(".metadata");
    sidecar.into()
}

/// A digest of everything that `load` would read; `None` if there is no lockfile.
pub fn fingerprint(tracker: &Tracker, build_root: &Path, path: &RelPath) -> Option<Digest> {
    let file = path.to_path(build_root);
    let text = Digest::of(&tracker.read(&file).ok()?);
    let sidecar = tracker.read(&sidecar_of(file)).map(|bytes| Digest::of(&bytes).to_string());
    Some(Digest::of(format!("{path} {text} {}", sidecar.unwrap_or_default()).as_bytes()))
}

/// Reads a lockfile and its sidecar `<path>.metadata`, if there is one.
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

/// Parses a lockfile. The format is detected from the text, because the names of lockfiles are not reliable.
pub fn parse(label: &str, text: &str, sidecar: Option<&str>) -> Result<Lock, Error> {
    let file = File { label, text };
    file.refuse_conflict_markers()?;
    let mut lock = match detect_format(text) {
        Format::Pex => pex::read(&file)?,
        Format::Uv => uv::read(&file)?,
        Format::Poetry => poetry::read(&file)?,
        Format::Pylock => pylock::read(&file)?,
        Format::Requirements => requirements_txt::read(&file)?,
    };
    lock.metadata = match sidecar {
        Some(sidecar) => Some(metadata::read_sidecar(&File { label: &format!("{label}.metadata"), text: sidecar })?),
        None => lock.metadata.or(metadata::read_header(&file)?),
    };
    Ok(lock)
}

/// The format of a lockfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The JSON of PEX, with or without a header of Pants.
    Pex,
    /// `uv.lock`.
    Uv,
    /// `poetry.lock`, which only Poetry writes.
    Poetry,
    /// `pylock.toml` (PEP 751).
    Pylock,
    /// Requirements with hashes, as pip reads them.
    Requirements,
}

/// The format of a lockfile, which may contain conflict markers.
pub fn detect_format(text: &str) -> Format {
    let is_content = |line: &&str| !line.is_empty() && !line.starts_with("//") && !is_conflict_marker(line);
    let lines = || text.lines().map(str::trim).filter(is_content);
    if lines().next().is_some_and(|line| line.starts_with('{')) {
        return Format::Pex;
    }
    if lines().any(|line| line.starts_with("content-hash =")) {
        return Format::Poetry;
    }
    for line in lines() {
        match line {
            "[[package]]" => return Format::Uv,
            "[[packages]]" => return Format::Pylock,
            // A lockfile without packages is recognised by its first keys.
            line if line.starts_with("lock-version") => return Format::Pylock,
            line if line.starts_with("requires-python =") => return Format::Uv,
            _ => {}
        }
    }
    Format::Requirements
}

/// The beginnings of the lines that git adds to a file with conflicts.
const CONFLICT_MARKERS: [&str; 3] = ["<<<<<<< ", ">>>>>>> ", "||||||| "];

fn is_conflict_marker(line: &str) -> bool {
    line == "=======" || CONFLICT_MARKERS.iter().any(|marker| line.starts_with(marker))
}

/// The text of a lockfile that is being read. Creates errors with locations.
struct File<'a> {
    label: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn error_at(&self, offset: usize, problem: Problem) -> Error {
        Error { label: self.label.to_owned(), place: Some(Place::of(self.text, offset)), problem }
    }

    /// An error at the first occurrence of `needle`, or at the start of the file if the text is spelled differently there.
    fn error_near(&self, needle: &str, problem: Problem) -> Error {
        self.error_at(self.text.find(needle).unwrap_or(0), problem)
    }

    /// The place of a package in a TOML lockfile, in which others may name it before.
    fn place_of_package(&self, name: &str, version: Option<&str>) -> Place {
        let line = format!("\nname = \"{name}\"");
        let exact = version.and_then(|version| self.text.find(&format!("{line}\nversion = \"{version}\"")));
        Place::of(self.text, exact.or_else(|| self.text.find(&line)).map_or(0, |offset| offset + 1))
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
            let marker = CONFLICT_MARKERS.into_iter().find(|marker| line.starts_with(marker));
            if let Some(marker) = marker {
                return Err(self.error_at(offset, Problem::Conflict(marker.trim_end().to_owned())));
            }
            offset += line.len();
        }
        Ok(())
    }
}

/// The last component of a URL's path, percent-decoded.
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

/// The URL unless it contains the name of a directory, as in `file://${WHEELS}/a.whl`: then the file is found by its name in the
/// directories of the settings.
fn usable_url(url: &str) -> Option<String> {
    (!url.contains("${")).then(|| url.to_owned())
}

/// The digits of a hash with or without the prefix `sha256:`, in lower case.
fn sha256_of(text: &str) -> Option<String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hash = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_lockfile_is_reported_with_a_hint() {
        let path = RelPath::parse("3rdparty/default.lock").expect("clean");
        let error = load(&Tracker::default(), Path::new("/nowhere"), &path).expect_err("missing");
        assert_eq!(error.to_string(), "3rdparty/default.lock: no such lockfile");
        assert!(error.hint().expect("hint").contains("generate-lockfiles"));
    }

    #[test]
    fn a_conflict_marker_is_reported_with_its_location() {
        let text = "{\n<<<<<<< HEAD\n}\n";
        let error = parse("a.lock", text, None).expect_err("conflict");
        assert_eq!(error.to_string(), "a.lock:2:1: unresolved merge conflict marker `<<<<<<<`");
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
        fn no_text_makes_a_parser_panic(text in "[ -~\n\"\\[\\]{}=;#é]{0,200}", format in 0..4_usize) {
            let heads = ["{\"locked_resolves\": [", "version = 1\n[[package]]\n", "lock-version = \"1.0\"\n[[packages]]\n", ""];
            drop(parse("a.lock", &format!("{}{text}", heads[format]), Some(&text)));
            drop(requirement::parse_published(&text));
            drop(requirement::parse_constraint(&text));
        }
    }
}
