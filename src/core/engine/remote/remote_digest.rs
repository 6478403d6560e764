//! Digests as a server computes them: BLAKE3, as in the store, or SHA-256. Which SHA-256 belongs to which BLAKE3 is in
//! `digest_map`.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::base::Digest;
use crate::engine::remote::reapi;

/// The hash function of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestFunction {
    /// BLAKE3, with 32 bytes.
    Blake3,
    /// SHA-256.
    Sha256,
}

/// A digest as a server computes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteDigest {
    /// The hash.
    pub hash: [u8; 32],
    /// The size of the content.
    pub size_bytes: u64,
}

impl DigestFunction {
    /// The digest of these bytes.
    pub fn of(self, bytes: &[u8]) -> RemoteDigest {
        let hash = match self {
            DigestFunction::Blake3 => *blake3::hash(bytes).as_bytes(),
            DigestFunction::Sha256 => Sha256::digest(bytes).into(),
        };
        RemoteDigest { hash, size_bytes: bytes.len() as u64 }
    }

    /// The number of the function in messages.
    pub fn number(self) -> i32 {
        let value = match self {
            DigestFunction::Blake3 => reapi::digest_function::Value::Blake3,
            DigestFunction::Sha256 => reapi::digest_function::Value::Sha256,
        };
        value.into()
    }

    /// The part of the resource names of the ByteStream API that names the function; empty for SHA-256.
    pub(super) fn resource_part(self) -> &'static str {
        match self {
            DigestFunction::Blake3 => "blake3/",
            DigestFunction::Sha256 => "",
        }
    }
}

impl RemoteDigest {
    /// The digest on a server whose function is BLAKE3.
    pub fn from_blake3(digest: Digest) -> RemoteDigest {
        RemoteDigest { hash: *digest.hash(), size_bytes: digest.size_bytes() }
    }

    /// The hash as 64 lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.hash).to_hex().to_string()
    }

    /// The message.
    pub fn to_message(self) -> reapi::Digest {
        // Sizes are those of files, which the kernel limits to less than 2^63.
        reapi::Digest { hash: self.hex(), size_bytes: i64::try_from(self.size_bytes).unwrap_or(i64::MAX) }
    }

    /// The digest in a message; `None` if it is malformed.
    pub fn from_message(message: &reapi::Digest) -> Option<RemoteDigest> {
        let hash = blake3::Hash::from_hex(&message.hash).ok()?;
        Some(RemoteDigest { hash: *hash.as_bytes(), size_bytes: u64::try_from(message.size_bytes).ok()? })
    }
}

/// `hex/size`, as in resource names.
impl fmt::Display for RemoteDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.hex(), self.size_bytes)
    }
}

impl fmt::Debug for RemoteDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
