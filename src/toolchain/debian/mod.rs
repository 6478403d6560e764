//! The provider `debian`: packages of a suite's signed index, resolved once, then fetched by hash. No package's script runs.

mod closure;
#[cfg(test)]
pub mod fixture;
mod index;
mod paragraph;
mod relation;
mod release;
pub mod sources;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use self::index::{Index, malformed};
use self::release::Release;
use self::sources::{SignedBy, Source, SourcesFile};
use super::lock::LockedFile;
use super::{Error, system_tree};
use crate::base::Digest;
use crate::net::{Client, Expected};
use crate::store::{Store, Tree};

const HEAD_LIMIT_BYTES: u64 = 16 << 20;
const INDEX_LIMIT_BYTES: u64 = 1 << 30;

/// What the user and the machine say about archives of packages.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `[system] mirror`: the directory that holds `dists/` and `pool/`.
    pub mirror: Option<String>,
    /// `[system] snapshot_mirror`: asked for what has left the mirror.
    pub snapshot_mirror: Option<String>,
    /// `[system] suite`.
    pub suite: Option<String>,
    /// `[system] keyring`.
    pub keyring: Option<PathBuf>,
    /// apt's own files: `sources::files`.
    pub apt_sources: Vec<SourcesFile>,
    /// `VERSION_CODENAME` of os-release(5).
    pub codename: Option<String>,
    /// Where the machine keeps its archive keyrings.
    pub keyring_dirs: Vec<PathBuf>,
}

/// A suite at lock time: what it offers, believed because its head is signed and everything else is hashed there.
pub struct Archive {
    release: Release,
    packages: String,
}

impl Archive {
    pub fn open(settings: &Settings, net: &Client, platform: &str) -> Result<Archive, Error> {
        let architecture = architecture(platform)?;
        let source = source(settings)?;
        let keys = keys(settings, &source)?;
        let dir = format!("{}/dists/{}", source.mirror.trim_end_matches('/'), source.suite);
        let unread = |error| Error::Archive { named_by: source.named_by.clone(), source: error };
        let head = net.get(&format!("{dir}/InRelease"), HEAD_LIMIT_BYTES).map_err(unread)?;
        let release = release::verify(&head, &keys)?;
        let packages = packages(&release, net, &dir, architecture)?;
        Ok(Archive { release, packages })
    }

    /// `12.11`, or the suite's name where the archive has no numbers.
    pub fn version(&self) -> &str {
        if self.release.version.is_empty() { &self.release.codename } else { &self.release.version }
    }

    /// The packages to add to what is locked already, so that the wanted ones work.
    pub fn resolve(&self, wanted: &[String], present: &[LockedFile]) -> Result<Vec<LockedFile>, Error> {
        let index = Index::parse(&self.packages)?;
        let version = |file: &LockedFile| file.version.parse().map_err(|_| malformed(&file.name, "Version"));
        let present =
            present.iter().map(|file| Ok((file.name.clone(), version(file)?))).collect::<Result<_, Error>>()?;
        let packages = closure::closure(&index, wanted, &present)?;
        packages.into_values().map(locked_file).collect()
    }

    /// The interpreters on offer: package to full version, `python3.11` to `3.11.2`.
    pub fn interpreters(&self) -> Result<BTreeMap<String, String>, Error> {
        let index = Index::parse(&self.packages)?;
        let minor = |name: &str| name.strip_prefix("python3.").is_some_and(|minor| minor.parse::<u32>().is_ok());
        let offered = index.packages().filter(|package| minor(package.name));
        Ok(offered.map(|package| (package.name.to_owned(), upstream(package.version_text))).collect())
    }

    /// What an interpreter's package needs beside it to be whole, as far as the suite has it.
    pub fn interpreter_packages(&self, interpreter: &str) -> Result<Vec<String>, Error> {
        let index = Index::parse(&self.packages)?;
        let minor = interpreter.trim_start_matches("python");
        // `distutils`, which upstream has up to 3.11; here only for the release's own interpreter.
        let distutils = format!("{interpreter}-distutils");
        let provider = index.providers(&distutils).first().map(|provider| provider.package.to_owned());
        let command = index.package("python3-minimal").filter(|package| package.field("Pre-Depends").contains(minor));
        let mut packages = vec![interpreter.to_owned()];
        packages.extend(command.map(|package| package.name.to_owned()));
        packages.extend(provider);
        Ok(packages)
    }
}

/// The merged tree of locked packages, fetched by hash. With `reuse`, packages that were unpacked before are not fetched.
pub fn unpack(
    settings: &Settings,
    net: &Client,
    store: &Store,
    files: &[LockedFile],
    reuse: bool,
) -> Result<Tree, Error> {
    let mirrors = mirrors(settings)?;
    let unpacked: Vec<(String, Tree)> = files
        .par_iter()
        .map(|file| Ok((file.name.clone(), unpack_one(&mirrors, net, store, file, reuse)?)))
        .collect::<Result<_, Error>>()?;
    system_tree::compose(store, unpacked)
}

fn unpack_one(mirrors: &[String], net: &Client, store: &Store, file: &LockedFile, reuse: bool) -> Result<Tree, Error> {
    let key = *blake3::hash(format!("unpacked deb 1 {}", file.sha256).as_bytes()).as_bytes();
    if let Some(known) = store.index_get(&key)?.filter(|_| reuse) {
        let digest = String::from_utf8(known).ok().and_then(|text| text.parse::<Digest>().ok());
        if let Some(tree) = digest.and_then(|digest| store.tree(digest).ok()) {
            return Ok(tree);
        }
    }
    let bytes = fetch(mirrors, net, file)?;
    let digest = store.unpack_deb(Cursor::new(bytes));
    let digest = digest.map_err(|source| Error::Unpack { package: file.name.clone(), source })?;
    store.index_put(&key, digest.to_string().as_bytes())?;
    Ok(store.tree(digest)?)
}

/// From the first mirror that has it; the error is the first mirror's.
fn fetch(mirrors: &[String], net: &Client, file: &LockedFile) -> Result<Vec<u8>, Error> {
    let expected = Expected { sha256: file.sha256.clone(), size_bytes: Some(file.size) };
    let mut first_error = None;
    for mirror in mirrors {
        let mut bytes = Vec::new();
        match net.download(&format!("{}/{}", mirror.trim_end_matches('/'), file.path), &expected, &mut bytes) {
            Ok(_) => return Ok(bytes),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    let source = first_error.ok_or(Error::NoArchive)?;
    Err(Error::PackageGone { package: file.name.clone(), version: file.version.clone(), source })
}

fn mirrors(settings: &Settings) -> Result<Vec<String>, Error> {
    let snapshot = settings.snapshot_mirror.clone();
    Ok([source(settings)?.mirror].into_iter().chain(snapshot).collect())
}

/// What the settings name, completed by what apt uses here.
fn source(settings: &Settings) -> Result<Source, Error> {
    let known = sources::sources(&settings.apt_sources, settings.codename.as_deref());
    let suite = |source: &&Source| settings.suite.as_ref().is_none_or(|suite| source.suite == *suite);
    let from_apt = known.iter().find(suite).or(known.first()).cloned();
    let from_apt = from_apt.map(|source| Source { suite: settings.suite.clone().unwrap_or(source.suite), ..source });
    let Some(mirror) = &settings.mirror else { return from_apt.ok_or(Error::NoArchive) };
    let suite = settings.suite.clone().or(from_apt.map(|source| source.suite)).ok_or(Error::NoArchive)?;
    let named_by = "`mirror` in `[system]`".to_owned();
    Ok(Source { mirror: mirror.clone(), suite, signed_by: SignedBy::Default, named_by })
}

fn keys(settings: &Settings, source: &Source) -> Result<Vec<pgp::composed::SignedPublicKey>, Error> {
    let files = match (&settings.keyring, &source.signed_by) {
        (Some(keyring), _) => vec![keyring.clone()],
        (None, SignedBy::Files(files)) => files.clone(),
        (None, SignedBy::Inline(text)) => {
            return release::keys(text.as_bytes())
                .map_err(|why| Error::Signature { why: format!("{} names no usable key: {why}", source.named_by) });
        }
        (None, SignedBy::Default) => settings.keyring_dirs.iter().flat_map(|dir| keyrings(dir)).collect(),
    };
    if files.is_empty() {
        return Err(Error::NoKeyring { mirror: source.mirror.clone() });
    }
    let mut keys = Vec::new();
    for path in files {
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let refuse = |why| Error::Signature { why: format!("the keyring `{}` is not usable: {why}", path.display()) };
        keys.extend(release::keys(&bytes).map_err(refuse)?);
    }
    Ok(keys)
}

/// Archive keyrings of a directory, by name; those of removed keys are not for trust.
fn keyrings(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = [".gpg", ".pgp", ".asc"].iter().any(|extension| name.ends_with(extension));
            kind && name.contains("archive") && !name.contains("removed")
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn packages(release: &Release, net: &Client, dir: &str, architecture: &str) -> Result<String, Error> {
    let forms = ["xz", "gz"].map(|form| (form, format!("main/binary-{architecture}/Packages.{form}")));
    let found = forms.iter().find_map(|(form, path)| Some((*form, path, release.files.get(path)?)));
    let refuse = |why: String| Error::Index { why };
    let (form, path, (sha256, size)) =
        found.ok_or_else(|| refuse(format!("it has no packages for `{architecture}`")))?;
    let mut packed = Vec::new();
    let expected = Expected { sha256: sha256.clone(), size_bytes: Some(*size) };
    net.download(&format!("{dir}/{path}"), &expected, &mut packed)?;
    let mut plain = Vec::new();
    let unpacked = match form {
        "xz" => lzma_rs::xz_decompress(&mut packed.as_slice(), &mut plain).map_err(|error| format!("{error:?}")),
        _ => {
            let reader = flate2::read::GzDecoder::new(packed.as_slice());
            reader.take(INDEX_LIMIT_BYTES).read_to_end(&mut plain).map(drop).map_err(|error| error.to_string())
        }
    };
    unpacked.map_err(|why| refuse(format!("`{path}` cannot be unpacked: {why}")))?;
    String::from_utf8(plain).map_err(|error| refuse(error.to_string()))
}

fn locked_file(package: &index::Package<'_>) -> Result<LockedFile, Error> {
    let path = package.require("Filename")?;
    // It is joined to a mirror's address.
    let path = crate::base::RelPath::parse(path).map_err(|_| malformed(package.name, "Filename"))?;
    Ok(LockedFile {
        name: package.name.to_owned(),
        version: package.version_text.to_owned(),
        path: path.as_str().to_owned(),
        sha256: package.require("SHA256")?.to_ascii_lowercase(),
        size: package.require("Size")?.parse().map_err(|_| malformed(package.name, "Size"))?,
    })
}

/// `3.11.2-6+deb12u8` to `3.11.2`; also without epoch and Debian's own suffixes.
fn upstream(version: &str) -> String {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    let version = version.rsplit_once('-').map_or(version, |(upstream, _)| upstream);
    version.split(['+', '~']).next().unwrap_or(version).to_owned()
}

fn architecture(platform: &str) -> Result<&'static str, Error> {
    match platform {
        "linux-x86_64" => Ok("amd64"),
        "linux-aarch64" => Ok("arm64"),
        _ => Err(Error::Platform { platform: platform.to_owned() }),
    }
}
