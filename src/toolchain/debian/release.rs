//! The signed head of an archive, `InRelease`: its signature and the hashes of the other files.

use std::collections::BTreeMap;

use pgp::composed::{CleartextSignedMessage, PublicOrSecret, SignedPublicKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::KeyDetails as _;

use super::paragraph::paragraphs;
use crate::toolchain::Error;

/// The verified content of the head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Release {
    /// The name of the release, such as `bookworm`, even if the suite is configured as `stable`.
    pub codename: String,
    /// The version of the release, such as `12.15`; may be empty.
    pub version: String,
    /// The SHA-256 and size in bytes of each file, by path relative to `dists/<suite>/`.
    pub files: BTreeMap<String, (String, u64)>,
}

/// The keys in a keyring file, binary or armoured. Keys of unsupported types are ignored.
pub(super) fn keys(keyring: &[u8]) -> Result<Vec<SignedPublicKey>, String> {
    let (found, _) = PublicOrSecret::from_reader_many(keyring).map_err(|error| error.to_string())?;
    let keys = found.filter_map(|key| match key {
        Ok(PublicOrSecret::Public(key)) => Some(key),
        _ => None,
    });
    Ok(keys.collect())
}

/// Parses the head without verifying a signature.
pub(super) fn unverified(in_release: &[u8]) -> Result<Release, Error> {
    release(&message(in_release)?.signed_text().replace("\r\n", "\n"))
}

/// The head with its signatures.
fn message(in_release: &[u8]) -> Result<CleartextSignedMessage, Error> {
    let refuse = |why: String| Error::Signature { why };
    let text = std::str::from_utf8(in_release).map_err(|error| refuse(error.to_string()))?;
    Ok(CleartextSignedMessage::from_string(text).map_err(|error| refuse(error.to_string()))?.0)
}

/// Verifies that one of the keys, or a signing subkey bound to it, signed the text, and parses it.
pub(super) fn verify(in_release: &[u8], keys: &[SignedPublicKey]) -> Result<Release, Error> {
    let refuse = |why: String| Error::Signature { why };
    let message = message(in_release)?;
    if !keys.iter().any(|key| has_signed(key, &message)) {
        let mut signers: Vec<String> = message
            .signatures()
            .iter()
            .flat_map(|signature| signature.issuer_fingerprint())
            .map(|fingerprint| format!("`{fingerprint}`"))
            .collect();
        signers.dedup();
        let signers = if signers.is_empty() { "an unnamed key".to_owned() } else { signers.join(", ") };
        return Err(refuse(format!(
            "it is signed by {signers}, and none of the {} trusted keys made a valid signature",
            keys.len()
        )));
    }
    // Only the signed text is parsed: the file may contain other text around it.
    release(&message.signed_text().replace("\r\n", "\n"))
}

fn has_signed(key: &SignedPublicKey, message: &CleartextSignedMessage) -> bool {
    if !key.details.revocation_signatures.is_empty() {
        return false;
    }
    if message.verify(key).is_ok_and(|signature| is_sound(signature, key.created_at().as_secs(), key_lifetime(key))) {
        return true;
    }
    key.public_subkeys.iter().any(|subkey| {
        let bindings = subkey.signatures.iter();
        let lifetime =
            bindings.clone().filter_map(|binding| binding.key_expiration_time()).map(|time| time.as_secs()).max();
        let signs = bindings.clone().any(|binding| binding.key_flags().sign());
        let revoked = bindings.clone().any(|binding| binding.typ() == Some(SignatureType::SubkeyRevocation));
        signs
            && !revoked
            && subkey.verify_bindings(&key.primary_key).is_ok()
            && message
                .verify(subkey)
                .is_ok_and(|signature| is_sound(signature, subkey.created_at().as_secs(), lifetime))
    })
}

/// True if the signature uses a secure hash and was made while the key was valid. It remains valid after the key expired,
/// since the archives of old releases are not signed again.
fn is_sound(signature: &Signature, key_created: u32, lifetime: Option<u32>) -> bool {
    let secure = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];
    if !signature.hash_alg().is_some_and(|hash| secure.contains(&hash)) {
        return false;
    }
    let Some(made) = signature.created().map(|time| time.as_secs()) else { return false };
    let expired =
        lifetime.filter(|seconds| *seconds > 0).is_some_and(|seconds| made > key_created.saturating_add(seconds));
    made >= key_created && !expired
}

/// The lifetime of a key in seconds: the longest of its self-signatures, since later ones extend it.
fn key_lifetime(key: &SignedPublicKey) -> Option<u32> {
    let by_user = key.details.users.iter().flat_map(|user| &user.signatures);
    let own = by_user.chain(&key.details.direct_signatures);
    let id = key.fingerprint();
    own.filter(|signature| signature.issuer_fingerprint().contains(&&id))
        .filter_map(|signature| signature.key_expiration_time())
        .map(|time| time.as_secs())
        .max()
}

fn release(text: &str) -> Result<Release, Error> {
    let refuse = |why: &str| Error::Index { why: format!("the release file {why}") };
    let fields = paragraphs(text).next().ok_or_else(|| refuse("is empty"))?;
    let list = fields.get("SHA256").ok_or_else(|| refuse("has no field `SHA256`"))?;
    let mut files = BTreeMap::new();
    for line in list.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let (Some(sha256), Some(size), Some(path)) = (words.next(), words.next(), words.next()) else {
            return Err(refuse(&format!("has the invalid line `{line}`")));
        };
        let size = size.parse().map_err(|_| refuse(&format!("has the invalid line `{line}`")))?;
        files.insert(path.to_owned(), (sha256.to_ascii_lowercase(), size));
    }
    let field = |name: &str| fields.get(name).unwrap_or_default().to_owned();
    let codename = fields
        .get("Codename")
        .or(fields.get("Suite"))
        .ok_or_else(|| refuse("has neither the field `Codename` nor `Suite`"))?
        .to_owned();
    Ok(Release { codename, version: field("Version"), files })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_of_a_head_are_parsed() {
        let text = "Origin: x\nCodename: bookworm\nVersion: 12.1\nMD5Sum:\n 00 1 a\nSHA256:\n AB 12 main/Packages.xz\n cd 3 b\n";
        let release = release(text).unwrap();
        assert_eq!((release.codename.as_str(), release.version.as_str()), ("bookworm", "12.1"));
        assert_eq!(release.files["main/Packages.xz"], ("ab".to_owned(), 12));
        assert_eq!(release.files.len(), 2);
    }

    #[test]
    fn unsigned_text_is_refused() {
        for text in ["", "Codename: x\nSHA256:\n", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nCodename: x\n"]
        {
            assert!(matches!(verify(text.as_bytes(), &[]), Err(Error::Signature { .. })), "{text}");
        }
    }
}
