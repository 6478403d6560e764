//! How a server is reached. Where the values come from is decided in `config` and `session`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How a server is reached.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// `grpc://host:port`, or `grpcs://host:port` for TLS.
    pub address: String,
    /// The instance of the server; empty if the server has only one.
    pub instance_name: String,
    /// Sent with each call.
    pub headers: Secret<BTreeMap<String, String>>,
    /// A PEM file with all trusted certificates. Without it, those of the platform are used.
    pub ca_certs: Option<PathBuf>,
    /// PEM files with the certificate and the private key that identify this machine.
    pub client_identity: Option<(PathBuf, PathBuf)>,
    /// The token that authorizes this machine.
    pub token: Option<Token>,
    /// The time limit for an answer, and for each part of a transfer, in which the connection makes no progress. Waiting for other
    /// calls does not count.
    pub timeout: Duration,
    /// The number of further attempts after a transient failure.
    pub retries: u32,
    /// The number of concurrent calls.
    pub concurrency: usize,
    /// The size of the parts in which large contents are sent.
    pub chunk_bytes: usize,
    /// Contents above this size are transferred alone, as a stream.
    pub batch_bytes: u64,
}

impl RemoteSettings {
    /// The defaults, which are those of Pants.
    pub fn new(address: &str) -> RemoteSettings {
        RemoteSettings {
            address: address.to_owned(),
            instance_name: String::new(),
            headers: Secret(BTreeMap::new()),
            ca_certs: None,
            client_identity: None,
            token: None,
            timeout: Duration::from_secs(30),
            retries: 2,
            concurrency: 128,
            chunk_bytes: 1 << 20,
            batch_bytes: 4 << 20,
        }
    }
}

/// A bearer token.
#[derive(Clone, Debug)]
pub enum Token {
    /// The token itself.
    Text(Secret<String>),
    /// A file with the token. It is read again whenever it changes.
    File(PathBuf),
}

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(pub T);

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(secret)")
    }
}
