//! HTTP with the user's own TLS, proxy and index settings, retries, and listings of files. Blocking: callers own threads.
//! It knows neither what it fetches nor where that is kept, and no host is named here: every address comes in.

mod answer;
mod client;
mod error;
mod html;
mod listing;
mod location;
#[cfg(test)]
pub mod server;

pub use client::{Client, Expected, Page, Part};
pub use error::Error;
pub use listing::{FileLink, directory, listing, project_url};
pub use location::{file_name, parse, shown, without_credentials};

use std::path::PathBuf;
use std::time::Duration;

/// How to reach the outside. The defaults suit a fast, honest network: `config` fills in what the user set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// PEM file of the only certificates to trust; without it the platform's own verifier decides.
    pub ca_bundle: Option<PathBuf>,
    pub http_proxy: Option<String>,
    pub https_proxy: Option<String>,
    /// Hosts reached without a proxy: `host`, `.suffix`, `*.suffix` or `*`.
    pub no_proxy: Vec<String>,
    /// How often a fetch is tried when the failure may pass by itself.
    pub attempts: u32,
    /// Waited before the second attempt, doubled before each further one.
    pub retry_delay: Duration,
    pub connect_timeout: Duration,
    /// The longest silence of a server that is accepted, not the length of the whole transfer.
    pub idle_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            ca_bundle: None,
            http_proxy: None,
            https_proxy: None,
            no_proxy: Vec::new(),
            attempts: 4,
            retry_delay: Duration::from_millis(300),
            connect_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(60),
        }
    }
}
