//! The provider `standalone`: archives of relocatable interpreters in the layout of python-build-standalone. The list of
//! archives and their addresses comes from uv or from the settings; the lock pins the content. uv is not run here.

use std::io::Cursor;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::lock::LockedFile;
use super::{Error, prefix};
use crate::base::{Digest, RelPath};
use crate::net::{Client, Expected, file_name, for_display, parse};
use crate::store::{Node, Store, Tree, Unpacking};

/// Far more than the size of any archive.
const LIMIT_BYTES: u64 = 1 << 30;

/// The archives that may be downloaded.
#[derive(Clone, Debug, Default)]
pub struct StandaloneSettings {
    /// The option `[toolchain] standalone_url_template`. `{version}` is replaced by the version such as `3.12.7`, `{build}` by
    /// the part after `+`, `{arch}` by the architecture such as `x86_64`. If it is set, the list of uv is not used.
    pub url_template: Option<String>,
    /// The option `[toolchain] standalone_versions`: versions such as `3.12.7+20241016`, or without the build.
    pub versions: Vec<String>,
    /// The address of a mirror, as in uv's setting `UV_PYTHON_INSTALL_MIRROR`: the directory with the builds.
    pub mirror: Option<String>,
    /// The list of uv, if it has been read.
    pub list: Option<Vec<ListedArchive>>,
}

/// An archive in the list of uv.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedArchive {
    /// The full version, such as `3.12.7`.
    pub version: String,
    /// The architecture, such as `x86_64`.
    pub arch: String,
    /// The address of the directory with the builds.
    base: String,
    /// The address of the archive relative to `base`: the build and the file name.
    path: String,
}

/// An entry in the output of `uv python list --output-format json`. Other fields are not used.
#[derive(Deserialize)]
struct ListEntry {
    version: String,
    url: Option<String>,
    os: String,
    arch: String,
    libc: String,
    variant: String,
    implementation: String,
}

/// Parses the output of `uv python list --output-format json`: the archives of released versions of CPython for Linux with
/// glibc. Prereleases and variants are ignored.
pub fn parse_list(json: &[u8]) -> Result<Vec<ListedArchive>, serde_json::Error> {
    let entries: Vec<ListEntry> = serde_json::from_slice(json)?;
    let archive = |entry: ListEntry| {
        let is_wanted = [
            (&*entry.implementation, "cpython"),
            (&*entry.variant, "default"),
            (&*entry.os, "linux"),
            (&*entry.libc, "gnu"),
        ]
        .iter()
        .all(|(value, expected)| value == expected);
        let is_release = entry.version.split('.').all(|part| part.parse::<u32>().is_ok());
        let url = entry.url.filter(|_| is_wanted && is_release)?;
        let (dir, _) = url.rsplit_once('/')?;
        let (base, _) = dir.rsplit_once('/')?;
        let path = url[base.len() + 1..].to_owned();
        Some(ListedArchive { version: entry.version, arch: entry.arch, base: base.to_owned(), path })
    };
    Ok(entries.into_iter().filter_map(archive).collect())
}

impl StandaloneSettings {
    /// Full versions without the builds. An error if the list of uv is needed and has not been read.
    pub fn offered_versions(&self, platform: &str) -> Result<Vec<String>, Error> {
        if self.url_template.is_some() {
            return Ok(self.versions.iter().map(|version| split(version).0.to_owned()).collect());
        }
        let list = self.list.as_ref().ok_or(Error::NoArchiveList)?;
        let is_here = |archive: &&ListedArchive| archive.arch == arch(platform);
        Ok(list.iter().filter(is_here).map(|archive| archive.version.clone()).collect())
    }

    /// The address of an archive that is not locked yet, and its path in the lock.
    fn find(&self, version: &str, platform: &str) -> Result<(String, LockedFile), Error> {
        let file = |version: &str, path: String| LockedFile {
            name: "python".to_owned(),
            version: version.to_owned(),
            path,
            sha256: String::new(),
            size: 0,
        };
        if self.url_template.is_some() {
            let full = self.versions.iter().find(|full| split(full).0 == version).map_or(version, String::as_str);
            let url = self.templated(full, platform)?;
            let name = file_name(&parse(&url)?).unwrap_or_default();
            return Ok((url, file(full, name)));
        }
        let list = self.list.as_ref().ok_or(Error::NoArchiveList)?;
        let is_wanted = |archive: &&ListedArchive| archive.version == version && archive.arch == arch(platform);
        let why = || "it is not in the list of uv".to_owned();
        let archive = list.iter().find(is_wanted);
        let archive = archive.ok_or_else(|| Error::Standalone { url: version.to_owned(), why: why() })?;
        let build = archive.path.split('/').next().unwrap_or_default();
        let base = self.mirror.as_ref().unwrap_or(&archive.base);
        Ok((join(base, &archive.path), file(&format!("{version}+{build}"), archive.path.clone())))
    }

    /// The address of a locked archive, according to the current settings. The list may have a newer build of the same
    /// version: only the address of its directory is used.
    fn locate(&self, file: &LockedFile, platform: &str) -> Result<String, Error> {
        if self.url_template.is_some() || !file.path.contains('/') {
            return self.templated(&file.version, platform);
        }
        if let Some(mirror) = &self.mirror {
            return Ok(join(mirror, &file.path));
        }
        let first = self.list.as_ref().ok_or(Error::NoArchiveList)?.first();
        let why = || "no address is known: uv lists no archives, and no mirror is set".to_owned();
        let first = first.ok_or_else(|| Error::Standalone { url: file.path.clone(), why: why() })?;
        Ok(join(&first.base, &file.path))
    }

    fn templated(&self, full: &str, platform: &str) -> Result<String, Error> {
        let (version, build) = split(full);
        let why = "`standalone_url_template` is not set in the section `[toolchain]`".to_owned();
        let template = self.url_template.as_ref().ok_or(Error::Standalone { url: full.to_owned(), why })?;
        Ok(template.replace("{version}", version).replace("{build}", build).replace("{arch}", arch(platform)))
    }
}

/// Downloads an archive that is not locked yet. Returns the lock's entry with its hash, and the unpacked tree.
pub fn lock(
    settings: &StandaloneSettings,
    net: &Client,
    store: &Store,
    version: &str,
    platform: &str,
) -> Result<(LockedFile, Digest), Error> {
    let (url, file) = settings.find(version, platform)?;
    let bytes = net.get(&url, LIMIT_BYTES)?;
    let tree = unpack(store, &bytes, &url, version)?;
    let sha256 = format!("{:x}", Sha256::digest(&bytes));
    let file = LockedFile { sha256, size: bytes.len() as u64, ..file };
    Ok((file, tree))
}

/// Downloads a locked archive again, from the address in the current settings, and returns the unpacked tree.
pub fn restore(
    settings: &StandaloneSettings,
    net: &Client,
    store: &Store,
    file: &LockedFile,
    platform: &str,
) -> Result<Digest, Error> {
    let url = settings.locate(file, platform)?;
    let mut bytes = Vec::new();
    net.download(&url, &Expected { sha256: file.sha256.clone(), size_bytes: Some(file.size) }, &mut bytes)?;
    unpack(store, &bytes, &url, split(&file.version).0)
}

fn arch(platform: &str) -> &str {
    platform.rsplit_once('-').map_or(platform, |(_, arch)| arch)
}

fn join(base: &str, path: &str) -> String {
    format!("{}/{path}", base.trim_end_matches('/'))
}

fn split(full: &str) -> (&str, &str) {
    full.split_once('+').unwrap_or((full, ""))
}

/// Unpacks the prefix, which is at `python/`, or at `python/install/` in archives of a complete build.
fn unpack(store: &Store, bytes: &[u8], url: &str, version: &str) -> Result<Digest, Error> {
    let refuse = |why: String| Error::Standalone {
        url: parse(url).map_or_else(|_| url.to_owned(), |url| for_display(&url)),
        why,
    };
    let whole =
        store.unpack_tar(Cursor::new(bytes), &Unpacking::stripped(1)).map_err(|error| refuse(error.to_string()))?;
    let install = store.subtree(whole, &RelPath::parse("install").expect("constants are clean"))?;
    let found = store.tree(install.unwrap_or(whole))?;
    let minor = prefix::minor_version(version);
    let program = RelPath::parse(&format!("bin/python{minor}")).map_err(|error| refuse(error.to_string()))?;
    if !matches!(found.nodes.get(&program), Some(Node::File { executable: true, .. })) {
        return Err(refuse(format!("`{program}` is missing")));
    }
    let root = RelPath::parse(prefix::mount_point(minor).trim_start_matches('/'))
        .map_err(|error| refuse(error.to_string()))?;
    let needed = found.nodes.into_iter().filter(|(path, _)| prefix::is_needed(path, minor));
    let mut tree = Tree { nodes: needed.map(|(path, node)| (root.join(&path), node)).collect() };
    for name in ["python", "python3"] {
        let at = root.push(&format!("bin/{name}")).expect("made of constants");
        tree.nodes.insert(at, Node::Symlink { target: format!("python{minor}") });
    }
    Ok(store.put_tree(&tree)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"[
        {"version": "3.15.0a2", "url": "https://uv.example.invalid/download/20261110/a.tar.gz", "os": "linux",
         "variant": "default", "implementation": "cpython", "arch": "x86_64", "libc": "gnu", "path": null},
        {"version": "3.14.1", "url": "https://uv.example.invalid/download/20261110/cpython-3.14.1%2B20261110.tar.gz",
         "os": "linux", "variant": "default", "implementation": "cpython", "arch": "x86_64", "libc": "gnu"},
        {"version": "3.14.1", "url": "https://uv.example.invalid/download/20261110/free.tar.gz", "os": "linux",
         "variant": "freethreaded", "implementation": "cpython", "arch": "x86_64", "libc": "gnu"},
        {"version": "3.11.9", "url": "https://other.example.invalid/pypy.tar.gz", "os": "linux",
         "variant": "default", "implementation": "pypy", "arch": "x86_64", "libc": "gnu"}
    ]"#;

    fn settings(mirror: Option<&str>) -> StandaloneSettings {
        let list = Some(parse_list(LIST.as_bytes()).unwrap());
        StandaloneSettings { mirror: mirror.map(str::to_owned), list, ..StandaloneSettings::default() }
    }

    #[test]
    fn released_versions_of_cpython_are_offered() {
        assert_eq!(settings(None).offered_versions("linux-x86_64").unwrap(), ["3.14.1"]);
        assert_eq!(settings(None).offered_versions("linux-aarch64").unwrap(), [""; 0]);
        assert!(matches!(StandaloneSettings::default().offered_versions("linux-x86_64"), Err(Error::NoArchiveList)));
        assert!(parse_list(b"[{}]").is_err());
    }

    #[test]
    fn the_address_comes_from_the_list_or_the_mirror() {
        let check = |mirror: Option<&str>, base: &str| {
            let settings = settings(mirror);
            let (url, file) = settings.find("3.14.1", "linux-x86_64").unwrap();
            assert_eq!(url, format!("{base}/20261110/cpython-3.14.1%2B20261110.tar.gz"));
            assert_eq!(file.path, "20261110/cpython-3.14.1%2B20261110.tar.gz");
            assert_eq!(file.version, "3.14.1+20261110");
            assert_eq!(settings.locate(&file, "linux-x86_64").unwrap(), url);
        };
        check(None, "https://uv.example.invalid/download");
        check(Some("https://mirror.example.invalid/python/"), "https://mirror.example.invalid/python");
    }

    #[test]
    fn a_locked_build_is_found_if_only_a_newer_one_is_listed() {
        let (_, file) = settings(None).find("3.14.1", "linux-x86_64").unwrap();
        let older = LockedFile { path: "20250101/cpython-3.14.1%2B20250101.tar.gz".to_owned(), ..file };
        let url = settings(None).locate(&older, "linux-x86_64").unwrap();
        assert_eq!(url, "https://uv.example.invalid/download/20250101/cpython-3.14.1%2B20250101.tar.gz");
    }
}
