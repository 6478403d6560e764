//! The content addressable storage of a server: which blobs it does not have, and batches of small blobs. Large ones are in
//! `byte_stream`; which blob goes which way is decided in `transfer`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use tonic::{Code, Status};

use crate::base::Digest;
use crate::engine::remote::compression::{self, compress, decompress};
use crate::engine::remote::reapi::content_addressable_storage_client::ContentAddressableStorageClient;
use crate::engine::remote::{Connection, Error, RemoteDigest, reapi};

/// What a digest with its field headers adds to a message, rounded up.
pub(super) const ENTRY_BYTES: u64 = 128;

/// The number of digests in one request for missing blobs, so that the request has at most 1.3 MB.
const MAX_QUERY: usize = 10_000;

/// A content to upload.
#[derive(Clone, Debug)]
pub enum Content {
    /// The bytes themselves.
    Bytes(Vec<u8>),
    /// A blob of the store.
    Blob(Digest),
}

/// Contents by digest.
pub type Contents = BTreeMap<RemoteDigest, Content>;

/// The number of the compressor in messages.
pub(super) fn zstd() -> i32 {
    reapi::compressor::Value::Zstd.into()
}

impl Connection {
    /// The digests whose blobs the server does not have.
    pub async fn find_missing(&self, digests: &[RemoteDigest]) -> Result<BTreeSet<RemoteDigest>, Error> {
        let capabilities = self.capabilities().await?;
        let most = usize::try_from(capabilities.batch_bytes / ENTRY_BYTES).unwrap_or(MAX_QUERY).clamp(1, MAX_QUERY);
        let mut missing = BTreeSet::new();
        for part in digests.chunks(most) {
            let request = reapi::FindMissingBlobsRequest {
                instance_name: self.instance_name(),
                blob_digests: part.iter().map(|digest| digest.to_message()).collect(),
                digest_function: capabilities.digest_function.number(),
            };
            let call = |service| {
                let request = request.clone();
                async move {
                    let mut client = ContentAddressableStorageClient::new(service);
                    Ok(client.find_missing_blobs(request).await?.into_inner().missing_blob_digests)
                }
            };
            let found = self.call("FindMissingBlobs", call).await?;
            missing.extend(found.iter().filter_map(RemoteDigest::from_message));
        }
        Ok(missing)
    }

    /// The contents of small blobs, verified. Blobs that the server does not have are left out.
    pub(super) async fn batch_read(&self, digests: &[RemoteDigest]) -> Result<Vec<(RemoteDigest, Vec<u8>)>, Error> {
        let capabilities = self.capabilities().await?;
        let request = reapi::BatchReadBlobsRequest {
            instance_name: self.instance_name(),
            digests: digests.iter().map(|digest| digest.to_message()).collect(),
            acceptable_compressors: if capabilities.zstd_batches { vec![zstd()] } else { Vec::new() },
            digest_function: capabilities.digest_function.number(),
        };
        let limit = usize::try_from(capabilities.batch_bytes).unwrap_or(usize::MAX).saturating_add(8 << 20);
        let call = |service| {
            let request = request.clone();
            async move {
                let mut client = ContentAddressableStorageClient::new(service).max_decoding_message_size(limit);
                Ok(client.batch_read_blobs(request).await?.into_inner().responses)
            }
        };
        let mut found = Vec::new();
        for response in self.call("BatchReadBlobs", call).await? {
            let Some(digest) = response.digest.as_ref().and_then(RemoteDigest::from_message) else { continue };
            match status(response.status.as_ref()) {
                Ok(()) => {}
                Err(status) if status.code() == Code::NotFound => continue,
                Err(status) => return Err(Error::from_status(&self.address(), "BatchReadBlobs", &status)),
            }
            self.traffic.received_bytes.fetch_add(response.data.len() as u64, Ordering::Relaxed);
            let bytes = match response.compressor == zstd() {
                true => decompress(&response.data, digest.size_bytes),
                false => Some(response.data),
            };
            let bytes = bytes.filter(|bytes| capabilities.digest_function.of(bytes) == digest);
            found.push((digest, bytes.ok_or_else(|| Error::WrongBytes { address: self.address(), digest })?));
        }
        Ok(found)
    }

    /// Stores small blobs.
    pub(super) async fn batch_update(&self, blobs: Vec<(RemoteDigest, Vec<u8>)>) -> Result<(), Error> {
        let capabilities = self.capabilities().await?;
        let compresses = capabilities.zstd_batches;
        let entry = |(digest, data): (RemoteDigest, Vec<u8>)| {
            let is_worth_it = compresses && data.len() as u64 >= compression::MIN_BYTES;
            let (data, compressor) = match is_worth_it.then(|| compress(&data)).flatten() {
                Some(compressed) => (compressed, zstd()),
                None => (data, 0),
            };
            reapi::batch_update_blobs_request::Request { digest: Some(digest.to_message()), data, compressor }
        };
        let request = reapi::BatchUpdateBlobsRequest {
            instance_name: self.instance_name(),
            requests: blobs.into_iter().map(entry).collect(),
            digest_function: capabilities.digest_function.number(),
        };
        let bytes: usize = request.requests.iter().map(|request| request.data.len()).sum();
        let call = |service| {
            let request = request.clone();
            async move {
                let mut client = ContentAddressableStorageClient::new(service);
                let responses = client.batch_update_blobs(request).await?.into_inner().responses;
                responses.iter().try_for_each(|response| status(response.status.as_ref()))
            }
        };
        self.call("BatchUpdateBlobs", call).await?;
        self.traffic.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// The status of one blob of a batch.
fn status(status: Option<&bazel_remote_apis::google::rpc::Status>) -> Result<(), Status> {
    match status {
        Some(status) if status.code != 0 => Err(Status::new(Code::from(status.code), status.message.clone())),
        _ => Ok(()),
    }
}
