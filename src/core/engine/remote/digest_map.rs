//! Which SHA-256 belongs to which BLAKE3, for servers that use SHA-256. The map is in the store's index, so that each content is
//! hashed once.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::base::Digest;
use crate::engine::remote::{DigestFunction, RemoteDigest};
use crate::store::{Error, Result, Store};

/// The kind of the index payloads that contain hashes.
const KIND: &str = "sha256-1";

/// The kind of the index payloads that contain hashes as an entry of a server states them. They only say where a content can be
/// downloaded: a wrong one must not decide under which name this machine uploads it.
const CLAIMS: &str = "sha256-claimed-1";

/// The digests of contents as servers compute them.
#[derive(Clone)]
pub struct DigestMap {
    store: Arc<Store>,
}

impl DigestMap {
    /// The map in this store.
    pub fn new(store: Arc<Store>) -> DigestMap {
        DigestMap { store }
    }

    /// The digests of blobs of the store. Hashes those that are not in the map, which takes 1 to 4 ms for each MB.
    /// `Error::Missing` if a blob is missing or damaged.
    pub fn of_blobs(&self, function: DigestFunction, blobs: &[Digest]) -> Result<HashMap<Digest, RemoteDigest>> {
        let mut found = self.known(function, blobs)?;
        let mut new = Vec::new();
        for blob in blobs {
            if !found.contains_key(blob) {
                let hash = self.hash(*blob)?;
                found.insert(*blob, RemoteDigest { hash, size_bytes: blob.size_bytes() });
                new.push((*blob, hash));
            }
        }
        self.record(&new)?;
        Ok(found)
    }

    /// The digests that need no hashing.
    pub fn known(&self, function: DigestFunction, blobs: &[Digest]) -> Result<HashMap<Digest, RemoteDigest>> {
        self.read(KIND, function, blobs)
    }

    /// Where blobs can be downloaded, as far as it is known.
    pub(super) fn places(&self, function: DigestFunction, blobs: &[Digest]) -> Result<HashMap<Digest, RemoteDigest>> {
        let mut found = self.read(CLAIMS, function, blobs)?;
        found.extend(self.read(KIND, function, blobs)?);
        Ok(found)
    }

    fn read(&self, kind: &str, function: DigestFunction, blobs: &[Digest]) -> Result<HashMap<Digest, RemoteDigest>> {
        if function == DigestFunction::Blake3 {
            return Ok(blobs.iter().map(|blob| (*blob, RemoteDigest::from_blake3(*blob))).collect());
        }
        let remote = |(blob, value): (Digest, Vec<u8>)| {
            let hash = value.try_into().ok()?;
            Some((blob, RemoteDigest { hash, size_bytes: blob.size_bytes() }))
        };
        Ok(self.store.notes(kind, blobs)?.into_iter().filter_map(remote).collect())
    }

    /// Adds pairs of BLAKE3 and SHA-256 that were computed from the same bytes.
    pub fn record(&self, pairs: &[(Digest, [u8; 32])]) -> Result<()> {
        self.write(KIND, pairs)
    }

    /// Adds pairs of BLAKE3 and SHA-256 that a server states.
    pub(super) fn claim(&self, pairs: &[(Digest, [u8; 32])]) -> Result<()> {
        self.write(CLAIMS, pairs)
    }

    fn write(&self, kind: &str, pairs: &[(Digest, [u8; 32])]) -> Result<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        let notes: Vec<(Digest, Vec<u8>)> = pairs.iter().map(|(blob, hash)| (*blob, hash.to_vec())).collect();
        self.store.save_notes(kind, &notes)
    }

    /// The SHA-256 of a blob, whose bytes are verified on the way.
    fn hash(&self, blob: Digest) -> Result<[u8; 32]> {
        let mut file = self.store.open_blob(blob)?;
        let mut reader = Hashing::new(&mut file);
        let mut blake3 = blake3::Hasher::new();
        let copied = io::copy(&mut reader, &mut blake3);
        copied.map_err(|source| Error::Io { tried: "read", path: blob.hex().into(), source })?;
        if Digest::new(*blake3.finalize().as_bytes(), blake3.count()) != blob {
            // Quarantines it.
            self.store.verify_blob(blob)?;
            return Err(Error::Missing(blob));
        }
        Ok(reader.sha256())
    }
}

/// Computes the SHA-256 of what is read.
pub(super) struct Hashing<'r> {
    reader: &'r mut dyn Read,
    hasher: Sha256,
    /// The number of bytes that were read.
    pub(super) size_bytes: u64,
}

impl<'r> Hashing<'r> {
    pub(super) fn new(reader: &'r mut dyn Read) -> Hashing<'r> {
        Hashing { reader, hasher: Sha256::new(), size_bytes: 0 }
    }

    pub(super) fn sha256(self) -> [u8; 32] {
        self.hasher.finalize().into()
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.size_bytes += count as u64;
        Ok(count)
    }
}
