//! Network errors and their hints. URLs in messages contain no credentials.

use std::io;
use std::path::PathBuf;

use crate::base::ErrorKind;

/// What to do if no index provides a file.
pub const INDEX_HINT: &str = "configure an index that provides it: `PIP_INDEX_URL`, pip's or uv's settings";

/// What to do if a file does not have the expected hash or size.
pub const WRONG_BYTES_HINT: &str =
    "the file was changed on the server or during the transfer: find out why before you use it";

/// An error of the network, of a server or of the settings for either.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages describe the fields")]
pub enum Error {
    /// The text is not a URL that can be fetched.
    #[error("cannot fetch `{url}`: {why}")]
    BadUrl { url: String, why: String },
    /// No response: name resolution, connection or TLS failed.
    #[error("cannot reach `{url}`")]
    Unreachable { url: String, source: Box<ureq::Error> },
    /// The connection ended before the whole response was read.
    #[error("the transfer of `{url}` ended after {got_bytes} bytes")]
    Truncated { url: String, got_bytes: u64, source: io::Error },
    /// The server responded with an error.
    #[error("the server responded to `{url}` with status {status}")]
    Status { url: String, status: u16 },
    /// The server responded with an error and a reason.
    #[error("the server responded to `{url}` with status {status}: {why}")]
    Refused { url: String, status: u16, why: String },
    /// A redirect that is not followed.
    #[error("`{url}` redirects to `{target}`, which is not allowed: {why}")]
    Redirect { url: String, target: String, why: &'static str },
    /// Too many redirects.
    #[error("`{url}` redirects more than {limit} times")]
    RedirectLoop { url: String, limit: usize },
    /// The response exceeds the limit of the caller.
    #[error("`{url}` is larger than {limit_bytes} bytes")]
    TooLarge { url: String, limit_bytes: u64 },
    /// The file does not have the expected size.
    #[error("`{url}` has {got_bytes} bytes instead of the expected {expected_bytes}")]
    WrongSize { url: String, got_bytes: u64, expected_bytes: u64 },
    /// The file does not have the expected hash.
    #[error("`{url}` has the SHA-256 hash {got} instead of the expected {expected}")]
    WrongHash { url: String, got: String, expected: String },
    /// The page is not a page of a package index.
    #[error("invalid index page `{url}`: {why}")]
    InvalidIndexPage { url: String, why: String },
    /// A local file or directory cannot be read.
    #[error("cannot read `{}`", path.display())]
    File { path: PathBuf, source: io::Error },
    /// The received bytes cannot be written.
    #[error("cannot write the contents of `{url}`")]
    Write { url: String, source: io::Error },
    /// What is uploaded cannot be read.
    #[error("cannot read what is uploaded to `{url}`")]
    Body { url: String, source: io::Error },
    /// The file with trusted certificates is invalid.
    #[error("cannot read certificates from `{}`: {why}", path.display())]
    CaBundle { path: PathBuf, why: String },
    /// The file with names and passwords by host is invalid.
    #[error("cannot read credentials from `{}`: {why}", path.display())]
    Netrc { path: PathBuf, why: String },
    /// The login of a registry cannot be read; the reason names the file.
    #[error("cannot log in to `{host}`: {why}")]
    Login { host: String, why: String },
    /// The proxy setting is invalid.
    #[error("invalid proxy address `{proxy}`")]
    Proxy { proxy: String },
}

impl Error {
    /// Whether the server or directory was reached and does not have the file, so that another index can be tried.
    pub fn is_absent(&self) -> bool {
        match self {
            Error::Status { status, .. } => matches!(status, 404 | 410),
            Error::File { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }

    /// Whether another attempt can succeed.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Error::Unreachable { source, .. } => {
                let passing =
                    matches!(**source, ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed);
                passing && !is_certificate_error(source)
            }
            Error::Truncated { .. } => true,
            Error::Status { status, .. } | Error::Refused { status, .. } => {
                matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
            }
            _ => false,
        }
    }

    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::WrongHash { .. } | Error::WrongSize { .. } => ErrorKind::WrongBytes,
            _ => ErrorKind::Unavailable,
        }
    }

    /// What the user can do. `named_by` is the setting that contains the address.
    pub fn hint(&self, named_by: Option<&str>) -> Option<String> {
        let origin = named_by.map(|setting| format!("; the address comes from {setting}")).unwrap_or_default();
        let advice = match self {
            Error::Unreachable { source, .. } if is_certificate_error(source) => {
                "if your network has its own certificate authority, set `SSL_CERT_FILE` to its PEM file"
            }
            Error::Unreachable { .. } => "check the network connection and the proxy settings",
            Error::Status { status: 401 | 403 | 407, .. } | Error::Refused { status: 401 | 403 | 407, .. } => {
                "the server requires other credentials"
            }
            Error::Refused { .. } => return None,
            Error::Status { status: 404 | 410, .. } => "the file does not exist on the server, or was removed",
            Error::Status { .. } | Error::Truncated { .. } => "the server has a problem: try again later",
            Error::WrongHash { .. } | Error::WrongSize { .. } => WRONG_BYTES_HINT,
            Error::InvalidIndexPage { .. } => "an index address usually ends in `/simple`",
            Error::BadUrl { .. } | Error::Redirect { .. } | Error::RedirectLoop { .. } => "check the address",
            Error::Write { .. } => "check the free disk space",
            Error::TooLarge { .. }
            | Error::File { .. }
            | Error::Body { .. }
            | Error::CaBundle { .. }
            | Error::Proxy { .. }
            | Error::Login { .. }
            | Error::Netrc { .. } => {
                return None;
            }
        };
        Some(format!("{advice}{origin}"))
    }
}

impl Error {
    /// What the user can do if a registry of images does not provide a part of an image.
    pub fn hint_of_registry(&self, host: &str) -> Option<String> {
        match self {
            Error::Status { status: 401 | 403, .. } | Error::Refused { status: 401 | 403, .. } | Error::Login { .. } => {
                Some(format!("log in with a container tool, such as `docker login {host}` or `skopeo login {host}`"))
            }
            Error::Status { status: 404 | 410, .. } | Error::Refused { status: 404 | 410, .. } => Some(
                "check the name and the digest of the image: `skopeo inspect docker://NAME:TAG` prints the digest that a tag has now"
                    .to_owned(),
            ),
            Error::Status { status: 429, .. } | Error::Refused { status: 429, .. } => {
                Some(format!("the registry limits downloads: try again later, or log in, as with `docker login {host}`"))
            }
            Error::Unreachable { .. } => {
                let advice = self.hint(None)?;
                Some(format!("{advice}; an image that was pulled once needs no network"))
            }
            _ => self.hint(None),
        }
    }
}

/// `ureq` reports an untrusted certificate as an I/O error that wraps the reason.
fn is_certificate_error(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => true,
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData,
        _ => false,
    }
}
