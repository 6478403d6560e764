//! Transfers of single blobs as streams. A transfer has no time limit as a whole; each of its parts has.

use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bazel_remote_apis::google::bytestream::byte_stream_client::ByteStreamClient;
use bazel_remote_apis::google::bytestream::{ReadRequest, WriteRequest};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress};
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::StreamExt;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use crate::engine::remote::cas::Content;
use crate::engine::remote::connection::{RETRY_DELAY, invocation_id};
use crate::engine::remote::error::is_lost;
use crate::engine::remote::{Connection, Error, RemoteDigest, Service};
use crate::store::Store;

/// The number of parts that are in memory for one transfer.
const PARTS: usize = 4;

/// The largest part that is accepted.
const MAX_PART_BYTES: usize = 16 << 20;

/// The bytes of a blob as they arrive.
pub(super) struct Arriving {
    parts: mpsc::Receiver<Vec<u8>>,
    current: Cursor<Vec<u8>>,
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.current.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            match self.parts.blocking_recv() {
                // The sender marks the end, so that an aborted transfer is not taken for a complete one.
                Some(part) if part.is_empty() => return Ok(0),
                Some(part) => self.current = Cursor::new(part),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }
}

/// What a transfer needs besides the connection.
#[derive(Clone, Copy)]
struct Resource {
    digest: RemoteDigest,
    compressed: bool,
}

impl Connection {
    /// Passes the bytes of a blob to `consume`, on another thread. The bytes are not verified. `None` if the server does not
    /// have the blob.
    pub(super) async fn read_stream<T: Send + 'static>(
        &self,
        digest: RemoteDigest,
        consume: impl Fn(&mut dyn Read) -> io::Result<T> + Clone + Send + 'static,
    ) -> Result<Option<io::Result<T>>, Error> {
        let compressed = self.capabilities().await?.zstd;
        let resource = Resource { digest, compressed };
        let name = self.resource_name("", resource).await?;
        let call = |service| {
            let (name, consume) = (name.clone(), consume.clone());
            async move {
                let (sender, parts) = mpsc::channel(PARTS);
                let consumer = tokio::task::spawn_blocking(move || {
                    let arriving = Arriving { parts, current: Cursor::default() };
                    consume_exactly(arriving, resource, &consume)
                });
                let received = self.receive_all(service, name, resource, &sender).await;
                drop(sender);
                let consumed = consumer.await.map_err(|panic| Status::aborted(panic.to_string()))?;
                match received {
                    // What could not be stored is no failure of the server.
                    Ok(()) => Ok(Some(consumed)),
                    Err(status) if status.code() == Code::NotFound => Ok(None),
                    Err(status) => Err(status),
                }
            }
        };
        self.call_unlimited("Read", call).await
    }

    /// Receives all bytes. After an interruption, the rest is read. An attempt that received something is not counted.
    async fn receive_all(
        &self,
        service: Service,
        name: String,
        resource: Resource,
        parts: &mpsc::Sender<Vec<u8>>,
    ) -> Result<(), Status> {
        let (mut offset, mut failures) = (0, 0);
        loop {
            let before = offset;
            match self.receive(service.clone(), name.clone(), &mut offset, parts).await {
                // Offsets of a compressed stream count the bytes before compression.
                Err(status) if offset > 0 && !resource.compressed && is_lost(&status) => {
                    failures = if offset > before { 0 } else { failures + 1 };
                    if failures > self.settings().retries {
                        return Err(status);
                    }
                    tracing::debug!(offset, %status, "a download was interrupted, and is resumed");
                    tokio::time::sleep(RETRY_DELAY * 2_u32.saturating_pow(failures)).await;
                }
                received => return received,
            }
        }
    }

    /// Receives the bytes from `offset` on, and counts them there.
    async fn receive(
        &self,
        service: Service,
        name: String,
        offset: &mut i64,
        parts: &mpsc::Sender<Vec<u8>>,
    ) -> Result<(), Status> {
        let request = ReadRequest { resource_name: name, read_offset: *offset, read_limit: 0 };
        let mut client = ByteStreamClient::new(service).max_decoding_message_size(MAX_PART_BYTES);
        let mut stream = self.in_time(client.read(request)).await?.into_inner();
        while let Some(part) = self.in_time(stream.message()).await? {
            self.traffic.received_bytes.fetch_add(part.data.len() as u64, Ordering::Relaxed);
            *offset += i64::try_from(part.data.len()).unwrap_or(i64::MAX);
            // Where nobody receives, the consumer has failed, or has all that it wants: its result says which.
            if !part.data.is_empty() && parts.send(part.data).await.is_err() {
                return Ok(());
            }
        }
        let _ = parts.send(Vec::new()).await;
        Ok(())
    }

    /// Stores a blob. The server may answer before it has all bytes, because it has the blob already.
    pub(super) async fn write_stream(
        &self,
        store: &Arc<Store>,
        digest: RemoteDigest,
        content: &Content,
    ) -> Result<(), Error> {
        let resource = Resource { digest, compressed: self.capabilities().await?.zstd };
        let call = |service| {
            let (store, content) = (store.clone(), content.clone());
            async move {
                let name = self.resource_name(&format!("uploads/{}/", invocation_id()), resource).await;
                let name = name.map_err(|error| Status::aborted(error.to_string()))?;
                let (sender, parts) = mpsc::channel(PARTS);
                let chunk_bytes = self.settings().chunk_bytes;
                let feeder =
                    tokio::task::spawn_blocking(move || feed(&store, &content, resource, name, chunk_bytes, sender));
                let written = self.send(service, parts, digest).await;
                // The feeder stops as soon as nobody receives.
                let fed = feeder.await.map_err(|panic| Status::aborted(panic.to_string()))?;
                match (written, fed) {
                    (Err(_), Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Ok(Err(error)),
                    (written, _) => written.map(Ok),
                }
            }
        };
        match self.call_unlimited("Write", call).await? {
            Ok(()) => Ok(()),
            Err(error) => Err(Error::Content { digest, why: error.to_string() }),
        }
    }

    async fn send(
        &self,
        service: Service,
        parts: mpsc::Receiver<WriteRequest>,
        digest: RemoteDigest,
    ) -> Result<(), Status> {
        let sent = Arc::new(AtomicU64::new(0));
        let counter = sent.clone();
        let stream = ReceiverStream::new(parts).map(move |part: WriteRequest| {
            counter.fetch_add(part.data.len() as u64, Ordering::Relaxed);
            part
        });
        let mut client = ByteStreamClient::new(service);
        let committed = self.in_time(client.write(stream)).await?.into_inner().committed_size;
        let sent = sent.load(Ordering::Relaxed);
        self.traffic.sent_bytes.fetch_add(sent, Ordering::Relaxed);
        // -1 means that a compressed blob exists already. Some servers count the bytes as sent, others as stored.
        let committed = u64::try_from(committed).unwrap_or(digest.size_bytes);
        match committed {
            0 if digest.size_bytes > 0 => Err(Status::aborted("the server committed no byte")),
            _ => Ok(()),
        }
    }

    async fn resource_name(&self, prefix: &str, resource: Resource) -> Result<String, Error> {
        let function = self.capabilities().await?.digest_function.resource_part();
        let kind = if resource.compressed { "compressed-blobs/zstd" } else { "blobs" };
        let instance = match self.settings().instance_name.as_str() {
            "" => String::new(),
            name => format!("{name}/"),
        };
        Ok(format!("{instance}{prefix}{kind}/{function}{}", resource.digest))
    }
}

/// Consumes the bytes of a blob, decompressed, and not more than it has.
fn consume_exactly<T>(
    arriving: Arriving,
    resource: Resource,
    consume: &dyn Fn(&mut dyn Read) -> io::Result<T>,
) -> io::Result<T> {
    let most = resource.digest.size_bytes.saturating_add(1);
    if !resource.compressed {
        return consume(&mut arriving.take(most));
    }
    let decoder = StreamingDecoder::new(arriving).map_err(io::Error::other)?;
    consume(&mut decoder.take(most))
}

/// Sends the parts of a content into the channel.
fn feed(
    store: &Store,
    content: &Content,
    resource: Resource,
    name: String,
    chunk_bytes: usize,
    parts: mpsc::Sender<WriteRequest>,
) -> io::Result<()> {
    let mut reader: Box<dyn Read> = match content {
        Content::Bytes(bytes) => Box::new(Cursor::new(bytes.clone())),
        Content::Blob(blob) => Box::new(store.open_blob(*blob).map_err(io::Error::other)?),
    };
    let mut out = Parts { parts, name, offset: 0, buffer: Vec::new(), chunk_bytes: chunk_bytes.max(1024) };
    if resource.compressed {
        compress(reader, &mut out, CompressionLevel::Fastest);
    } else {
        io::copy(&mut reader, &mut out)?;
    }
    out.finish()
}

/// Cuts bytes into requests.
struct Parts {
    parts: mpsc::Sender<WriteRequest>,
    /// Sent with the first request only.
    name: String,
    offset: i64,
    buffer: Vec<u8>,
    chunk_bytes: usize,
}

impl Parts {
    fn send(&mut self, finish_write: bool) -> io::Result<()> {
        let data = std::mem::take(&mut self.buffer);
        let length = i64::try_from(data.len()).map_err(io::Error::other)?;
        let resource_name = std::mem::take(&mut self.name);
        let request = WriteRequest { resource_name, write_offset: self.offset, finish_write, data };
        self.offset += length;
        self.parts.blocking_send(request).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn finish(mut self) -> io::Result<()> {
        self.send(true)
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.parts.is_closed() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = self.chunk_bytes - self.buffer.len();
        let count = room.min(bytes.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == self.chunk_bytes {
            self.send(false)?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
