//! The provider `standalone`: archives of relocatable interpreters in the layout of python-build-standalone. The settings
//! give the address; the lock pins the content.

use std::io::Cursor;

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
    /// the part after `+`, `{arch}` by the architecture such as `x86_64`.
    pub url_template: Option<String>,
    /// The option `[toolchain] standalone_versions`: versions such as `3.12.7+20241016`, or without the build.
    pub versions: Vec<String>,
}

impl StandaloneSettings {
    /// Full versions without the builds; empty without an address.
    pub fn offered_versions(&self) -> Vec<String> {
        let versions = self.versions.iter().map(|version| split(version).0.to_owned());
        if self.url_template.is_some() { versions.collect() } else { Vec::new() }
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

/// Downloads a locked archive again, from the address in the current settings, and returns the unpacked tree.
pub fn restore(
    settings: &StandaloneSettings,
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

fn url(settings: &StandaloneSettings, full: &str, platform: &str) -> Result<String, Error> {
    let (version, build) = split(full);
    let arch = platform.rsplit_once('-').map_or(platform, |(_, arch)| arch);
    let why = "`standalone_url_template` is not set in the section `[toolchain]`".to_owned();
    let template = settings.url_template.as_ref().ok_or(Error::Standalone { url: full.to_owned(), why })?;
    Ok(template.replace("{version}", version).replace("{build}", build).replace("{arch}", arch))
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
    let minor = prefix::minor(version);
    let program = RelPath::parse(&format!("bin/python{minor}")).map_err(|error| refuse(error.to_string()))?;
    if !matches!(found.nodes.get(&program), Some(Node::File { executable: true, .. })) {
        return Err(refuse(format!("`{program}` is missing")));
    }
    let root = RelPath::parse(prefix::mount_point(&minor).trim_start_matches('/'))
        .map_err(|error| refuse(error.to_string()))?;
    let needed = found.nodes.into_iter().filter(|(path, _)| prefix::is_needed(path, &minor));
    let mut tree = Tree { nodes: needed.map(|(path, node)| (root.join(&path), node)).collect() };
    for name in ["python", "python3"] {
        let at = root.push(&format!("bin/{name}")).expect("made of constants");
        tree.nodes.insert(at, Node::Symlink { target: format!("python{minor}") });
    }
    Ok(store.put_tree(&tree)?)
}
