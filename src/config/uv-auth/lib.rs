//! The types of `uv-auth` that `uv-distribution-types` needs in order to compile. Waders uses one constant of the latter, the
//! default package index, and never authenticates with these types: credentials do not exist here, and to look for them is an
//! error. The published crate brings 95 others (an HTTP client, credentials of three clouds, the keyring of the desktop through
//! D-Bus), a fifth of the time of a clean build.

use serde::{Deserialize, Serialize};
use url::Url;
use uv_redacted::DisplaySafeUrl;

/// When requests to an index are authenticated.
#[derive(Copy, Clone, Debug, Default, Hash, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthPolicy {
    /// Where the index asks for it.
    #[default]
    Auto,
    /// In each request.
    Always,
    /// In no request.
    Never,
}

/// Credentials, of which there are none.
#[derive(Clone, Debug)]
pub enum Credentials {}

impl Credentials {
    /// The credentials that environment variables contain for an index: none.
    pub fn from_env(_index: impl AsRef<str>) -> Option<Self> {
        None
    }

    /// The credentials that a URL contains. An error if it contains any, since they are not supported.
    pub fn from_url(url: &Url) -> Result<Option<Self>, CredentialsFromUrlError> {
        if url.username().is_empty() && url.password().is_none() { Ok(None) } else { Err(CredentialsFromUrlError) }
    }
}

/// A URL contains credentials.
#[derive(Debug, thiserror::Error)]
#[error("credentials in a URL are not supported here")]
pub struct CredentialsFromUrlError;

/// The part of a URL within which credentials are valid: scheme, host and port.
#[derive(Debug, PartialEq, Eq)]
pub struct RealmRef<'a>(&'a str, Option<&'a str>, Option<u16>);

impl<'a> From<&'a Url> for RealmRef<'a> {
    fn from(url: &'a Url) -> Self {
        Self(url.scheme(), url.host_str(), url.port())
    }
}

/// An index and how requests to it are authenticated.
#[derive(Debug, Clone, Hash, Eq, PartialEq)]
pub struct Index {
    /// The URL of its pages.
    pub url: DisplaySafeUrl,
    /// The URL below which credentials are valid.
    pub root_url: DisplaySafeUrl,
    /// When requests are authenticated.
    pub auth_policy: AuthPolicy,
}

/// Several indexes.
#[derive(Debug, Default, Clone, Eq, PartialEq)]
pub struct Indexes(Vec<Index>);

impl Indexes {
    /// Collects indexes.
    pub fn from_indexes(indexes: impl IntoIterator<Item = Index>) -> Self {
        Self(indexes.into_iter().collect())
    }
}
