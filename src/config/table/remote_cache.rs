//! The options of remote caches, and of the connection to their servers. Those in `[GLOBAL]` have the names of Pants.

use super::entry::{Entry, Scope, choice, dict, global, integer, off, size, subsystem, text, text_or};

/// The options of remote caches.
pub(super) const SCOPES: &[Scope] = &[
    global("", GLOBAL),
    subsystem("remote", "The servers of the Remote Execution API that this repository uses.", REMOTE),
];

const GLOBAL: &[Entry] = &[
    off("remote_cache_read", "Use results that other machines stored on the server `remote_store_address`."),
    off("remote_cache_write", "Store the results of this machine on the server `remote_store_address`."),
    text(
        "remote_store_address",
        "The server of the Remote Execution API, as `grpc://host:port`, or `grpcs://host:port` for TLS.",
    ),
    dict("remote_store_headers", "Headers for each call to `remote_store_address`."),
    text("remote_instance_name", "The instance of the server, if it has several."),
    text(
        "remote_ca_certs_path",
        "A PEM file with all certificates to trust for the server. By default, those of `ca_certs_path` or of the system apply.",
    ),
    text("remote_client_certs_path", "A PEM file with the certificate that identifies this machine to the server."),
    text("remote_client_key_path", "A PEM file with the private key of this certificate."),
    text(
        "remote_oauth_bearer_token",
        "The token that authorizes this machine. Prefer `remote_oauth_bearer_token_path`, or `%(env.NAME)s`.",
    ),
    text(
        "remote_oauth_bearer_token_path",
        "A file with this token. It is read again whenever it changes, so that another program can renew the token.",
    ),
    choice(
        "remote_cache_warnings",
        &["ignore", "first_only", "backoff"],
        "\"backoff\"",
        "Whether problems with the remote cache are reported. Each kind of problem is reported once, with a number.",
    ),
    integer("remote_cache_rpc_concurrency", "128", "The maximum number of concurrent calls to the server."),
    integer("remote_store_rpc_concurrency", "128", "The same; the smaller number applies."),
    integer("remote_store_rpc_retries", "2", "How often a call is repeated after a transient failure."),
    integer(
        "remote_store_rpc_timeout_millis",
        "30000",
        "The time limit for an answer, and for each part of a transfer. Waiting for other calls does not count.",
    ),
    size("remote_store_chunk_bytes", "1048576", "The size of the parts in which large contents are sent."),
    size(
        "remote_store_batch_api_size_limit",
        "4194304",
        "Contents above this size are transferred alone. What the server announces as its limit applies in addition.",
    ),
    choice(
        "cache_content_behavior",
        &["fetch", "validate", "defer"],
        "\"defer\"",
        "When the outputs of remotely cached results are downloaded: all at once (`fetch`), or only when they are needed, after a \
         check that the server has them (`validate`) or without one (`defer`). If an output is missing when it is needed, its step \
         runs again.",
    ),
];

const REMOTE: &[Entry] = &[
    choice(
        "cache",
        &["off", "read", "write", "auto"],
        "null",
        "How the remote cache is used, instead of `remote_cache_read` and `remote_cache_write`: not at all, for reading, for reading \
         and writing, or for reading and, if `CI` is set, also for writing (`auto`).",
    ),
    text_or("address", "\"\"", "The server, instead of `remote_store_address`."),
    integer(
        "upload_wait",
        "60",
        "The time in seconds that a run waits at its end for results to be stored on the server.",
    ),
];
