//! What a step prints on a worker, while it runs: a server in front of the real one names log streams, as some servers do.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2 as reapi;
use bazel_remote_apis::google::bytestream::byte_stream_server::{ByteStream, ByteStreamServer};
use bazel_remote_apis::google::bytestream::{
    QueryWriteStatusRequest, QueryWriteStatusResponse, ReadRequest, ReadResponse, WriteRequest, WriteResponse,
};
use bazel_remote_apis::google::longrunning::Operation;
use bazel_remote_apis::google::protobuf::Any;
use prost::Message;
use reapi::capabilities_client::CapabilitiesClient;
use reapi::capabilities_server::{Capabilities, CapabilitiesServer};
use reapi::execution_client::ExecutionClient;
use reapi::execution_server::{Execution, ExecutionServer};
use tokio::sync::watch;
use tonic::codegen::tokio_stream::{self, Stream, StreamExt};
use tonic::transport::Endpoint;
use tonic::{Request, Response, Status, Streaming};
use waders::action::Exit;

use super::cluster::Cluster;

/// How long an operation waits until its first line was seen.
const LIMIT: Duration = Duration::from_secs(60);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A server that passes operations on, but not before somebody has read the log stream that it names.
#[derive(Clone)]
struct Front {
    server: Endpoint,
    was_seen: watch::Sender<bool>,
    executions: Arc<AtomicUsize>,
    /// The offsets at which the log stream was read.
    offsets: Arc<Mutex<Vec<i64>>>,
}

impl Front {
    /// Starts a server in front of one at `grpc://…`. Returns its address.
    fn start(cluster: &Cluster) -> (Front, String) {
        let server = cluster.server.as_ref().unwrap().address().replace("grpc://", "http://");
        let front = Front {
            server: Endpoint::from_shared(server).unwrap(),
            was_seen: watch::Sender::new(false),
            executions: Arc::default(),
            offsets: Arc::default(),
        };
        let listener = cluster.runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let serving = tonic::transport::Server::builder()
            .add_service(CapabilitiesServer::new(front.clone()))
            .add_service(ExecutionServer::new(front.clone()))
            .add_service(ByteStreamServer::new(front.clone()))
            .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener));
        cluster.runtime.spawn(serving);
        (front, format!("grpc://{address}"))
    }

    /// A running operation with a log stream.
    fn running() -> Operation {
        let metadata = reapi::ExecuteOperationMetadata {
            stage: reapi::execution_stage::Value::Executing.into(),
            stdout_stream_name: "logs/stdout".to_owned(),
            ..Default::default()
        };
        let metadata = Any { type_url: String::new(), value: metadata.encode_to_vec() };
        Operation { name: "operation".to_owned(), metadata: Some(metadata), ..Operation::default() }
    }
}

#[tonic::async_trait]
impl Capabilities for Front {
    async fn get_capabilities(
        &self,
        request: Request<reapi::GetCapabilitiesRequest>,
    ) -> Result<Response<reapi::ServerCapabilities>, Status> {
        CapabilitiesClient::new(self.server.connect_lazy()).get_capabilities(request.into_inner()).await
    }
}

#[tonic::async_trait]
impl Execution for Front {
    type ExecuteStream = Answers<Operation>;
    type WaitExecutionStream = Answers<Operation>;

    /// The first action, which is the trial of the workers, is passed on at once.
    async fn execute(&self, request: Request<reapi::ExecuteRequest>) -> Result<Response<Self::ExecuteStream>, Status> {
        let is_trial = self.executions.fetch_add(1, Ordering::SeqCst) == 0;
        let (server, mut was_seen) = (self.server.connect_lazy(), self.was_seen.subscribe());
        let (sender, operations) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            if !is_trial {
                sender.send(Ok(Front::running())).await.unwrap();
                if tokio::time::timeout(LIMIT, was_seen.wait_for(|seen| *seen)).await.is_err() {
                    let _ = sender.send(Err(Status::invalid_argument("nobody saw the first line"))).await;
                    return;
                }
            }
            let mut passed = ExecutionClient::new(server).execute(request.into_inner()).await.unwrap().into_inner();
            while let Some(operation) = passed.next().await {
                if sender.send(operation).await.is_err() {
                    return;
                }
            }
        });
        let operations = tokio_stream::wrappers::ReceiverStream::new(operations);
        Ok(Response::new(Box::pin(operations)))
    }

    async fn wait_execution(
        &self,
        _: Request<reapi::WaitExecutionRequest>,
    ) -> Result<Response<Self::WaitExecutionStream>, Status> {
        Err(Status::unimplemented("nothing is lost here"))
    }
}

#[tonic::async_trait]
impl ByteStream for Front {
    type ReadStream = Answers<ReadResponse>;

    /// The first read breaks within a line. The second one goes on, and stays open as that of a running step.
    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let ReadRequest { resource_name, read_offset, .. } = request.into_inner();
        assert_eq!(resource_name, "logs/stdout");
        self.offsets.lock().unwrap().push(read_offset);
        let part = |text: &str| ReadResponse { data: text.as_bytes().to_vec() };
        if read_offset == 0 {
            let broken = [Ok(part("fir")), Err(Status::unavailable("the server restarts"))];
            return Ok(Response::new(Box::pin(tokio_stream::iter(broken))));
        }
        let open = tokio_stream::iter([Ok(part("st\nsec"))]).chain(tokio_stream::pending());
        Ok(Response::new(Box::pin(open)))
    }

    async fn write(&self, _: Request<Streaming<WriteRequest>>) -> Result<Response<WriteResponse>, Status> {
        Err(Status::unimplemented("contents are stored elsewhere"))
    }

    async fn query_write_status(
        &self,
        _: Request<QueryWriteStatusRequest>,
    ) -> Result<Response<QueryWriteStatusResponse>, Status> {
        Err(Status::unimplemented("no status"))
    }
}

#[test]
fn lines_are_shown_while_the_step_runs_and_each_only_once() {
    let Some(mut cluster) = Cluster::start() else { return };
    let (front, address) = Front::start(&cluster);
    cluster.execute_through(&address);
    let (sender, lines) = channel();
    let (seen, first_line) = channel();
    cluster.lines = Some(sender);
    let was_seen = front.was_seen.clone();
    std::thread::spawn(move || {
        seen.send(lines.recv_timeout(LIMIT)).unwrap();
        was_seen.send_replace(true);
        seen.send(Ok(lines.iter().collect::<Vec<_>>().join("\n"))).unwrap();
    });
    assert_eq!(cluster.output("echo first; echo second; echo third", false), "first\nsecond\nthird\n");
    assert_eq!(*front.offsets.lock().unwrap(), [0, 3]);
    cluster.lines = None;
    assert_eq!(first_line.recv().unwrap().as_deref(), Ok("first"));
    assert_eq!(first_line.recv().unwrap().as_deref(), Ok("second\nthird"));
}

#[test]
fn a_server_without_log_streams_shows_lines_when_the_step_has_ended() {
    let Some(mut cluster) = Cluster::start() else { return };
    let (sender, lines) = channel();
    cluster.lines = Some(sender);
    let (_, outcome) = cluster.run("echo one; echo two >&2; exit 3", false, |_| {}).unwrap();
    assert_eq!(outcome.exit, Exit::Code(3));
    assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["one", "two"]);
}
