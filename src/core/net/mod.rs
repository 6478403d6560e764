//! HTTP with the user's TLS and proxy settings, retries, file listings of package indexes, and registries of images. All
//! calls block. This room neither selects nor stores files, and it names no host: callers pass every address.

mod agents;
mod client;
mod error;
mod html;
mod listing;
mod location;
mod netrc;
pub mod proxy;
mod registry;
mod resolver;
mod response;
#[cfg(any(test, feature = "testing"))]
pub mod server;

pub use client::{Client, Expected, Page, Part};
pub use error::{Error, INDEX_HINT, WRONG_BYTES_HINT};
pub use listing::{ACCEPT, FileLink, PAGE_LIMIT_BYTES, directory, listing, project_url, relocated, sha256_of};
pub use location::{bare, file_name, for_display, parse, without_credentials};
pub use registry::{Login, Logins, Registry, Stored};

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Settings of the HTTP client. The defaults use no proxy; `config` supplies the user's settings.
#[derive(Clone, Debug)]
pub struct NetworkSettings {
    /// A PEM file with all trusted certificates. Without it, the verifier of the platform is used.
    pub ca_bundle: Option<PathBuf>,
    /// The proxy for `http:` URLs.
    pub http_proxy: Option<String>,
    /// The proxy for `https:` URLs.
    pub https_proxy: Option<String>,
    /// Hosts that are reached without a proxy: `host`, `.suffix`, `*.suffix` or `*`.
    pub no_proxy: Vec<String>,
    /// The file with the user's names and passwords by host. It is read when the first request is made, and may be missing.
    pub netrc: Option<PathBuf>,
    /// The number of attempts if the errors are transient.
    pub attempts: u32,
    /// The delay before the second attempt. It doubles with each further attempt.
    pub retry_delay: Duration,
    /// The time limit for connecting.
    pub connect_timeout: Duration,
    /// The time limit for a single read, not for the whole transfer.
    pub idle_timeout: Duration,
    /// The number of bytes that clients with these settings have received, without those of parts.
    pub received_bytes: Arc<AtomicU64>,
}

impl Default for NetworkSettings {
    fn default() -> NetworkSettings {
        NetworkSettings {
            ca_bundle: None,
            http_proxy: None,
            https_proxy: None,
            no_proxy: Vec::new(),
            netrc: None,
            attempts: 4,
            retry_delay: Duration::from_millis(300),
            connect_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(60),
            received_bytes: Arc::default(),
        }
    }
}
