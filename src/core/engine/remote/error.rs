//! Why a server could not be used. None of these errors stops a run: its steps are then carried out on this machine.

use tonic::{Code, Status};

use crate::engine::remote::RemoteDigest;
use crate::store;

/// Why a server could not be used. Addresses are without credentials.
#[allow(missing_docs, reason = "the messages describe the fields")]
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A setting is invalid.
    #[error("cannot use `{address}`: {why}")]
    Setting { address: String, why: String },
    /// No connection, or it broke.
    #[error("cannot reach `{address}`: {why}")]
    Unreachable { address: String, why: String },
    /// The server answered a call with an error.
    #[error("`{address}` refused `{call}`: {}: {message}", code_name(*.code))]
    Refused { address: String, call: &'static str, code: Code, message: String },
    /// The server does not have a feature.
    #[error("`{address}` does not support {what}")]
    Unsupported { address: String, what: String },
    /// The server does not have a blob.
    #[error("`{address}` does not have the blob {digest}")]
    Missing { address: String, digest: RemoteDigest },
    /// What the server sent does not have the digest that was asked for.
    #[error("`{address}` sent wrong bytes for the blob {digest}")]
    WrongBytes { address: String, digest: RemoteDigest },
    /// A result on the server is not one of this program, or contradicts itself.
    #[error("`{address}` has an unusable result: {why}")]
    Result { address: String, why: String },
    /// A content is too large for the server.
    #[error("`{address}` accepts no blob above {limit_bytes} bytes, such as {digest}")]
    TooLarge { address: String, digest: RemoteDigest, limit_bytes: u64 },
    /// A content could not be read from the store or written to it.
    #[error("could not transfer the blob {digest}: {why}")]
    Content { digest: RemoteDigest, why: String },
    /// The server is not used any more in this run, because of an earlier error.
    #[error("`{address}` is not used any more in this run")]
    Off { address: String },
    /// The local action cache failed.
    #[error("{0}")]
    Local(String),
    /// The store failed.
    #[error("{0}")]
    Store(std::sync::Arc<store::Error>),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        Error::Store(std::sync::Arc::new(error))
    }
}

impl Error {
    /// What the status of a call means.
    pub fn from_status(address: &str, call: &'static str, status: &Status) -> Error {
        let address = address.to_owned();
        let message = message(status);
        if is_transport(status) {
            return Error::Unreachable { address, why: message };
        }
        Error::Refused { address, call, code: status.code(), message }
    }

    /// Whether every later call would probably fail, too.
    pub fn is_lasting(&self) -> bool {
        match self {
            Error::Setting { .. } | Error::Unreachable { .. } | Error::Unsupported { .. } | Error::Off { .. } => true,
            Error::Refused { code, .. } => matches!(
                code,
                Code::Unauthenticated
                    | Code::PermissionDenied
                    | Code::Unimplemented
                    | Code::InvalidArgument
                    | Code::Unavailable
                    | Code::DeadlineExceeded
            ),
            _ => false,
        }
    }

    /// Whether the server refused to store something. It may still permit reading.
    pub fn is_refused_write(&self) -> bool {
        let writes = ["UpdateActionResult", "BatchUpdateBlobs", "Write", "FindMissingBlobs"];
        matches!(self, Error::Refused { call, .. } if writes.contains(call))
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::Setting { .. } => "check the options `remote_*` of the section `[GLOBAL]`",
            Error::Unreachable { why, .. } if is_about_time(why) => {
                "check the clocks of this machine and of the server, and until when its certificate is valid"
            }
            // A server that misses the certificate of a client often only closes the connection.
            Error::Unreachable { address, why } if is_secure(address) || is_about_protocol(why) => {
                "check whether the server runs, `remote_ca_certs_path`, `remote_client_certs_path`, and whether the address must \
                 begin with `grpc://` or `grpcs://`"
            }
            Error::Unreachable { .. } => "check `remote_store_address`, and whether the server runs",
            Error::Refused { code: Code::Unauthenticated, .. } => {
                "check `remote_oauth_bearer_token` and until when it is valid, `remote_store_headers`, the client certificate, and \
                 the clock of this machine"
            }
            Error::Refused { code: Code::PermissionDenied, .. } => {
                "check what the token or the client certificate permits; `remote_cache_write = false` only reads"
            }
            Error::Refused { code: Code::InvalidArgument | Code::NotFound, .. } => "check `remote_instance_name`",
            Error::Refused { code: Code::Unimplemented, call: "Execute", .. } => {
                "check whether the server executes actions: `remote_execution_address` can name another one than \
                 `remote_store_address`"
            }
            Error::Refused { code: Code::Unimplemented, .. } | Error::Unsupported { .. } => {
                "check whether the server implements the Remote Execution API, version 2, with a cache"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// The name of a status code, as the specification of gRPC writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Whether another attempt can succeed.
pub(super) fn is_transient(status: &Status) -> bool {
    let is_code = matches!(
        status.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::ResourceExhausted | Code::Internal
    );
    is_code || is_transport(status)
}

/// Whether the connection broke in the middle of an answer. A stream that breaks has the code UNKNOWN.
pub(super) fn is_lost(status: &Status) -> bool {
    is_transient(status) || matches!(status.code(), Code::Unknown | Code::Cancelled)
}

/// Whether the connection failed, so that the server did not answer the call, or not completely.
fn is_transport(status: &Status) -> bool {
    // The status of a server has no cause on this machine.
    std::error::Error::source(status).is_some() || status.message().contains("transport error")
}

/// The message of a status, with the innermost cause of a failed connection, in one line.
fn message(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut source = std::error::Error::source(status);
    while let Some(cause) = source {
        let next = cause.source();
        if next.is_none() {
            text = cause.to_string();
        }
        source = next;
    }
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "no message".to_owned() } else { line.chars().take(300).collect() }
}

fn is_secure(address: &str) -> bool {
    ["grpcs://", "https://"].iter().any(|scheme| address.starts_with(scheme))
}

/// Whether there is a server that does not speak the protocol of the client. One that expects TLS often only closes the connection.
fn is_about_protocol(why: &str) -> bool {
    let tls = ["certificate", "tls", "ssl", "handshake", "invalid peer", "corrupt message"];
    has_any(why, &tls) || has_any(why, &["http2", "h2 protocol", "frame", "broken pipe", "reset", "closed", "eof"])
}

/// Whether a certificate is not valid yet, or no longer.
fn is_about_time(why: &str) -> bool {
    has_any(why, &["expired", "not valid yet", "notvalidyet"])
}

fn has_any(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_follow_from_what_the_connection_reports() {
        let check = |address: &str, why: &str, expected: &str| {
            let error = Error::Unreachable { address: address.to_owned(), why: why.to_owned() };
            let hint = error.hint().unwrap_or_default();
            assert!(hint.contains(expected), "{why}: {hint}");
        };
        check("grpc://a:1", "Connection refused (os error 111)", "`remote_store_address`, and whether the server runs");
        check("grpc://a:1", "stream closed because of a broken pipe", "`grpc://` or `grpcs://`");
        check("grpc://a:1", "connection error detected: frame with invalid size", "`grpc://` or `grpcs://`");
        check("grpcs://a:1", "received corrupt message of type InvalidContentType", "`remote_ca_certs_path`");
        check("grpcs://a:1", "invalid peer certificate: certificate expired", "check the clocks");
    }

    #[test]
    fn only_calls_that_store_something_are_refused_writes() {
        let refused = |call| Error::Refused {
            address: String::new(),
            call,
            code: Code::PermissionDenied,
            message: String::new(),
        };
        assert!(refused("UpdateActionResult").is_refused_write());
        assert!(!refused("GetCapabilities").is_refused_write());
    }
}
