//! The files that index pages list, whole or in part. A file is fetched once: the store knows it by the SHA-256 hash in the page.

use std::fs::File;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::net::proxy::ByteRange;
use crate::net::{Client, Expected, FileLink, Part};
use crate::prepare::locks::gateway::Failure;
use crate::store::Store;

/// The size limit of files without a known size; far larger than any file of a package index.
const LIMIT_BYTES: u64 = 16 << 30;

/// Files from package indexes.
pub(super) struct Files {
    client: Client,
    store: Arc<Store>,
    /// Whether parts may be used that an earlier run received. They have no hash of their own, but belong to a file with one.
    may_reuse: bool,
}

/// A part that was received before.
#[derive(Serialize, Deserialize)]
struct KnownPart {
    start: u64,
    total_bytes: u64,
    body: Digest,
}

impl Files {
    /// Nothing is fetched yet.
    pub(super) fn new(client: Client, store: Arc<Store>, may_reuse: bool) -> Files {
        Files { client, store, may_reuse }
    }

    /// A whole file, whose hash is verified if the page has it.
    pub(super) fn whole(&self, link: &FileLink) -> Result<Digest, Failure> {
        let Some(sha256) = &link.sha256 else {
            return Ok(self.store.put(&self.client.get(&link.url, LIMIT_BYTES)?)?);
        };
        let key = key(sha256, "whole");
        if let Some(digest) = self.known::<Digest>(&key)
            && self.store.contains(digest)?
        {
            return Ok(digest);
        }
        let scratch = self.store.scratch()?;
        let path = scratch.path().join("download");
        let mut file = File::create(&path).map_err(Failure::Scratch)?;
        let expected = Expected { sha256: sha256.clone(), size_bytes: link.size_bytes };
        self.client.download(&link.url, &expected, &mut file)?;
        let digest = self.store.put_file(&path)?;
        self.remember(&key, &digest)?;
        Ok(digest)
    }

    /// A part of a file, and the digest of its bytes; `None` if the server does not support parts.
    pub(super) fn part(&self, link: &FileLink, range: ByteRange) -> Result<Option<(Part, Digest)>, Failure> {
        let key = link.sha256.as_ref().map(|sha256| key(sha256, &format!("{range:?}")));
        let known = key.as_ref().filter(|_| self.may_reuse).and_then(|key| self.known::<KnownPart>(key));
        if let Some(KnownPart { start, total_bytes, body }) = known
            && let Ok(bytes) = self.store.get(body)
        {
            return Ok(Some((Part { start, bytes, total_bytes }, body)));
        }
        let part = match range {
            ByteRange::From { start, length } => self.client.part(&link.url, Some(start), length)?,
            ByteRange::Last(length) => self.client.part(&link.url, None, length)?,
        };
        let Some(part) = part else { return Ok(None) };
        let body = self.store.put(&part.bytes)?;
        if let Some(key) = key {
            self.remember(&key, &KnownPart { start: part.start, total_bytes: part.total_bytes, body })?;
        }
        Ok(Some((part, body)))
    }

    /// What the store's index knows under a key. What cannot be read counts as unknown.
    fn known<T: for<'de> Deserialize<'de>>(&self, key: &[u8; 32]) -> Option<T> {
        serde_json::from_slice(&self.store.index_get(key).ok()??).ok()
    }

    fn remember(&self, key: &[u8; 32], value: &impl Serialize) -> Result<(), Failure> {
        Ok(self.store.index_put(key, &serde_json::to_vec(value).expect("the value has no maps"))?)
    }
}

fn key(sha256: &str, part: &str) -> [u8; 32] {
    *blake3::hash(format!("file of an index 1\n{sha256}\n{part}").as_bytes()).as_bytes()
}
