//! What a server announces that it supports.

use crate::engine::remote::{Connection, DigestFunction, Error, reapi};

/// The largest message that every implementation of gRPC accepts by default. A server that announces no limit has this one.
const DEFAULT_MESSAGE_BYTES: u64 = 4 << 20;

/// The room that is left in each batch for headers and for what a proxy adds.
const HEADROOM_BYTES: u64 = 64 << 10;

/// What a server supports.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// The hash function that is used with this server.
    pub digest_function: DigestFunction,
    /// The total size of the contents of one batch, with headroom.
    pub batch_bytes: u64,
    /// The size of the largest content that the server accepts, if it is limited.
    pub max_blob_bytes: Option<u64>,
    /// Whether streams can be compressed with zstd.
    pub zstd: bool,
    /// Whether the contents of batches for the server can be compressed with zstd.
    pub zstd_batches: bool,
    /// Whether results can be stored.
    pub accepts_results: bool,
    /// Everything that the server announces.
    pub message: reapi::ServerCapabilities,
}

impl Capabilities {
    /// What a server supports. It must have a cache and one of the two hash functions.
    pub(super) fn new(connection: &Connection, message: reapi::ServerCapabilities) -> Result<Capabilities, Error> {
        let unsupported = |what: &str| Error::Unsupported { address: connection.address(), what: what.to_owned() };
        if let Some(version) = &message.low_api_version
            && version.major > 2
        {
            return Err(unsupported("version 2 of the Remote Execution API"));
        }
        let cache = message.cache_capabilities.clone().ok_or_else(|| unsupported("a cache"))?;
        let has = |function: DigestFunction| cache.digest_functions.contains(&function.number());
        let digest_function =
            [DigestFunction::Blake3, DigestFunction::Sha256].into_iter().find(|function| has(*function));
        let zstd: i32 = reapi::compressor::Value::Zstd.into();
        Ok(Capabilities {
            digest_function: digest_function.ok_or_else(|| unsupported("the hash functions BLAKE3 and SHA-256"))?,
            batch_bytes: batch_bytes(cache.max_batch_total_size_bytes),
            max_blob_bytes: u64::try_from(cache.max_cas_blob_size_bytes).ok().filter(|size| *size > 0),
            zstd: cache.supported_compressors.contains(&zstd),
            zstd_batches: cache.supported_batch_update_compressors.contains(&zstd),
            accepts_results: cache.action_cache_update_capabilities.is_some_and(|update| update.update_enabled),
            message,
        })
    }
}

/// The size of a batch for an announced limit.
fn batch_bytes(announced: i64) -> u64 {
    let announced = u64::try_from(announced).ok().filter(|size| *size > 0).unwrap_or(DEFAULT_MESSAGE_BYTES);
    announced.saturating_sub(HEADROOM_BYTES.min(announced / 8)).min(64 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_below_the_announced_size() {
        assert_eq!(batch_bytes(0), (4 << 20) - (64 << 10));
        assert_eq!(batch_bytes(-1), batch_bytes(0));
        assert_eq!(batch_bytes(4_193_280), 4_193_280 - (64 << 10));
        assert_eq!(batch_bytes(1000), 875);
    }
}
