//! The provider `debian`: packages from a suite's signed index, resolved when the lock is written and later downloaded by
//! hash. Maintainer scripts are never run.

mod closure;
#[cfg(test)]
pub mod fixture;
mod index;
mod keyring;
mod paragraph;
pub mod providing;
mod relation;
mod release;
pub mod sources;

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::PathBuf;

use pgp::composed::SignedPublicKey;
use rayon::prelude::*;

use self::index::{Index, malformed};
use self::release::Release;
use self::sources::{SignedBy, Source, SourcesFile};
use super::lock::LockedFile;
use super::{Error, system_tree};
use crate::base::Digest;
use crate::net::{Client, Expected};
use crate::store::{Store, Tree};

/// Far more than the size of any `InRelease` file.
const HEAD_LIMIT_BYTES: u64 = 16 << 20;
/// Far more than the size of any unpacked index.
const INDEX_LIMIT_BYTES: u64 = 1 << 30;

/// The package archive and its keys, from options and from this machine.
#[derive(Clone, Debug, Default)]
pub struct DebianSettings {
    /// The option `[system] mirror`: the address of the directory with `dists/` and `pool/`.
    pub mirror: Option<String>,
    /// The option `[system] snapshot_mirror`: a mirror of packages that are no longer in the archive.
    pub snapshot_mirror: Option<String>,
    /// The option `[system] suite`.
    pub suite: Option<String>,
    /// The option `[system] keyring`.
    pub keyring: Option<PathBuf>,
    /// The option `[system] key_fingerprints`: only these keys are trusted.
    pub key_fingerprints: Vec<String>,
    /// The sources of apt, see [`sources::files`].
    pub apt_sources: Vec<SourcesFile>,
    /// The machine's release: `VERSION_CODENAME` of os-release(5).
    pub codename: Option<String>,
    /// The directories of the machine's archive keyrings.
    pub keyring_dirs: Vec<PathBuf>,
}

/// The verified index of a suite. The signed head contains the hash of the index.
pub struct Archive {
    release: Release,
    packages: String,
}

impl Archive {
    /// Downloads and verifies the index. The store is used for keyrings that come from the archive.
    pub fn open(settings: &DebianSettings, net: &Client, store: &Store, platform: &str) -> Result<Archive, Error> {
        let access = ArchiveAccess { settings, net, store, architecture: architecture(platform)? };
        let source = source(settings)?;
        let (release, dir) = access.verified_head(&source, &keyring::keys(&access, &source)?)?;
        let packages = packages(&release, net, &dir, access.architecture)?;
        Ok(Archive { release, packages })
    }

    /// An archive with this text of a `Packages` file, which nobody signed.
    pub fn unsigned(packages: String) -> Archive {
        Archive { release: Release::default(), packages }
    }

    /// The version of the distribution, such as `12.11`, or the suite's name if there is none.
    pub fn version(&self) -> &str {
        if self.release.version.is_empty() { &self.release.codename } else { &self.release.version }
    }

    /// Resolves the dependencies of the packages in `wanted`. Returns the files to add to those in `present`.
    pub fn resolve(&self, wanted: &[String], present: &[LockedFile]) -> Result<Vec<LockedFile>, Error> {
        let index = Index::parse(&self.packages)?;
        let version = |file: &LockedFile| file.version.parse().map_err(|_| malformed(&file.name, "Version"));
        let present =
            present.iter().map(|file| Ok((file.name.clone(), version(file)?))).collect::<Result<_, Error>>()?;
        let packages = closure::closure(&index, wanted, &present)?;
        packages.into_values().map(locked_file).collect()
    }

    /// The interpreters of the suite: the full version of each package, such as `3.11.2` of `python3.11`.
    pub fn interpreters(&self) -> Result<BTreeMap<String, String>, Error> {
        let index = Index::parse(&self.packages)?;
        let minor = |name: &str| name.strip_prefix("python3.").is_some_and(|minor| minor.parse::<u32>().is_ok());
        let offered = index.packages().filter(|package| minor(package.name));
        Ok(offered.map(|package| (package.name.to_owned(), upstream(package.version_text))).collect())
    }

    /// The packages of a complete interpreter, as far as the suite has them. `interpreter` is the name of its package.
    pub fn interpreter_packages(&self, interpreter: &str) -> Result<Vec<String>, Error> {
        let index = Index::parse(&self.packages)?;
        let minor = interpreter.trim_start_matches("python");
        // Debian packages `distutils`, part of Python up to 3.11, separately, and only for the release's default interpreter.
        let distutils = format!("{interpreter}-distutils");
        let provider = index.providers(&distutils).first().map(|provider| provider.package.to_owned());
        let command = index.package("python3-minimal").filter(|package| package.field("Pre-Depends").contains(minor));
        let mut packages = vec![interpreter.to_owned()];
        packages.extend(command.map(|package| package.name.to_owned()));
        packages.extend(provider);
        Ok(packages)
    }
}

/// What an archive is read with.
struct ArchiveAccess<'a> {
    settings: &'a DebianSettings,
    net: &'a Client,
    store: &'a Store,
    /// Such as `amd64`.
    architecture: &'static str,
}

impl ArchiveAccess<'_> {
    /// The signed head of the archive, and the directory that it is in. Its signature is not verified.
    fn head(&self, source: &Source) -> Result<(Vec<u8>, String), Error> {
        let dir = format!("{}/dists/{}", source.mirror.trim_end_matches('/'), source.suite);
        let unread = |error| Error::Archive { named_by: source.named_by.clone(), source: error };
        Ok((self.net.get(&format!("{dir}/InRelease"), HEAD_LIMIT_BYTES).map_err(unread)?, dir))
    }

    /// The head of the archive, which one of the keys has signed, and the directory that it is in.
    fn verified_head(&self, source: &Source, keys: &[SignedPublicKey]) -> Result<(Release, String), Error> {
        let (head, dir) = self.head(source)?;
        Ok((release::verify(&head, keys)?, dir))
    }
}

/// Downloads and verifies the signed head of the archive, which every new lock needs. Returns what it is and who signed it.
pub fn check_head(settings: &DebianSettings, net: &Client, store: &Store, platform: &str) -> Result<String, Error> {
    let access = ArchiveAccess { settings, net, store, architecture: architecture(platform)? };
    let source = source(settings)?;
    let keys = keyring::keys(&access, &source)?;
    let Release { codename, version, .. } = access.verified_head(&source, &keys)?.0;
    let mirror = crate::net::without_credentials(&source.mirror);
    let noun = if keys.len() == 1 { "key" } else { "keys" };
    Ok(format!(
        "{codename} {version} at `{mirror}`, signed by one of {} trusted {noun} ({})",
        keys.len(),
        source.named_by
    ))
}

/// The SHA-256 hashes and sizes of the files of an archive, by path, from the signed head of the archive. An error unless a key of the
/// keyring signed it.
pub fn signed_files(in_release: &[u8], keyring: &[u8]) -> Result<BTreeMap<String, (String, u64)>, Error> {
    let keys = release::keys(keyring).map_err(|why| Error::Signature { why })?;
    Ok(release::verify(in_release, &keys)?.files)
}

/// Downloads locked packages by hash and merges them into one tree. With `reuse`, packages that were unpacked before are not
/// downloaded.
pub fn unpack(
    settings: &DebianSettings,
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

/// Downloads a file from the first mirror that has it; the error is that of the first mirror.
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

fn mirrors(settings: &DebianSettings) -> Result<Vec<String>, Error> {
    let snapshot = settings.snapshot_mirror.clone();
    Ok([source(settings)?.mirror].into_iter().chain(snapshot).collect())
}

/// The archive that the settings name. Missing settings are taken from apt's sources.
fn source(settings: &DebianSettings) -> Result<Source, Error> {
    let known = sources::sources(&settings.apt_sources, settings.codename.as_deref());
    let suite = |source: &&Source| settings.suite.as_ref().is_none_or(|suite| source.suite == *suite);
    let from_apt = known.iter().find(suite).or(known.first()).cloned();
    let from_apt = from_apt.map(|source| Source { suite: settings.suite.clone().unwrap_or(source.suite), ..source });
    let Some(mirror) = &settings.mirror else { return from_apt.ok_or(Error::NoArchive) };
    let suite = settings.suite.clone().or(from_apt.map(|source| source.suite)).ok_or(Error::NoArchive)?;
    let named_by = "`mirror` in `[system]`".to_owned();
    Ok(Source { mirror: mirror.clone(), suite, signed_by: SignedBy::Default, named_by })
}

fn packages(release: &Release, net: &Client, dir: &str, architecture: &str) -> Result<String, Error> {
    let forms = ["xz", "gz"].map(|form| (form, format!("main/binary-{architecture}/Packages.{form}")));
    let found = forms.iter().find_map(|(form, path)| Some((*form, path, release.files.get(path)?)));
    let refuse = |why: String| Error::Index { why };
    let (form, path, (sha256, size)) = found.ok_or_else(|| refuse(format!("no packages for `{architecture}`")))?;
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
    unpacked.map_err(|why| refuse(format!("cannot unpack `{path}`: {why}")))?;
    String::from_utf8(plain).map_err(|error| refuse(error.to_string()))
}

fn locked_file(package: &index::Package<'_>) -> Result<LockedFile, Error> {
    let path = package.require("Filename")?;
    // The path is appended to a mirror's address.
    let path = crate::base::RelPath::parse(path).map_err(|_| malformed(package.name, "Filename"))?;
    Ok(LockedFile {
        name: package.name.to_owned(),
        version: package.version_text.to_owned(),
        path: path.as_str().to_owned(),
        sha256: package.require("SHA256")?.to_ascii_lowercase(),
        size: package.require("Size")?.parse().map_err(|_| malformed(package.name, "Size"))?,
    })
}

/// The upstream version in a Debian version (deb-version(7)): `3.11.2` in `3.11.2-6+deb12u8`.
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
