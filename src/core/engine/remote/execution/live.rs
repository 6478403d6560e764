//! What a step prints on a worker while it runs. A server that offers it names two log streams in the metadata of the operation,
//! which grow until the step ends. Whatever goes wrong here is no failure: the result contains the whole output.

use std::convert::Infallible;
use std::time::Duration;

use bazel_remote_apis::google::bytestream::ReadRequest;
use bazel_remote_apis::google::bytestream::byte_stream_client::ByteStreamClient;
use tokio::sync::watch;
use tonic::Status;

use crate::engine::remote::{Connection, reapi};
use crate::engine::{LiveOutput, OutputStream};

/// The delay before a stream is read again that cannot be read, or not yet.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// The number of times in a row that a stream is read in vain.
const RETRIES: u32 = 20;

/// The largest part that is accepted.
const MAX_PART_BYTES: usize = 16 << 20;

/// The resource names of the streams of one operation, in the order of [`OutputStream::BOTH`]. Empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StreamNames([String; 2]);

/// Where the output of an operation comes from and goes to.
#[derive(Clone, Copy)]
pub(super) struct Live<'e> {
    /// The server of the log streams.
    pub(super) server: &'e Connection,
    /// Where they are shown.
    pub(super) output: &'e LiveOutput<'e>,
}

impl StreamNames {
    /// The names in the metadata of an operation.
    pub(super) fn from_metadata(metadata: &reapi::ExecuteOperationMetadata) -> StreamNames {
        StreamNames([metadata.stdout_stream_name.clone(), metadata.stderr_stream_name.clone()])
    }

    /// Whether there is any stream.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(String::is_empty)
    }
}

impl Live<'_> {
    /// Shows the streams whose names arrive, until this is dropped. An operation that starts again has new ones.
    pub(super) async fn show(self, mut names: watch::Receiver<StreamNames>) -> Infallible {
        loop {
            self.output.restart();
            let StreamNames([stdout, stderr]) = names.borrow_and_update().clone();
            let read = async {
                tokio::join!(self.follow(OutputStream::Stdout, stdout), self.follow(OutputStream::Stderr, stderr));
                std::future::pending::<Infallible>().await
            };
            let changed = tokio::select! {
                never = read => match never {},
                changed = names.changed() => changed,
            };
            if changed.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Shows one stream until it ends or cannot be read.
    async fn follow(self, stream: OutputStream, name: String) {
        let mut failures = 0;
        while !name.is_empty() {
            let before = self.output.offset(stream);
            match self.read(stream, &name).await {
                Ok(()) => return,
                Err(_) if self.output.offset(stream) > before => failures = 0,
                Err(status) if failures >= RETRIES => {
                    tracing::debug!("the output of a running step cannot be read: {status}");
                    return;
                }
                Err(_) => failures += 1,
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    /// Reads from where the output is known. There is no time limit, since a step may print nothing for long.
    async fn read(self, stream: OutputStream, name: &str) -> Result<(), Status> {
        let service = self.server.service().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let read_offset = i64::try_from(self.output.offset(stream)).unwrap_or(i64::MAX);
        let request = ReadRequest { resource_name: name.to_owned(), read_offset, read_limit: 0 };
        let mut client = ByteStreamClient::new(service).max_decoding_message_size(MAX_PART_BYTES);
        let mut parts = client.read(request).await?.into_inner();
        while let Some(part) = parts.message().await? {
            self.output.add(stream, &part.data);
        }
        Ok(())
    }
}
