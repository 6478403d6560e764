//! The keys that an archive may be signed with: from a keyring file, from apt's sources, from the keyrings of this machine, or, on a
//! machine without apt, from the archive itself if their fingerprints are set. Signatures are verified in `release`.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use pgp::composed::SignedPublicKey;
use pgp::types::KeyDetails as _;

use super::index::Index;
use super::sources::{SignedBy, Source};
use super::{ArchiveAccess, fetch, locked_file, packages, release};
use crate::store::Node;
use crate::toolchain::Error;

/// The packages with the keys of Debian and of Ubuntu.
const KEYRING_PACKAGES: [&str; 2] = ["debian-archive-keyring", "ubuntu-keyring"];

/// The directory of keyrings in such a package.
const KEYRING_DIR: &str = "usr/share/keyrings/";

/// The lengths of fingerprints in hexadecimal digits: of version 4 and of version 6. Shorter ids can be forged.
const FINGERPRINT_DIGITS: [usize; 2] = [40, 64];

/// The trusted keys of an archive. With `[system] key_fingerprints`, only keys with these fingerprints are trusted.
pub(super) fn keys(access: &ArchiveAccess<'_>, source: &Source) -> Result<Vec<SignedPublicKey>, Error> {
    let settings = access.settings;
    let wanted = settings.key_fingerprints.iter().map(|text| normalized(text)).collect::<Result<Vec<_>, _>>()?;
    let known = from_machine(access, source)?;
    if wanted.is_empty() {
        return known.ok_or_else(|| Error::NoKeyring { mirror: source.mirror.clone() });
    }
    let is_wanted = |key: &SignedPublicKey| wanted.contains(&key.fingerprint().to_string().to_ascii_lowercase());
    let mut keys: Vec<SignedPublicKey> = known.unwrap_or_default().into_iter().filter(is_wanted).collect();
    if keys.is_empty() && settings.keyring.is_none() {
        keys = published(access, source)?.into_iter().filter(is_wanted).collect();
    }
    match keys.is_empty() {
        true => Err(Error::NoSuchKey { fingerprints: wanted.join("`, `") }),
        false => Ok(keys),
    }
}

/// The keys of the setting or of this machine. `None` if there is no keyring.
fn from_machine(access: &ArchiveAccess<'_>, source: &Source) -> Result<Option<Vec<SignedPublicKey>>, Error> {
    let files = match (&access.settings.keyring, &source.signed_by) {
        (Some(keyring), _) => vec![keyring.clone()],
        (None, SignedBy::Files(files)) => files.clone(),
        (None, SignedBy::Inline(text)) => {
            let refuse = |why| format!("{} contains no usable key: {why}", source.named_by);
            let keys = release::keys(text.as_bytes()).map_err(|why| Error::Signature { why: refuse(why) })?;
            return Ok(Some(keys));
        }
        (None, SignedBy::Default) => access.settings.keyring_dirs.iter().flat_map(|dir| keyrings(dir)).collect(),
    };
    let mut keys = Vec::new();
    for path in &files {
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        let refuse = |why| Error::Signature { why: format!("the keyring `{}` cannot be used: {why}", path.display()) };
        keys.extend(release::keys(&bytes).map_err(refuse)?);
    }
    Ok((!files.is_empty()).then_some(keys))
}

/// All keys in the keyring package of the archive. Nothing here is verified: the caller trusts only keys with known fingerprints, and
/// verifies the archive with these afterwards.
fn published(access: &ArchiveAccess<'_>, source: &Source) -> Result<Vec<SignedPublicKey>, Error> {
    let (head, dir) = access.head(source)?;
    let unverified = release::unverified(&head)?;
    let text = packages(&unverified, access.net, &dir, access.architecture)?;
    let index = Index::parse(&text)?;
    let package = KEYRING_PACKAGES.iter().find_map(|name| index.package(name));
    let file = locked_file(package.ok_or_else(|| Error::NoKeyring { mirror: source.mirror.clone() })?)?;
    let bytes = fetch(std::slice::from_ref(&source.mirror), access.net, &file)?;
    let tree = access.store.unpack_deb(Cursor::new(bytes));
    let tree = tree.map_err(|source| Error::Unpack { package: file.name.clone(), source })?;
    let mut keys = Vec::new();
    for (path, node) in access.store.tree(tree)?.nodes {
        if let Node::File { digest, .. } = node
            && path.as_str().starts_with(KEYRING_DIR)
            && is_keyring(path.file_name().unwrap_or_default())
        {
            // A package can have keyrings in forms that are not supported.
            keys.extend(release::keys(&access.store.get(digest)?).unwrap_or_default());
        }
    }
    Ok(keys)
}

/// A fingerprint in lower-case digits without blanks.
fn normalized(text: &str) -> Result<String, Error> {
    let digits: String = text.chars().filter(|digit| !digit.is_whitespace()).collect();
    let is_whole = FINGERPRINT_DIGITS.contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    match is_whole {
        true => Ok(digits.to_ascii_lowercase()),
        false => Err(Error::Fingerprint { text: text.to_owned() }),
    }
}

/// The archive keyrings in a directory, sorted by name.
fn keyrings(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            is_keyring(&name) && name.contains("archive")
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// Whether a file is a keyring by its name. Keyrings of removed keys are not trusted.
fn is_keyring(name: &str) -> bool {
    [".gpg", ".pgp", ".asc"].iter().any(|extension| name.ends_with(extension)) && !name.contains("removed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_accepted_as_they_are_printed_and_short_ids_are_refused() {
        let spaced = "AAAA BBBB CCCC DDDD EEEE  FFFF 0000 1111 2222 3333";
        assert_eq!(normalized(spaced).unwrap(), "aaaabbbbccccddddeeeeffff0000111122223333");
        assert_eq!(normalized(&"0F".repeat(32)).unwrap(), "0f".repeat(32));
        for text in ["", "0x2233", "22223333", "zzzzbbbbccccddddeeeeffff0000111122223333"] {
            assert!(matches!(normalized(text), Err(Error::Fingerprint { .. })), "{text}");
        }
    }

    #[test]
    fn keyrings_of_removed_keys_are_no_keyrings() {
        assert!(is_keyring("debian-archive-keyring.gpg") && is_keyring("a.asc"));
        assert!(!is_keyring("debian-archive-removed-keys.gpg") && !is_keyring("README"));
    }
}
