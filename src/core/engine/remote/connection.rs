//! The connection to one server: it is made at the first call, calls are repeated after transient failures, and after a lasting
//! failure no further call is made in this run.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};

use crate::base::error_chain;
use crate::engine::remote::error::is_transient;
use crate::engine::remote::headers::Headers;
use crate::engine::remote::socket::{Connector, Moved};
use crate::engine::remote::transfer::InFlight;
use crate::engine::remote::{Capabilities, Error, RemoteSettings, reapi};
use crate::net;

/// The time limit for making a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The interval of pings while a call waits. Servers close the connection of a client that sends them more often than every 5
/// minutes; in between, the kernel probes the connection: see `socket`.
const PING_INTERVAL: Duration = Duration::from_secs(310);

/// The time limit for the answer to a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that moves fewer bytes than this within the time limit for an answer makes no progress. Pings alone move less.
const PROGRESS_BYTES: u64 = 16 << 10;

/// The number of time limits after which a call without an answer fails although the connection makes progress.
const MAX_LIMITS: u32 = 20;

/// What may be in flight on one stream, and on the connection. The defaults of HTTP/2 (64 KB) limit transfers to 1.3 MB/s at 50 ms.
const WINDOW_BYTES: [u32; 2] = [4 << 20, 16 << 20];

/// The delay before the second attempt. It doubles with each further attempt.
pub(super) const RETRY_DELAY: Duration = Duration::from_millis(100);

/// After this number of failed calls without a successful one in between, the server is not used any more.
const MAX_FAILURES: u32 = 20;

/// The number of concurrent transfers, each of which has a batch or a few parts of a stream in memory.
const MAX_TRANSFERS: usize = 16;

/// What carries the calls of a client of any service of the API.
pub type Service = InterceptedService<Channel, Headers>;

/// The connection to one server. It can be shared by any number of tasks of one runtime.
pub struct Connection {
    settings: RemoteSettings,
    headers: OnceCell<Headers>,
    channel: OnceCell<Channel>,
    capabilities: OnceCell<Capabilities>,
    permits: Semaphore,
    /// Limits the transfers whose bytes are in memory.
    pub(super) transfers: Semaphore,
    pub(super) in_flight: InFlight,
    moved: Moved,
    state: Mutex<State>,
    /// What was transferred.
    pub traffic: Traffic,
}

/// What was transferred.
#[derive(Debug, Default)]
pub struct Traffic {
    /// The bytes of contents and results that were received.
    pub received_bytes: AtomicU64,
    /// The bytes of contents and results that were sent.
    pub sent_bytes: AtomicU64,
    /// The number of calls.
    pub calls: AtomicU64,
}

/// The failures so far.
#[derive(Default)]
struct State {
    /// Since the last successful call.
    failures: u32,
    /// Why the server is not used any more.
    off: Option<Error>,
}

impl Connection {
    /// Nothing is connected yet, and no file of the settings is read.
    pub fn new(settings: RemoteSettings) -> Connection {
        Connection {
            permits: Semaphore::new(settings.concurrency.max(1)),
            transfers: Semaphore::new(MAX_TRANSFERS),
            in_flight: InFlight::default(),
            moved: Moved::default(),
            headers: OnceCell::new(),
            channel: OnceCell::new(),
            capabilities: OnceCell::new(),
            state: Mutex::default(),
            traffic: Traffic::default(),
            settings,
        }
    }

    /// The address without credentials, for messages.
    pub fn address(&self) -> String {
        net::without_credentials(&self.settings.address)
    }

    /// The settings.
    pub fn settings(&self) -> &RemoteSettings {
        &self.settings
    }

    /// The instance of the server.
    pub fn instance_name(&self) -> String {
        self.settings.instance_name.clone()
    }

    /// Whether the connection was used.
    pub fn is_connected(&self) -> bool {
        self.channel.initialized()
    }

    /// Why the server is not used any more in this run, if it is not.
    pub fn failure(&self) -> Option<Error> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).off.clone()
    }

    /// Uses the server no more in this run. The first reason is kept.
    pub fn switch_off(&self, why: Error) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.off.get_or_insert(why);
    }

    /// What the server supports. The first call asks the server.
    pub async fn capabilities(&self) -> Result<&Capabilities, Error> {
        self.capabilities
            .get_or_try_init(|| async {
                let request = reapi::GetCapabilitiesRequest { instance_name: self.instance_name() };
                let call = |service| {
                    let request = request.clone();
                    async move {
                        let mut client = reapi::capabilities_client::CapabilitiesClient::new(service);
                        Ok(client.get_capabilities(request).await?.into_inner())
                    }
                };
                let message = self.call("GetCapabilities", call).await?;
                Capabilities::new(self, message).inspect_err(|error| self.switch_off(error.clone()))
            })
            .await
    }

    /// Makes a call, with a time limit for the answer to each attempt, and repeats it after transient failures. `attempt` gets what
    /// carries the call.
    pub async fn call<T, A>(&self, name: &'static str, attempt: impl Fn(Service) -> A) -> Result<T, Error>
    where
        A: Future<Output = Result<T, Status>>,
    {
        self.call_unlimited(name, |service| self.in_time(attempt(service))).await
    }

    /// Waits for an answer as long as the connection makes progress: on a slow one, a call waits for the bytes of others.
    pub(super) async fn in_time<T>(&self, answer: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let limit = self.settings.timeout;
        let mut answer = std::pin::pin!(answer);
        for _ in 0..MAX_LIMITS {
            let before = self.moved.bytes();
            match tokio::time::timeout(limit, &mut answer).await {
                Ok(answer) => return answer,
                Err(_) if self.moved.bytes() - before < PROGRESS_BYTES => break,
                Err(_) => {}
            }
        }
        Err(Status::deadline_exceeded(format!("no answer within {} s", limit.as_secs_f64())))
    }

    /// Like `call`, for calls that limit the time of each part of a transfer by themselves.
    pub(super) async fn call_unlimited<T, A>(
        &self,
        name: &'static str,
        attempt: impl Fn(Service) -> A,
    ) -> Result<T, Error>
    where
        A: Future<Output = Result<T, Status>>,
    {
        let mut repeated = 0;
        let mut has_new_token = false;
        loop {
            let permit = self.permits.acquire().await.expect("the semaphore is never closed");
            if self.failure().is_some() {
                return Err(Error::Off { address: self.address() });
            }
            let service = self.service().await.inspect_err(|error| self.switch_off(error.clone()))?;
            self.traffic.calls.fetch_add(1, Ordering::Relaxed);
            let answer = attempt(service).await;
            drop(permit);
            let status = match answer {
                Ok(answer) => {
                    self.state.lock().unwrap_or_else(PoisonError::into_inner).failures = 0;
                    return Ok(answer);
                }
                Err(status) => status,
            };
            if status.code() == Code::Unauthenticated && !has_new_token {
                has_new_token = true;
                self.headers.get().inspect(|headers| headers.forget_token());
            } else if repeated < self.settings.retries && is_transient(&status) {
                tracing::debug!(call = name, %status, "remote call failed, and is repeated");
                tokio::time::sleep(RETRY_DELAY * 2_u32.saturating_pow(repeated)).await;
                repeated += 1;
            } else {
                return Err(self.failed(name, &status));
            }
        }
    }

    /// The error for a call. Lasting failures end the use of the server, except for writes that are refused.
    fn failed(&self, name: &'static str, status: &Status) -> Error {
        let error = Error::from_status(&self.address(), name, status);
        if matches!(status.code(), Code::NotFound) {
            return error;
        }
        tracing::debug!(call = name, "remote call failed: {error}");
        let is_refused_write = error.is_refused_write();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures += 1;
        if (error.is_lasting() && !is_refused_write) || state.failures >= MAX_FAILURES {
            state.off.get_or_insert(error.clone());
        }
        error
    }

    /// What carries the calls of any client of the API.
    pub async fn service(&self) -> Result<Service, Error> {
        let refuse = |why| Error::Setting { address: self.address(), why };
        let headers =
            self.headers.get_or_try_init(|| async { Headers::new(&self.settings, &invocation_id()).map_err(refuse) });
        let headers = headers.await?.clone();
        headers.authorization().map_err(refuse)?;
        let channel = self.channel.get_or_try_init(|| async { self.connect().map_err(refuse) }).await?;
        Ok(InterceptedService::new(channel.clone(), headers))
    }

    /// A channel that connects at the first call, and again after the connection was lost.
    fn connect(&self) -> Result<Channel, String> {
        let settings = &self.settings;
        let (uri, is_secure) = uri(&settings.address)?;
        let endpoint = Endpoint::from_shared(uri).map_err(|error| error.to_string())?;
        let mut endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT.min(settings.timeout))
            .http2_keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .initial_stream_window_size(WINDOW_BYTES[0])
            .initial_connection_window_size(WINDOW_BYTES[1])
            .user_agent(concat!("waders/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| error.to_string())?;
        if is_secure {
            endpoint = endpoint.tls_config(self.tls()?).map_err(|error| error_chain(&error))?;
        }
        Ok(endpoint.connect_with_connector_lazy(Connector { moved: self.moved.clone() }))
    }

    fn tls(&self) -> Result<ClientTlsConfig, String> {
        let config = match &self.settings.ca_certs {
            Some(path) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem(path, CERTIFICATE)?)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        Ok(match &self.settings.client_identity {
            Some((certificate, key)) => {
                config.identity(Identity::from_pem(pem(certificate, CERTIFICATE)?, pem(key, PRIVATE_KEY)?))
            }
            None => config,
        })
    }
}

/// What a PEM file must contain: a word of its header, and the name for messages.
const CERTIFICATE: (&str, &str) = ("CERTIFICATE-----", "certificate");
const PRIVATE_KEY: (&str, &str) = ("PRIVATE KEY-----", "private key");

/// A PEM file.
fn pem(path: &Path, (header, name): (&str, &str)) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    match String::from_utf8_lossy(&bytes).contains(header) {
        true => Ok(bytes),
        false => Err(format!("`{}` contains no {name} in PEM format", path.display())),
    }
}

/// The URI for an address, and whether the connection uses TLS.
fn uri(address: &str) -> Result<(String, bool), String> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let secure = match scheme {
        "grpc" | "http" => false,
        "grpcs" | "https" => true,
        _ => return Err("an address must begin with `grpc://` or `grpcs://`".to_owned()),
    };
    let host = rest.trim_end_matches('/');
    if host.is_empty() {
        return Err("the address has no host".to_owned());
    }
    // The colons of an IPv6 address are in brackets.
    if let Some((_, port)) = host.rsplit_once(':')
        && !port.ends_with(']')
        && port.parse::<u16>().is_err()
    {
        return Err(format!("`{port}` is not a port"));
    }
    Ok((format!("{}://{rest}", if secure { "https" } else { "http" }), secure))
}

/// A random number for this run, in the form of a UUID.
pub(super) fn invocation_id() -> String {
    let mut bytes = [0_u8; 16];
    // Without randomness the identifier is less useful in the logs of the server, and no less correct.
    let _ = getrandom::getrandom(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_scheme_and_a_host() {
        assert_eq!(uri("grpc://example.invalid:50051"), Ok(("http://example.invalid:50051".to_owned(), false)));
        assert_eq!(uri("grpcs://example.invalid"), Ok(("https://example.invalid".to_owned(), true)));
        assert!(uri("example.invalid:50051").is_err());
        assert!(uri("ftp://example.invalid").is_err());
        assert!(uri("grpc://").is_err());
        assert_eq!(uri("grpc://example.invalid:port"), Err("`port` is not a port".to_owned()));
        assert!(uri("grpc://[::1]").is_ok() && uri("grpc://[::1]:50051").is_ok() && uri("grpc://[::1]:").is_err());
    }
}
