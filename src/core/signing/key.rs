//! Ed25519 keys (RFC 8032) in the text forms of OpenSSL: a private key as PKCS #8, a public key as SubjectPublicKeyInfo, both
//! in PEM (RFC 8410). Neither messages nor the debugging form of a private key contain its secret.

use std::fmt;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// Text that is not a key, or a key that cannot be created.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The text is not a private key.
    #[error("not a private Ed25519 key in PEM (PKCS #8)")]
    NotPrivate,
    /// The text is not a public key.
    #[error("not a public Ed25519 key in PEM (SubjectPublicKeyInfo)")]
    NotPublic,
    /// The system has no random numbers.
    #[error("the system provides no random numbers: {0}")]
    NoRandomness(String),
}

/// A key that signs. Its secret is overwritten when it is dropped.
#[derive(Clone)]
pub struct PrivateKey(SigningKey);

/// A key that checks signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PrivateKey {
    /// A new key from the system's random numbers.
    pub fn generate() -> Result<PrivateKey, Error> {
        let mut secret = [0; ed25519_dalek::SECRET_KEY_LENGTH];
        getrandom::getrandom(&mut secret).map_err(|error| Error::NoRandomness(error.to_string()))?;
        Ok(PrivateKey(SigningKey::from_bytes(&secret)))
    }

    /// Reads a key in PEM. Whitespace around the text is ignored.
    pub fn from_pem(text: &str) -> Result<PrivateKey, Error> {
        SigningKey::from_pkcs8_pem(text.trim()).map(PrivateKey).map_err(|_| Error::NotPrivate)
    }

    /// The key in PEM, as OpenSSL writes it: without the public key, which follows from it.
    pub fn to_pem(&self) -> String {
        let pair = ed25519_dalek::pkcs8::KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        pair.to_pkcs8_pem(LineEnding::LF).expect("32 bytes always encode").to_string()
    }

    /// The key that checks the signatures of this one.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The signature of a message. The same message has the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl PublicKey {
    /// Reads a key in PEM. Whitespace around the text is ignored.
    pub fn from_pem(text: &str) -> Result<PublicKey, Error> {
        VerifyingKey::from_public_key_pem(text.trim()).map(PublicKey).map_err(|_| Error::NotPublic)
    }

    /// The key in PEM.
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("32 bytes always encode")
    }

    /// The SHA-256 hash of the key in DER, in hexadecimal digits: a name for the key in messages and envelopes.
    pub fn id(&self) -> String {
        let der = self.0.to_public_key_der().expect("32 bytes always encode");
        format!("{:x}", Sha256::digest(der.as_bytes()))
    }

    /// Whether this is the signature of the message. Signatures that other implementations could judge differently are refused.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = ed25519_dalek::Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PrivateKey(of {})", self.public().id())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PublicKey({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key pair of RFC 8032, section 7.1, test 1, as `openssl pkey` writes it.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpgunKTR+CaUUbyPCxO2LyZLT73tMY3X39g\n-----END PRIVATE KEY-----\n";

    #[test]
    fn a_key_survives_its_text_form() {
        let key = PrivateKey::generate().unwrap();
        let again = PrivateKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(PublicKey::from_pem(&format!("\n{}", key.public().to_pem())).unwrap(), key.public());
        assert_ne!(PrivateKey::generate().unwrap().public(), key.public());
    }

    #[test]
    fn a_signature_verifies_only_with_its_message_and_key() {
        let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
        let signature = key.sign(b"message");
        assert_eq!(key.sign(b"message"), signature);
        assert!(key.public().verifies(b"message", &signature));
        assert!(!key.public().verifies(b"other", &signature) && !other.public().verifies(b"message", &signature));
        assert!(!key.public().verifies(b"message", &signature[..63]) && !key.public().verifies(b"message", b""));
    }

    #[test]
    fn other_text_is_refused_without_repeating_it() {
        let public = PrivateKey::generate().unwrap().public().to_pem();
        for text in ["", "secret", &public, &PRIVATE.replace("MC4", "MC5"), &PRIVATE[..60]] {
            let error = PrivateKey::from_pem(text).unwrap_err();
            assert_eq!(error, Error::NotPrivate, "{text}");
            assert!(!error.to_string().contains("secret"));
        }
        assert_eq!(PublicKey::from_pem(PRIVATE), Err(Error::NotPublic));
    }

    #[test]
    fn no_text_form_but_pem_contains_the_secret() {
        let key = PrivateKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), format!("PrivateKey(of {})", key.public().id()));
    }
}
