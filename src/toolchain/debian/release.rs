//! The signed head of an archive, `InRelease`: its signature, and the hashes that it vouches for.

use std::collections::BTreeMap;

use pgp::composed::{CleartextSignedMessage, PublicOrSecret, SignedPublicKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::KeyDetails as _;

use super::paragraph::paragraphs;
use crate::toolchain::Error;

/// What the archive says of itself, believed because it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// `bookworm`, also where the suite was asked for as `stable`.
    pub codename: String,
    /// `12.15`; empty where the archive has none.
    pub version: String,
    /// Path below `dists/<suite>/` to sha256 and size.
    pub files: BTreeMap<String, (String, u64)>,
}

/// The keys that a keyring file holds, binary or armoured. Keys of kinds that are not known are left out.
pub fn keys(keyring: &[u8]) -> Result<Vec<SignedPublicKey>, String> {
    let (found, _) = PublicOrSecret::from_reader_many(keyring).map_err(|error| error.to_string())?;
    let keys = found.filter_map(|key| match key {
        Ok(PublicOrSecret::Public(key)) => Some(key),
        _ => None,
    });
    Ok(keys.collect())
}

/// Reads only text that one of the keys, or a signing subkey bound to it, has signed.
pub fn verify(in_release: &[u8], keys: &[SignedPublicKey]) -> Result<Release, Error> {
    let refuse = |why: String| Error::Signature { why };
    let text = std::str::from_utf8(in_release).map_err(|error| refuse(error.to_string()))?;
    let (message, _) = CleartextSignedMessage::from_string(text).map_err(|error| refuse(error.to_string()))?;
    if !keys.iter().any(|key| has_signed(key, &message)) {
        let mut signers: Vec<String> = message
            .signatures()
            .iter()
            .flat_map(|signature| signature.issuer_fingerprint())
            .map(|fingerprint| format!("`{fingerprint}`"))
            .collect();
        signers.dedup();
        let signers = if signers.is_empty() { "no key that it names".to_owned() } else { signers.join(", ") };
        return Err(refuse(format!(
            "signed by {signers}, and none of the {} trusted keys made a valid signature",
            keys.len()
        )));
    }
    // Exactly the text that was signed, rather than the file that it came in.
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

/// Made with a sound hash, while the key was valid. What an expired key signed in its time stays valid, since archives of
/// old releases do.
fn is_sound(signature: &Signature, key_created: u32, lifetime: Option<u32>) -> bool {
    let sound = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];
    if !signature.hash_alg().is_some_and(|hash| sound.contains(&hash)) {
        return false;
    }
    let Some(made) = signature.created().map(|time| time.as_secs()) else { return false };
    let expired =
        lifetime.filter(|seconds| *seconds > 0).is_some_and(|seconds| made > key_created.saturating_add(seconds));
    made >= key_created && !expired
}

/// The longest that a self-signature grants; later ones extend a key.
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
    let refuse = |why: &str| Error::Index { why: format!("its release file {why}") };
    let fields = paragraphs(text).next().ok_or_else(|| refuse("is empty"))?;
    let list = fields.get("SHA256").ok_or_else(|| refuse("lists no `SHA256` hashes"))?;
    let mut files = BTreeMap::new();
    for line in list.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let (Some(sha256), Some(size), Some(path)) = (words.next(), words.next(), words.next()) else {
            return Err(refuse(&format!("has the unreadable line `{line}`")));
        };
        let size = size.parse().map_err(|_| refuse(&format!("has the unreadable line `{line}`")))?;
        files.insert(path.to_owned(), (sha256.to_ascii_lowercase(), size));
    }
    let field = |name: &str| fields.get(name).unwrap_or_default().to_owned();
    let codename = fields.get("Codename").or(fields.get("Suite")).ok_or_else(|| refuse("names no suite"))?.to_owned();
    Ok(Release { codename, version: field("Version"), files })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read() {
        let text = "Origin: x\nCodename: bookworm\nVersion: 12.1\nMD5Sum:\n 00 1 a\nSHA256:\n AB 12 main/Packages.xz\n cd 3 b\n";
        let release = release(text).unwrap();
        assert_eq!((release.codename.as_str(), release.version.as_str()), ("bookworm", "12.1"));
        assert_eq!(release.files["main/Packages.xz"], ("ab".to_owned(), 12));
        assert_eq!(release.files.len(), 2);
    }

    #[test]
    fn nothing_unsigned_is_believed() {
        for text in ["", "Codename: x\nSHA256:\n", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nCodename: x\n"]
        {
            assert!(matches!(verify(text.as_bytes(), &[]), Err(Error::Signature { .. })), "{text}");
        }
    }
}
