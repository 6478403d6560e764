//! `waders.lock`: the toolchains of a repository, pinned by hash. The file is committed, sorted and byte-stable. It contains
//! file names, versions, hashes and sizes, never a host name or a path of a machine.

use std::fmt::{self, Write as _};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, SERVICE};
use crate::base::{Digest, replace_file};
use crate::tracked::Tracker;

/// The version of the file format.
const FORMAT: u32 = 1;
const HEAD: &str = "\
# The toolchains of this repository, pinned by hash. Written by `waders`: commit it, do not edit it.
# If a record is deleted, the next run locks it again.
";

/// The content of the file: records sorted by name, version, platform and provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    records: Vec<Record>,
    /// Sorted.
    sources: Vec<LockedSource>,
}

/// The source of a package from version control.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedSource {
    /// The name and version of the package, such as `six-1.17.0`.
    pub name: String,
    /// The commit, in hexadecimal digits.
    pub commit: String,
    /// The directory in the repository; empty for its root.
    #[serde(default)]
    pub subdirectory: String,
    /// The hash of the archive of its files, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// A locked toolchain. All providers use the same fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// `system`, `python`, `build` or `service`.
    pub name: String,
    /// The version of the interpreter (`3.11.2`) or of the distribution (`12.11`).
    pub version: String,
    /// Such as `linux-x86_64`.
    pub platform: String,
    /// Where it comes from.
    pub provider: Provider,
    /// The package names or interpreter constraints that it was locked for, sorted.
    pub wanted: Vec<String>,
    /// The tree of all its files: `usr/…`, `etc/ssl/…`, `toolchain/…`.
    pub tree: Digest,
    /// The files that the tree is unpacked from, in order; empty for interpreters of the provider `host`.
    #[serde(default)]
    pub files: Vec<LockedFile>,
}

/// A source of toolchains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Packages of a signed archive.
    Debian,
    /// An archive with a relocatable interpreter.
    Standalone,
    /// A copy of an interpreter of this machine, which is not portable.
    Host,
}

/// A file to download.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    /// The name of the package.
    pub name: String,
    /// The version of the package.
    pub version: String,
    /// Relative to the root of the mirror.
    pub path: String,
    /// In lower-case hexadecimal digits.
    pub sha256: String,
    /// In bytes.
    pub size: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default)]
    toolchain: Vec<Record>,
    #[serde(default)]
    source: Vec<LockedSource>,
}

impl Lock {
    /// Reads the file. If it does not exist, the lock is empty.
    pub fn load(tracker: &Tracker, path: &Path) -> Result<Lock, Error> {
        match tracker.read_to_string(path) {
            Ok(text) => Lock::parse(&text).map_err(|why| Error::LockSyntax { path: path.to_owned(), why }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock::default()),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }

    /// Replaces the file in one step if its content changes. Returns whether it was replaced.
    pub fn save(&self, tracker: &Tracker, path: &Path) -> Result<bool, Error> {
        let text = self.to_string();
        if tracker.read_to_string(path).is_ok_and(|old| old == text) {
            return Ok(false);
        }
        replace_file(path, text.as_bytes()).map_err(Error::io("write", path))?;
        Ok(true)
    }

    /// All records in their order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Adds a record, or replaces the one with the same name, version, platform and provider. There can be several records
    /// `build` and `service`, for different packages.
    pub fn insert(&mut self, record: Record) {
        let key = |record: &Record| {
            let wanted = Some(record.wanted.clone()).filter(|_| ["build", SERVICE].contains(&record.name.as_str()));
            (record.name.clone(), record.version.clone(), record.platform.clone(), record.provider, wanted)
        };
        let new = key(&record);
        self.retain(|old| key(old) != new);
        self.records.push(record);
        self.records.sort();
    }

    /// Removes the records for which `keep` is false.
    pub fn retain(&mut self, keep: impl FnMut(&Record) -> bool) {
        self.records.retain(keep);
    }

    fn parse(text: &str) -> Result<Lock, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        if file.format != FORMAT {
            return Err(format!("its format is {}, but this version of Waders supports only {FORMAT}", file.format));
        }
        // A file that was cut between two of a record's keys is still valid TOML.
        let is_cut = |record: &&Record| record.files.is_empty() && record.provider != Provider::Host;
        if let Some(record) = file.toolchain.iter().find(is_cut) {
            return Err(format!("the record `{} {}` has no files", record.name, record.version));
        }
        let mut records = file.toolchain;
        records.sort();
        let mut sources = file.source;
        sources.sort();
        Ok(Lock { records, sources })
    }

    /// The record of a package from version control.
    pub fn source(&self, name: &str, commit: &str, subdirectory: &str) -> Option<&LockedSource> {
        let is_same = |source: &&LockedSource| {
            (&*source.name, &*source.commit, &*source.subdirectory) == (name, commit, subdirectory)
        };
        self.sources.iter().find(is_same)
    }

    /// Adds the record of a package from version control. It replaces those of other commits.
    pub fn insert_source(&mut self, source: LockedSource) {
        let project = |name: &str| name.rsplit_once('-').map(|(project, _)| project.to_owned());
        self.sources.retain(|old| project(&old.name) != project(&source.name));
        self.sources.push(source);
        self.sources.sort();
    }

    /// The records of packages from version control alone.
    pub fn into_sources(self) -> Lock {
        Lock { records: Vec::new(), sources: self.sources }
    }
}

impl Provider {
    /// The name in settings and in the lock.
    pub fn name(self) -> &'static str {
        match self {
            Provider::Debian => "debian",
            Provider::Standalone => "standalone",
            Provider::Host => "host",
        }
    }

    /// The provider of this name.
    pub fn parse(name: &str) -> Option<Provider> {
        [Provider::Debian, Provider::Standalone, Provider::Host].into_iter().find(|provider| provider.name() == name)
    }
}

/// The text of the file, with one line for each locked file, so that diffs are readable.
impl fmt::Display for Lock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{HEAD}format = {FORMAT}")?;
        for record in &self.records {
            out.write_str("\n[[toolchain]]\n")?;
            for (key, value) in [
                ("name", record.name.as_str()),
                ("version", &record.version),
                ("platform", &record.platform),
                ("provider", record.provider.name()),
                ("tree", &record.tree.to_string()),
            ] {
                writeln!(out, "{key} = {}", quoted(value))?;
            }
            writeln!(
                out,
                "wanted = [{}]",
                record.wanted.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")
            )?;
            if !record.files.is_empty() {
                out.write_str("files = [\n")?;
                record.files.iter().try_for_each(|file| write_file(out, file))?;
                out.write_str("]\n")?;
            }
        }
        for LockedSource { name, commit, subdirectory, sha256 } in &self.sources {
            out.write_str("\n[[source]]\n")?;
            for (key, value) in [("name", name), ("commit", commit), ("subdirectory", subdirectory), ("sha256", sha256)]
            {
                if !value.is_empty() {
                    writeln!(out, "{key} = {}", quoted(value))?;
                }
            }
        }
        Ok(())
    }
}

fn write_file(out: &mut fmt::Formatter<'_>, file: &LockedFile) -> fmt::Result {
    let fields = [("name", &file.name), ("version", &file.version), ("path", &file.path), ("sha256", &file.sha256)];
    out.write_str("    { ")?;
    for (key, value) in fields {
        write!(out, "{key} = {}, ", quoted(value))?;
    }
    writeln!(out, "size = {} }},", file.size)
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => write!(out, "\\u{:04X}", u32::from(c)).expect("writing to a String succeeds"),
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn record(name: &str, version: &str) -> Record {
        Record {
            name: name.to_owned(),
            version: version.to_owned(),
            platform: "linux-x86_64".to_owned(),
            provider: Provider::Debian,
            wanted: vec!["a \"quoted\" \\ \u{1} name".to_owned(), "b".to_owned()],
            tree: Digest::of(version.as_bytes()),
            files: vec![LockedFile {
                name: "libc6".to_owned(),
                version: "1:2.36".to_owned(),
                path: "pool/l/libc6.deb".to_owned(),
                sha256: "ab".repeat(32),
                size: 12,
            }],
        }
    }

    #[test]
    fn a_saved_lock_is_loaded_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("waders.lock");
        let mut lock = Lock::default();
        assert_eq!(Lock::load(&Tracker::default(), &path).unwrap(), lock);
        for record in [
            record("system", "12.1"),
            record("python", "3.9.1"),
            Record { files: vec![], provider: Provider::Host, ..record("python", "3.11.2") },
        ] {
            lock.insert(record);
        }
        assert!(lock.save(&Tracker::default(), &path).unwrap());
        assert_eq!(Lock::load(&Tracker::default(), &path).unwrap(), lock);
        assert!(!lock.save(&Tracker::default(), &path).unwrap(), "an unchanged file is not written");
        assert_eq!(Lock::load(&Tracker::default(), &path).unwrap().to_string(), fs::read_to_string(&path).unwrap());
    }

    #[test]
    fn the_order_of_insertion_does_not_matter() {
        let (mut one, mut other) = (Lock::default(), Lock::default());
        one.insert(record("system", "12.1"));
        one.insert(record("python", "3.11.2"));
        other.insert(record("python", "3.11.2"));
        other.insert(record("system", "12.1"));
        other.insert(record("system", "12.1"));
        assert_eq!(one.to_string(), other.to_string());
    }

    #[test]
    fn invalid_files_are_refused_with_the_line() {
        let conflict = "format = 1\n<<<<<<< HEAD\n";
        assert!(Lock::parse(conflict).unwrap_err().contains("line 2"), "{:?}", Lock::parse(conflict));
        assert!(Lock::parse("format = 2").unwrap_err().contains("format is 2"));
        assert!(Lock::parse("format = 1\nfuture = 1").is_err());
        assert!(Lock::parse(&Lock::default().to_string()).is_ok());
        let mut lock = Lock::default();
        lock.insert(record("system", "12.1"));
        let text = lock.to_string();
        let cut = &text[..text.find("files = ").unwrap()];
        assert!(Lock::parse(cut).unwrap_err().contains("`system 12.1` has no files"), "{:?}", Lock::parse(cut));
    }

    #[test]
    fn an_unwritable_directory_is_named() {
        let error = Lock::default().save(&Tracker::default(), Path::new("/proc/waders.lock")).unwrap_err();
        assert!(error.to_string().contains("/proc"), "{error}");
    }
}
