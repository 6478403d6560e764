//! The digest that identifies content: its BLAKE3 hash and its size. Content itself is kept by `store`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A BLAKE3 hash with the content's size in bytes, as in the Remote Execution API's `Digest` message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    hash: [u8; 32],
    size_bytes: u64,
}

impl Digest {
    /// A digest from a hash that was computed elsewhere.
    pub fn new(hash: [u8; 32], size_bytes: u64) -> Digest {
        Digest { hash, size_bytes }
    }

    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest { hash: *blake3::hash(bytes).as_bytes(), size_bytes: bytes.len() as u64 }
    }

    /// The BLAKE3 hash.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The hash as 64 lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.hash).to_hex().to_string()
    }

    /// The size of the content.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

/// `hex/size`, as in the Remote Execution API's resource names.
impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.hex(), self.size_bytes)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Text that is not a digest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("invalid digest `{0}`: expected 64 hexadecimal digits, a slash and a size in bytes")]
pub struct ParseError(String);

impl FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Digest, ParseError> {
        let refuse = || ParseError(text.to_owned());
        let (hex, size) = text.split_once('/').ok_or_else(refuse)?;
        let hash = blake3::Hash::from_hex(hex).map_err(|_| refuse())?;
        Ok(Digest { hash: *hash.as_bytes(), size_bytes: size.parse().map_err(|_| refuse())? })
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_text_form() {
        let digest = Digest::of(b"waders");
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }

    #[test]
    fn invalid_text_is_refused() {
        for text in ["", "ab/1", "/1", &format!("{}/x", "0".repeat(64))] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
