//! The provider `standalone`: archives of interpreters that run anywhere, in the layout of python-build-standalone. The
//! user's settings say where; the lock says which bytes.

use std::io::Cursor;

use sha2::{Digest as _, Sha256};

use super::lock::LockedFile;
use super::{Error, prefix};
use crate::base::{Digest, RelPath};
use crate::net::{Client, Expected, file_name, for_display, parse};
use crate::store::{Node, Store, Tree, Unpacking};

const LIMIT_BYTES: u64 = 1 << 30;

#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `[toolchain] standalone_url_template`: `{version}` is `3.12.7`, `{build}` what follows `+`, `{arch}` `x86_64`.
    pub url_template: Option<String>,
    /// `[toolchain] standalone_versions`: `3.12.7+20241016`, or without build.
    pub versions: Vec<String>,
}

impl Settings {
    /// Full versions, without the builds.
    pub fn offered(&self) -> Vec<String> {
        let versions = self.versions.iter().map(|version| split(version).0.to_owned());
        if self.url_template.is_some() { versions.collect() } else { Vec::new() }
    }
}

/// Fetched for the first time: the hash of what comes is what the lock will hold from now on.
pub fn lock(
    settings: &Settings,
    net: &Client,
    store: &Store,
    version: &str,
    platform: &str,
) -> Result<(LockedFile, Digest), Error> {
    let full = settings.versions.iter().find(|full| split(full).0 == version).map_or(version, String::as_str);
    let url = url(settings, full, platform)?;
    let bytes = net.get(&url, LIMIT_BYTES)?;
    let tree = unpack(store, &bytes, &url, version)?;
    let file = LockedFile {
        name: "python".to_owned(),
        version: full.to_owned(),
        path: file_name(&parse(&url)?).unwrap_or_default(),
        sha256: format!("{:x}", Sha256::digest(&bytes)),
        size: bytes.len() as u64,
    };
    Ok((file, tree))
}

/// The same bytes again, from wherever the settings say now.
pub fn restore(
    settings: &Settings,
    net: &Client,
    store: &Store,
    file: &LockedFile,
    platform: &str,
) -> Result<Digest, Error> {
    let url = url(settings, &file.version, platform)?;
    let mut bytes = Vec::new();
    net.download(&url, &Expected { sha256: file.sha256.clone(), size_bytes: Some(file.size) }, &mut bytes)?;
    unpack(store, &bytes, &url, split(&file.version).0)
}

fn url(settings: &Settings, full: &str, platform: &str) -> Result<String, Error> {
    let (version, build) = split(full);
    let arch = platform.rsplit_once('-').map_or(platform, |(_, arch)| arch);
    let why = "`standalone_url_template` in the section `[toolchain]` is not set".to_owned();
    let template = settings.url_template.as_ref().ok_or(Error::Standalone { url: full.to_owned(), why })?;
    Ok(template.replace("{version}", version).replace("{build}", build).replace("{arch}", arch))
}

fn split(full: &str) -> (&str, &str) {
    full.split_once('+').unwrap_or((full, ""))
}

/// The prefix lies at `python/`, or at `python/install/` in archives that hold a whole build.
fn unpack(store: &Store, bytes: &[u8], url: &str, version: &str) -> Result<Digest, Error> {
    let refuse = |why: String| Error::Standalone {
        url: parse(url).map_or_else(|_| url.to_owned(), |url| for_display(&url)),
        why,
    };
    let whole =
        store.unpack_tar(Cursor::new(bytes), &Unpacking::stripped(1)).map_err(|error| refuse(error.to_string()))?;
    let install = store.subtree(whole, &RelPath::parse("install").expect("clean"))?;
    let found = store.tree(install.unwrap_or(whole))?;
    let minor = prefix::minor(version);
    let program = RelPath::parse(&format!("bin/python{minor}")).map_err(|error| refuse(error.to_string()))?;
    if !matches!(found.nodes.get(&program), Some(Node::File { executable: true, .. })) {
        return Err(refuse(format!("it has no program `{program}`")));
    }
    let root = RelPath::parse(prefix::mount_point(&minor).trim_start_matches('/'))
        .map_err(|error| refuse(error.to_string()))?;
    let kept = found.nodes.into_iter().filter(|(path, _)| prefix::is_kept(path, &minor));
    let mut tree = Tree { nodes: kept.map(|(path, node)| (root.join(&path), node)).collect() };
    for name in ["python", "python3"] {
        let at = root.push(&format!("bin/{name}")).expect("made of constants");
        tree.nodes.insert(at, Node::Symlink { target: format!("python{minor}") });
    }
    Ok(store.put_tree(&tree)?)
}
