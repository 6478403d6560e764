//! What can go wrong between here and a server, and what to do about it.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{url}` cannot be fetched: {why}")]
    BadUrl { url: String, why: String },
    #[error("cannot reach `{url}`")]
    Unreachable { url: String, source: Box<ureq::Error> },
    #[error("`{url}` broke off after {got_bytes} bytes")]
    BrokeOff { url: String, got_bytes: u64, source: io::Error },
    #[error("`{url}` answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("`{url}` redirects to `{target}`, which is refused: {why}")]
    Redirect { url: String, target: String, why: &'static str },
    #[error("`{url}` redirects more than {limit} times")]
    RedirectLoop { url: String, limit: usize },
    #[error("`{url}` holds more than {limit_bytes} bytes")]
    TooLarge { url: String, limit_bytes: u64 },
    #[error("`{url}` holds {got_bytes} bytes where {expected_bytes} were expected")]
    WrongSize { url: String, got_bytes: u64, expected_bytes: u64 },
    #[error("`{url}` has the sha256 {got} where {expected} was expected")]
    WrongHash { url: String, got: String, expected: String },
    #[error("`{url}` is not a listing of files: {why}")]
    NotAListing { url: String, why: String },
    #[error("cannot read `{}`", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot keep what `{url}` sent")]
    Keep { url: String, source: io::Error },
    #[error("cannot read certificates from `{}`: {why}", path.display())]
    CaBundle { path: PathBuf, why: String },
    #[error("`{proxy}` is not the address of a proxy")]
    Proxy { proxy: String },
}

impl Error {
    /// The server (or directory) is there and does not have it: another index may be asked.
    pub fn is_absent(&self) -> bool {
        match self {
            Error::Status { status, .. } => matches!(status, 404 | 410),
            Error::File { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }

    /// May pass by itself, so that another attempt makes sense.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Error::Unreachable { source, .. } => {
                let passing =
                    matches!(**source, ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed);
                passing && !is_about_trust(source)
            }
            Error::BrokeOff { .. } => true,
            Error::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// What the user can do. `named_by` is the setting that the address comes from.
    pub fn hint(&self, named_by: Option<&str>) -> Option<String> {
        let origin = named_by.map(|setting| format!("; the address comes from {setting}")).unwrap_or_default();
        let advice = match self {
            Error::Unreachable { source, .. } if is_about_trust(source) => {
                "if your network has its own certificate authority, name its PEM file in `SSL_CERT_FILE`"
            }
            Error::Unreachable { .. } => "check the network, and the proxy settings if there is one",
            Error::Status { status: 401 | 403 | 407, .. } => "the server wants credentials, or does not accept these",
            Error::Status { status: 404 | 410, .. } => "the server does not have it (any more)",
            Error::Status { .. } | Error::BrokeOff { .. } => "the server has a problem: try again later",
            Error::WrongHash { .. } | Error::WrongSize { .. } => {
                "the file was changed on the server or on the way: do not use it before you know why"
            }
            Error::NotAListing { .. } => "an index address usually ends in `/simple`",
            Error::BadUrl { .. } | Error::Redirect { .. } | Error::RedirectLoop { .. } => "check the address",
            Error::Keep { .. } => "check the free space",
            Error::TooLarge { .. } | Error::File { .. } | Error::CaBundle { .. } | Error::Proxy { .. } => return None,
        };
        Some(format!("{advice}{origin}"))
    }
}

/// Certificates that are not trusted come as errors of the transfer, with the reason inside.
fn is_about_trust(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => true,
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData,
        _ => false,
    }
}
