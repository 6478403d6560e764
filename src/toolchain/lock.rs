//! `waders.lock`: the toolchains of a repository, by hash. Committed, sorted, byte-stable; it names files, versions, hashes
//! and sizes, never a host or a path of a machine.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::base::Digest;
use crate::tracked::Tracker;

const FORMAT: u32 = 1;
const HEAD: &str = "\
# The toolchains of this repository, pinned by hash. Written by `waders`: commit it, do not edit it.
# A record that is deleted is locked anew by the next run.
";

/// Sorted by name, version, platform and provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    records: Vec<Record>,
}

/// One toolchain, whoever provides it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// `system` or `python`.
    pub name: String,
    /// Of the interpreter (`3.11.2`) or of the release (`12.11`).
    pub version: String,
    /// `linux-x86_64`.
    pub platform: String,
    pub provider: Provider,
    /// What it was locked for: names of packages, or interpreter constraints. Sorted.
    pub wanted: Vec<String>,
    /// A root: `usr/…`, `etc/ssl/…`, `toolchain/…`.
    pub tree: Digest,
    /// What it is made of, in order; empty for interpreters of a machine, which nobody else can have.
    #[serde(default)]
    pub files: Vec<LockedFile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Packages of a signed archive.
    Debian,
    /// An archive of an interpreter that runs anywhere.
    Standalone,
    /// A copy of this machine's interpreter: the one kind that is not portable.
    Host,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    pub name: String,
    pub version: String,
    /// Below the root of whatever mirror is used.
    pub path: String,
    pub sha256: String,
    pub size: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default)]
    toolchain: Vec<Record>,
}

impl Lock {
    /// A lock that does not exist yet is empty.
    pub fn load(tracker: &Tracker, path: &Path) -> Result<Lock, Error> {
        match tracker.read_to_string(path) {
            Ok(text) => Lock::parse(&text).map_err(|why| Error::LockSyntax { path: path.to_owned(), why }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock::default()),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }

    /// Replaces the file in one step, and only if its content changes; says whether it did.
    pub fn save(&self, tracker: &Tracker, path: &Path) -> Result<bool, Error> {
        let text = self.to_string();
        if tracker.read_to_string(path).is_ok_and(|old| old == text) {
            return Ok(false);
        }
        let dir = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(dir).map_err(Error::io("write in", dir))?;
        file.write_all(text.as_bytes()).map_err(Error::io("write", path))?;
        // A temporary file is private, and this one is committed.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode).map_err(Error::io("write", path))?;
        file.as_file().sync_all().map_err(Error::io("write", path))?;
        file.persist(path).map_err(|error| Error::io("write", path)(error.error))?;
        Ok(true)
    }

    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Adds a record, or replaces the one that is the same toolchain.
    pub fn insert(&mut self, record: Record) {
        let key =
            |record: &Record| (record.name.clone(), record.version.clone(), record.platform.clone(), record.provider);
        let new = key(&record);
        self.retain(|old| key(old) != new);
        self.records.push(record);
        self.records.sort();
    }

    pub fn retain(&mut self, keep: impl FnMut(&Record) -> bool) {
        self.records.retain(keep);
    }

    fn parse(text: &str) -> Result<Lock, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        if file.format != FORMAT {
            return Err(format!("its format is {}, and this version of waders knows {FORMAT}", file.format));
        }
        let mut records = file.toolchain;
        records.sort();
        Ok(Lock { records })
    }
}

impl Provider {
    pub fn name(self) -> &'static str {
        match self {
            Provider::Debian => "debian",
            Provider::Standalone => "standalone",
            Provider::Host => "host",
        }
    }

    pub fn parse(name: &str) -> Option<Provider> {
        [Provider::Debian, Provider::Standalone, Provider::Host].into_iter().find(|provider| provider.name() == name)
    }
}

/// The file's text, one locked file a line, so that differences read well.
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
            c if c.is_control() => write!(out, "\\u{:04X}", u32::from(c)).expect("text does not fail"),
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
    fn a_lock_survives_its_file_byte_for_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("waders.lock");
        let mut lock = Lock::default();
        assert_eq!(Lock::load(&Tracker::default(), &path).unwrap(), lock);
        for record in [
            record("system", "12.1"),
            record("python", "3.9.1"),
            Record { files: vec![], ..record("python", "3.11.2") },
        ] {
            lock.insert(record);
        }
        assert!(lock.save(&Tracker::default(), &path).unwrap());
        assert_eq!(Lock::load(&Tracker::default(), &path).unwrap(), lock);
        assert!(!lock.save(&Tracker::default(), &path).unwrap(), "an unchanged file is not written");
        assert_eq!(Lock::load(&Tracker::default(), &path).unwrap().to_string(), fs::read_to_string(&path).unwrap());
    }

    #[test]
    fn order_of_insertion_leaves_no_trace() {
        let (mut one, mut other) = (Lock::default(), Lock::default());
        one.insert(record("system", "12.1"));
        one.insert(record("python", "3.11.2"));
        other.insert(record("python", "3.11.2"));
        other.insert(record("system", "12.1"));
        other.insert(record("system", "12.1"));
        assert_eq!(one.to_string(), other.to_string());
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        let conflict = "format = 1\n<<<<<<< HEAD\n";
        assert!(Lock::parse(conflict).unwrap_err().contains("line 2"), "{:?}", Lock::parse(conflict));
        assert!(Lock::parse("format = 2").unwrap_err().contains("format is 2"));
        assert!(Lock::parse("format = 1\nfuture = 1").is_err());
        assert!(Lock::parse(&Lock::default().to_string()).is_ok());
    }

    #[test]
    fn a_read_only_directory_is_named() {
        let error = Lock::default().save(&Tracker::default(), Path::new("/proc/waders.lock")).unwrap_err();
        assert!(error.to_string().contains("/proc"), "{error}");
    }
}
