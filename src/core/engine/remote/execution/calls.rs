//! The execution service of a server: starts an operation, follows it over lost connections, and cancels it. Time limits count
//! the time in which nothing advances, never that of a run that takes its turn.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bazel_remote_apis::google::longrunning::operations_client::OperationsClient;
use bazel_remote_apis::google::longrunning::{CancelOperationRequest, Operation, operation};
use prost::Message;
use tokio::sync::watch;
use tonic::{Code, Status, Streaming};

use crate::engine::remote::error::is_lost;
use crate::engine::remote::execution::live::{Live, StreamNames};
use crate::engine::remote::reapi::execution_client::ExecutionClient;
use crate::engine::remote::{Connection, Error, RemoteDigest, reapi};
use crate::engine::{CancelLevel, Cancellation};

/// The number of times that a lost stream is resumed without progress in between.
const RESUMES: u32 = 5;

/// The delay before a lost stream is resumed for the first time. It doubles each time.
const RESUME_DELAY: Duration = Duration::from_millis(200);

/// The time limit for cancelling an operation, after which the run goes on.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(3);

/// When a step of this run last started or ended on a worker. While that happens, a step in the queue takes its turn.
pub(super) struct Progress(Mutex<Instant>);

impl Progress {
    /// Progress now.
    pub(super) fn new() -> Progress {
        Progress(Mutex::new(now()))
    }

    fn advance(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An action to execute.
#[derive(Clone, Copy)]
pub(super) struct Execute<'e> {
    /// The action, which the server has.
    pub(super) action: RemoteDigest,
    /// Whether the server may answer with the result of an earlier execution.
    pub(super) reuse: bool,
    /// A smaller number is more urgent.
    pub(super) priority: i32,
    /// How long it may wait in the queue while no step of this run makes progress.
    pub(super) max_queue: Duration,
    /// The progress of all steps of this run.
    pub(super) progress: &'e Progress,
    /// How long a worker may take.
    pub(super) max_run: Duration,
    /// Where what the step prints is shown while it runs.
    pub(super) live: Option<Live<'e>>,
}

/// Why an operation has no response.
#[derive(Debug)]
pub(super) enum Failure {
    /// The user stopped the run. The operation was cancelled.
    Interrupted,
    /// No worker took the action in time. The operation was cancelled.
    Queued(Duration),
    /// A worker took too long. The operation was cancelled.
    TooSlow(Duration),
    /// The server answered with an error.
    Remote(Error),
}

/// An operation that the server carries out.
#[derive(Default)]
struct Following {
    /// Its name, once the server has reported it.
    name: Option<String>,
    stage: Stage,
    /// The number of resumes since the last message.
    resumes: u32,
    /// The names of its log streams.
    streams: watch::Sender<StreamNames>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Queued,
    Executing,
}

impl Connection {
    /// Executes an action and waits for its end. The response can have a status that is not OK.
    pub(super) async fn execute(
        &self,
        execute: &Execute<'_>,
        cancellation: &Cancellation,
    ) -> Result<reapi::ExecuteResponse, Failure> {
        let mut following = Following::default();
        let names = following.streams.subscribe();
        let result = tokio::select! {
            result = self.follow(execute, &mut following, cancellation) => result,
            never = show(execute.live, names) => match never {},
        };
        if let (Err(Failure::Interrupted | Failure::Queued(_) | Failure::TooSlow(_)), Some(name)) =
            (&result, following.name)
        {
            self.cancel(name).await;
        }
        result
    }

    async fn follow(
        &self,
        execute: &Execute<'_>,
        following: &mut Following,
        cancellation: &Cancellation,
    ) -> Result<reapi::ExecuteResponse, Failure> {
        let mut entered = now();
        loop {
            let opened = tokio::select! {
                opened = self.open(execute, following) => opened,
                _ = cancellation.exceeds(CancelLevel::None) => return Err(Failure::Interrupted),
            };
            let mut lost = match opened {
                Ok(mut stream) => loop {
                    let (limit, since) = match following.stage {
                        Stage::Queued => (execute.max_queue, entered.max(execute.progress.last())),
                        Stage::Executing => (execute.max_run, entered),
                    };
                    let message = tokio::select! {
                        message = stream.message() => message,
                        _ = cancellation.exceeds(CancelLevel::None) => return Err(Failure::Interrupted),
                        () = tokio::time::sleep(limit.saturating_sub(since.elapsed())) => match following.stage {
                            Stage::Queued if execute.progress.last() > since => continue,
                            Stage::Queued => return Err(Failure::Queued(limit)),
                            Stage::Executing => return Err(Failure::TooSlow(limit)),
                        }
                    };
                    match message {
                        Ok(Some(operation)) => {
                            let before = following.stage;
                            let response = self.advance(following, operation)?;
                            if response.is_some() || following.stage != before {
                                execute.progress.advance();
                                entered = now();
                            }
                            if let Some(response) = response {
                                return Ok(response);
                            }
                        }
                        Ok(None) => break Status::unavailable("the server ended the stream before the operation"),
                        Err(status) => break status,
                    }
                },
                Err(status) => status,
            };
            if following.name.is_some() && lost.code() == Code::NotFound {
                // The server was restarted and forgot the operation, which is therefore started again.
                (following.name, following.stage) = (None, Stage::Queued);
                lost = Status::unavailable(lost.message());
            }
            following.resumes += 1;
            if !is_lost(&lost) || following.resumes > RESUMES {
                return Err(Failure::Remote(Error::from_status(&self.address(), "Execute", &lost)));
            }
            tracing::debug!("the stream of an operation was lost, and is resumed: {lost}");
            let delay = RESUME_DELAY * 2_u32.saturating_pow(following.resumes - 1);
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = cancellation.exceeds(CancelLevel::None) => return Err(Failure::Interrupted),
            }
        }
    }

    /// Starts the operation, or follows it further after its stream was lost.
    async fn open(&self, execute: &Execute<'_>, following: &Following) -> Result<Streaming<Operation>, Status> {
        let service = self.service().await.map_err(|error| Status::failed_precondition(error.to_string()))?;
        let mut client = ExecutionClient::new(service);
        if let Some(name) = &following.name {
            let request = reapi::WaitExecutionRequest { name: name.clone() };
            return client.wait_execution(request).await.map(tonic::Response::into_inner);
        }
        let function = self.capabilities().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let policy = reapi::ExecutionPolicy { priority: execute.priority };
        let request = reapi::ExecuteRequest {
            instance_name: self.instance_name(),
            skip_cache_lookup: !execute.reuse,
            action_digest: Some(execute.action.to_message()),
            execution_policy: (execute.priority != 0).then_some(policy),
            digest_function: function.digest_function.number(),
            ..reapi::ExecuteRequest::default()
        };
        client.execute(request).await.map(tonic::Response::into_inner)
    }

    /// Takes a message about an operation. Returns the response if the operation has ended.
    fn advance(
        &self,
        following: &mut Following,
        operation: Operation,
    ) -> Result<Option<reapi::ExecuteResponse>, Failure> {
        following.resumes = 0;
        following.name = Some(operation.name);
        let metadata = operation.metadata.as_ref();
        let metadata = metadata.and_then(|any| reapi::ExecuteOperationMetadata::decode(&any.value[..]).ok());
        if let Some(metadata) = metadata {
            let streams = StreamNames::from_metadata(&metadata);
            following.streams.send_if_modified(|known| {
                let is_new = !streams.is_empty() && *known != streams;
                if is_new {
                    *known = streams;
                }
                is_new
            });
            if metadata.stage() == reapi::execution_stage::Value::Executing {
                following.stage = Stage::Executing;
            }
        }
        if !operation.done {
            return Ok(None);
        }
        let unusable = |why: String| Failure::Remote(Error::Result { address: self.address(), why });
        match operation.result {
            Some(operation::Result::Response(any)) => match reapi::ExecuteResponse::decode(&any.value[..]) {
                Ok(response) => Ok(Some(response)),
                Err(error) => Err(unusable(format!("a malformed response: {error}"))),
            },
            Some(operation::Result::Error(status)) => {
                let status = Status::new(Code::from(status.code), status.message);
                Err(Failure::Remote(Error::from_status(&self.address(), "Execute", &status)))
            }
            None => Err(unusable("an operation that ended without a response".to_owned())),
        }
    }

    /// Cancels an operation, so that nothing of it goes on. A server that cannot is left alone.
    async fn cancel(&self, name: String) {
        let cancel = async {
            let service = self.service().await.map_err(|error| Status::unavailable(error.to_string()))?;
            OperationsClient::new(service).cancel_operation(CancelOperationRequest { name }).await
        };
        match tokio::time::timeout(CANCEL_TIMEOUT, cancel).await {
            Ok(Ok(_)) => {}
            Ok(Err(status)) => tracing::debug!("the server did not cancel an operation: {status}"),
            Err(_) => tracing::debug!("the server did not cancel an operation in time"),
        }
    }
}

/// Shows what a step prints, if anybody wants to see it, until this is dropped.
async fn show(live: Option<Live<'_>>, names: watch::Receiver<StreamNames>) -> Infallible {
    match live {
        Some(live) => live.show(names).await,
        None => std::future::pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "time limits of remote operations")]
fn now() -> Instant {
    Instant::now()
}
