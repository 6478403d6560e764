//! A server for what no real one at hand does: BLAKE3, compression, limits, and faults of every kind. Its contents are in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2 as reapi;
use bazel_remote_apis::google::bytestream::byte_stream_server::{ByteStream, ByteStreamServer};
use bazel_remote_apis::google::bytestream::{
    QueryWriteStatusRequest, QueryWriteStatusResponse, ReadRequest, ReadResponse, WriteRequest, WriteResponse,
};
use bazel_remote_apis::google::rpc;
use reapi::action_cache_server::{ActionCache, ActionCacheServer};
use reapi::capabilities_server::{Capabilities, CapabilitiesServer};
use reapi::content_addressable_storage_server::{ContentAddressableStorage, ContentAddressableStorageServer};
use tokio::runtime::Runtime;
use tonic::codegen::tokio_stream::{self, Stream, StreamExt};
use tonic::transport::ServerTlsConfig;
use tonic::{Code, Request, Response, Status, Streaming};
use waders::engine::remote::DigestFunction;

/// The number of zstd in the API.
const ZSTD: i32 = 1;

/// What the server does differently from a correct one.
#[derive(Clone, Debug)]
pub(super) struct Behaviour {
    pub(super) function: DigestFunction,
    pub(super) zstd: bool,
    pub(super) max_batch_bytes: i64,
    pub(super) max_blob_bytes: i64,
    /// The status of every call but `GetCapabilities`.
    pub(super) refuses: Option<Code>,
    /// The status of the calls that store something.
    pub(super) refuses_writes: Option<Code>,
    pub(super) announces_updates: bool,
    /// Blobs that `FindMissing` and `Read` do not know, by size.
    pub(super) loses: BTreeSet<u64>,
    /// Blobs whose bytes are changed when they are read, by size.
    pub(super) corrupts: BTreeSet<u64>,
    /// Writes are answered before all bytes have arrived.
    pub(super) answers_early: bool,
    /// The number of calls that fail first, as if the server were restarted.
    pub(super) unavailable_calls: usize,
    pub(super) delay: Duration,
    /// The `authorization` header that calls must have.
    pub(super) token: Option<String>,
    pub(super) instance: String,
    /// Whether it has no cache at all.
    pub(super) without_cache: bool,
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            function: DigestFunction::Sha256,
            zstd: false,
            max_batch_bytes: 0,
            max_blob_bytes: 0,
            refuses: None,
            refuses_writes: None,
            announces_updates: true,
            loses: BTreeSet::new(),
            corrupts: BTreeSet::new(),
            answers_early: false,
            unavailable_calls: 0,
            delay: Duration::ZERO,
            token: None,
            instance: String::new(),
            without_cache: false,
        }
    }
}

/// What the server has and saw.
#[derive(Default)]
pub(super) struct State {
    pub(super) behaviour: Behaviour,
    /// By hash.
    pub(super) blobs: BTreeMap<String, Vec<u8>>,
    /// Encoded results by the hash of the action.
    pub(super) results: BTreeMap<String, reapi::ActionResult>,
    /// The names of all calls.
    pub(super) calls: Vec<&'static str>,
    /// The total size of the contents of each batch.
    pub(super) batches: Vec<usize>,
    /// The number of digests of each query.
    pub(super) queries: Vec<usize>,
    /// The blobs that were read, in order.
    pub(super) reads: Vec<String>,
    /// The number of contents that arrived compressed.
    pub(super) compressed: usize,
}

/// A running server.
pub(super) struct Fake {
    pub(super) state: Arc<Mutex<State>>,
    address: SocketAddr,
    /// Ends the server when it is dropped.
    _runtime: Runtime,
}

impl Fake {
    pub(super) fn start(behaviour: Behaviour) -> Fake {
        Fake::start_with(behaviour, None)
    }

    /// Starts a server, with TLS if it has settings for that.
    pub(super) fn start_with(behaviour: Behaviour, tls: Option<ServerTlsConfig>) -> Fake {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let state = Arc::new(Mutex::new(State { behaviour, ..State::default() }));
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let service = Server(state.clone());
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        let builder = tonic::transport::Server::builder();
        let mut builder = match tls {
            Some(tls) => builder.tls_config(tls).unwrap(),
            None => builder,
        };
        let server = builder
            .add_service(CapabilitiesServer::new(service.clone()))
            .add_service(ContentAddressableStorageServer::new(service.clone()).max_decoding_message_size(64 << 20))
            .add_service(ActionCacheServer::new(service.clone()))
            .add_service(ByteStreamServer::new(service).max_decoding_message_size(64 << 20))
            .serve_with_incoming(incoming);
        runtime.spawn(server);
        Fake { state, address, _runtime: runtime }
    }

    pub(super) fn address(&self) -> String {
        format!("grpc://{}", self.address)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn secure_address(&self) -> String {
        format!("grpcs://{}", self.address)
    }

    pub(super) fn count(&self, call: &str) -> usize {
        self.state().calls.iter().filter(|name| **name == call).count()
    }
}

#[derive(Clone)]
struct Server(Arc<Mutex<State>>);

impl Server {
    /// Records a call, and refuses it if the server does.
    async fn enter<T>(
        &self,
        name: &'static str,
        instance: &str,
        request: &Request<T>,
        writes: bool,
    ) -> Result<(), Status> {
        let (delay, refusal) = {
            let mut state = self.0.lock().unwrap();
            state.calls.push(name);
            let behaviour = &mut state.behaviour;
            let header = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
            let refusal = if behaviour.unavailable_calls > 0 {
                behaviour.unavailable_calls -= 1;
                Some(Status::unavailable("the server is starting"))
            } else if behaviour.token.is_some() && behaviour.token.as_deref() != header {
                Some(Status::unauthenticated("the token has expired"))
            } else if behaviour.instance != instance {
                Some(Status::invalid_argument(format!("there is no instance `{instance}`")))
            } else if name == "GetCapabilities" {
                None
            } else if writes && behaviour.refuses_writes.is_some() {
                behaviour.refuses_writes.map(|code| Status::new(code, "not permitted"))
            } else {
                behaviour.refuses.map(|code| Status::new(code, "as the test wants"))
            };
            (behaviour.delay, refusal)
        };
        tokio::time::sleep(delay).await;
        refusal.map_or(Ok(()), Err)
    }

    /// The bytes of a blob as the server sends them.
    fn blob(&self, hash: &str) -> Option<Vec<u8>> {
        let mut state = self.0.lock().unwrap();
        state.reads.push(hash.to_owned());
        let mut bytes = state.blobs.get(hash).cloned()?;
        let size = bytes.len() as u64;
        if state.behaviour.loses.contains(&size) {
            return None;
        }
        if state.behaviour.corrupts.contains(&size) {
            bytes[0] ^= 1;
        }
        Some(bytes)
    }

    fn add(&self, digest: &reapi::Digest, bytes: Vec<u8>) -> Result<(), Status> {
        let mut state = self.0.lock().unwrap();
        let found = state.behaviour.function.of(&bytes);
        if found.hex() != digest.hash {
            return Err(Status::invalid_argument("the content does not have this digest"));
        }
        state.blobs.insert(digest.hash.clone(), bytes);
        Ok(())
    }
}

#[tonic::async_trait]
impl Capabilities for Server {
    async fn get_capabilities(
        &self,
        request: Request<reapi::GetCapabilitiesRequest>,
    ) -> Result<Response<reapi::ServerCapabilities>, Status> {
        self.enter("GetCapabilities", &request.get_ref().instance_name, &request, false).await?;
        let behaviour = self.0.lock().unwrap().behaviour.clone();
        let compressors = if behaviour.zstd { vec![ZSTD] } else { Vec::new() };
        let update = reapi::ActionCacheUpdateCapabilities { update_enabled: behaviour.announces_updates };
        let cache = reapi::CacheCapabilities {
            digest_functions: vec![behaviour.function.number()],
            action_cache_update_capabilities: Some(update),
            max_batch_total_size_bytes: behaviour.max_batch_bytes,
            max_cas_blob_size_bytes: behaviour.max_blob_bytes,
            supported_compressors: compressors.clone(),
            supported_batch_update_compressors: compressors,
            ..reapi::CacheCapabilities::default()
        };
        let cache_capabilities = (!behaviour.without_cache).then_some(cache);
        Ok(Response::new(reapi::ServerCapabilities { cache_capabilities, ..Default::default() }))
    }
}

#[tonic::async_trait]
impl ActionCache for Server {
    async fn get_action_result(
        &self,
        request: Request<reapi::GetActionResultRequest>,
    ) -> Result<Response<reapi::ActionResult>, Status> {
        self.enter("GetActionResult", &request.get_ref().instance_name, &request, false).await?;
        let hash = request.into_inner().action_digest.unwrap_or_default().hash;
        let result = self.0.lock().unwrap().results.get(&hash).cloned();
        result.map(Response::new).ok_or_else(|| Status::not_found("no result"))
    }

    async fn update_action_result(
        &self,
        request: Request<reapi::UpdateActionResultRequest>,
    ) -> Result<Response<reapi::ActionResult>, Status> {
        self.enter("UpdateActionResult", &request.get_ref().instance_name, &request, true).await?;
        let request = request.into_inner();
        let (hash, result) =
            (request.action_digest.unwrap_or_default().hash, request.action_result.unwrap_or_default());
        self.0.lock().unwrap().results.insert(hash, result.clone());
        Ok(Response::new(result))
    }
}

#[tonic::async_trait]
impl ContentAddressableStorage for Server {
    async fn find_missing_blobs(
        &self,
        request: Request<reapi::FindMissingBlobsRequest>,
    ) -> Result<Response<reapi::FindMissingBlobsResponse>, Status> {
        self.enter("FindMissingBlobs", &request.get_ref().instance_name, &request, false).await?;
        let mut state = self.0.lock().unwrap();
        let digests = request.into_inner().blob_digests;
        state.queries.push(digests.len());
        let is_missing = |digest: &reapi::Digest| {
            let size = u64::try_from(digest.size_bytes).unwrap();
            !state.blobs.contains_key(&digest.hash) || state.behaviour.loses.contains(&size)
        };
        let missing_blob_digests = digests.into_iter().filter(is_missing).collect();
        Ok(Response::new(reapi::FindMissingBlobsResponse { missing_blob_digests }))
    }

    async fn batch_update_blobs(
        &self,
        request: Request<reapi::BatchUpdateBlobsRequest>,
    ) -> Result<Response<reapi::BatchUpdateBlobsResponse>, Status> {
        self.enter("BatchUpdateBlobs", &request.get_ref().instance_name, &request, true).await?;
        let requests = request.into_inner().requests;
        {
            let mut state = self.0.lock().unwrap();
            state.batches.push(requests.iter().map(|request| request.data.len()).sum());
            state.compressed += requests.iter().filter(|request| request.compressor == ZSTD).count();
        }
        let mut responses = Vec::new();
        for request in requests {
            let digest = request.digest.unwrap_or_default();
            let bytes = if request.compressor == ZSTD { unpack(&request.data) } else { request.data };
            let status = self.add(&digest, bytes).err().map(|status| rpc::Status {
                code: status.code().into(),
                message: status.message().to_owned(),
                details: Vec::new(),
            });
            responses.push(reapi::batch_update_blobs_response::Response { digest: Some(digest), status });
        }
        Ok(Response::new(reapi::BatchUpdateBlobsResponse { responses }))
    }

    async fn batch_read_blobs(
        &self,
        request: Request<reapi::BatchReadBlobsRequest>,
    ) -> Result<Response<reapi::BatchReadBlobsResponse>, Status> {
        self.enter("BatchReadBlobs", &request.get_ref().instance_name, &request, false).await?;
        let request = request.into_inner();
        let compresses = request.acceptable_compressors.contains(&ZSTD);
        let mut responses = Vec::new();
        for digest in request.digests {
            let response = match self.blob(&digest.hash) {
                Some(bytes) => reapi::batch_read_blobs_response::Response {
                    digest: Some(digest),
                    data: if compresses { pack(&bytes) } else { bytes },
                    compressor: if compresses { ZSTD } else { 0 },
                    status: None,
                },
                None => reapi::batch_read_blobs_response::Response {
                    digest: Some(digest),
                    status: Some(rpc::Status { code: Code::NotFound.into(), ..rpc::Status::default() }),
                    ..Default::default()
                },
            };
            responses.push(response);
        }
        Ok(Response::new(reapi::BatchReadBlobsResponse { responses }))
    }

    type GetTreeStream = Answers<reapi::GetTreeResponse>;

    async fn get_tree(&self, _: Request<reapi::GetTreeRequest>) -> Result<Response<Self::GetTreeStream>, Status> {
        Err(Status::unimplemented("no trees"))
    }

    type GetChunkMappingStream = Answers<reapi::GetChunkMappingResponse>;

    async fn get_chunk_mapping(
        &self,
        _: Request<reapi::GetChunkMappingRequest>,
    ) -> Result<Response<Self::GetChunkMappingStream>, Status> {
        Err(Status::unimplemented("no chunks"))
    }

    async fn register_chunk_mapping(
        &self,
        _: Request<Streaming<reapi::RegisterChunkMappingRequest>>,
    ) -> Result<Response<reapi::RegisterChunkMappingResponse>, Status> {
        Err(Status::unimplemented("no chunks"))
    }

    async fn split_blob(
        &self,
        _: Request<reapi::SplitBlobRequest>,
    ) -> Result<Response<reapi::SplitBlobResponse>, Status> {
        Err(Status::unimplemented("no splitting"))
    }

    async fn splice_blob(
        &self,
        _: Request<reapi::SpliceBlobRequest>,
    ) -> Result<Response<reapi::SpliceBlobResponse>, Status> {
        Err(Status::unimplemented("no splicing"))
    }
}

type Answers<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ByteStream for Server {
    type ReadStream = Answers<ReadResponse>;

    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let instance = self.0.lock().unwrap().behaviour.instance.clone();
        self.enter("Read", &instance, &request, false).await?;
        let name = request.into_inner().resource_name;
        let hash = name.rsplit('/').nth(1).unwrap_or_default();
        let bytes = self.blob(hash).ok_or_else(|| Status::not_found("no such blob"))?;
        let bytes = if name.contains("compressed-blobs/zstd/") { pack(&bytes) } else { bytes };
        let parts: Vec<_> = bytes.chunks(1 << 20).map(|part| Ok(ReadResponse { data: part.to_vec() })).collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(parts))))
    }

    async fn write(&self, request: Request<Streaming<WriteRequest>>) -> Result<Response<WriteResponse>, Status> {
        let instance = self.0.lock().unwrap().behaviour.instance.clone();
        self.enter("Write", &instance, &request, true).await?;
        let answers_early = self.0.lock().unwrap().behaviour.answers_early;
        let mut parts = request.into_inner();
        let (mut name, mut bytes) = (String::new(), Vec::new());
        while let Some(part) = parts.next().await {
            let part = part?;
            if !part.resource_name.is_empty() {
                name = part.resource_name;
            }
            bytes.extend(part.data);
            if answers_early {
                let size = name.rsplit('/').next().and_then(|size| size.parse().ok()).unwrap_or_default();
                return Ok(Response::new(WriteResponse { committed_size: size }));
            }
        }
        let committed_size = i64::try_from(bytes.len()).unwrap();
        if name.contains("compressed-blobs/zstd/") {
            self.0.lock().unwrap().compressed += 1;
            bytes = unpack(&bytes);
        }
        let hash = name.rsplit('/').nth(1).unwrap_or_default().to_owned();
        self.add(&reapi::Digest { hash, size_bytes: 0 }, bytes)?;
        Ok(Response::new(WriteResponse { committed_size }))
    }

    async fn query_write_status(
        &self,
        _: Request<QueryWriteStatusRequest>,
    ) -> Result<Response<QueryWriteStatusResponse>, Status> {
        Err(Status::unimplemented("no status"))
    }
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn unpack(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(bytes).unwrap().read_to_end(&mut plain).unwrap();
    plain
}
