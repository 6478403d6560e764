//! The remote cache and the connection to its server: options of `[GLOBAL]` with the names of Pants, and those of `[remote]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::section::Section;
use crate::config::Config;

/// How a remote cache is used, and how its server is reached. Paths are relative to the build root, and may begin with `~`.
#[derive(Clone)]
pub struct RemoteCacheSettings {
    /// The server.
    pub address: Option<String>,
    /// Headers for each call.
    pub headers: BTreeMap<String, String>,
    /// The instance of the server; empty if it has only one.
    pub instance_name: String,
    /// The file with the trusted certificates.
    pub ca_certs: Option<String>,
    /// The file with the certificate of this machine.
    pub client_certs: Option<String>,
    /// The file with its private key.
    pub client_key: Option<String>,
    /// The token that authorizes this machine.
    pub token: Option<String>,
    /// A file with this token.
    pub token_file: Option<String>,
    /// What the cache is used for.
    pub cache_use: RemoteCacheUse,
    /// When outputs are downloaded.
    pub content: ContentChoice,
    /// Whether problems are reported.
    pub warns: bool,
    /// The number of concurrent calls, at least 1.
    pub concurrency: usize,
    /// How often a call is repeated after a transient failure.
    pub retries: u32,
    /// The time limit for an answer.
    pub timeout: Duration,
    /// The size of the parts of large contents.
    pub chunk_bytes: usize,
    /// Contents above this size are transferred alone.
    pub batch_bytes: u64,
    /// How long a run waits at its end for uploads.
    pub upload_wait: Duration,
}

/// What a remote cache is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteCacheUse {
    /// As these two switches say: for reading, for writing.
    Switches(bool, bool),
    /// For reading, and in CI for writing.
    Auto,
}

/// When outputs are downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentChoice {
    /// At once.
    Fetch,
    /// When they are needed, if the server has all of them.
    Validate,
    /// When they are needed.
    Defer,
}

impl RemoteCacheSettings {
    /// Parses the sections.
    pub fn parse(config: &Config) -> RemoteCacheSettings {
        let (global, remote) = (Section::new(config, "GLOBAL"), Section::new(config, "remote"));
        let header = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        let count = |option| global.count::<usize>(option).unwrap_or(128).max(1);
        let switches = RemoteCacheUse::Switches(global.flag("remote_cache_read"), global.flag("remote_cache_write"));
        RemoteCacheSettings {
            address: remote.filled("address").or_else(|| global.filled("remote_store_address")),
            headers: global.dict("remote_store_headers").iter().filter_map(header).collect(),
            instance_name: global.text_or("remote_instance_name", ""),
            ca_certs: global.filled("remote_ca_certs_path"),
            client_certs: global.filled("remote_client_certs_path"),
            client_key: global.filled("remote_client_key_path"),
            token: global.filled("remote_oauth_bearer_token"),
            token_file: global.filled("remote_oauth_bearer_token_path"),
            cache_use: match remote.word("cache") {
                Some("off") => RemoteCacheUse::Switches(false, false),
                Some("read") => RemoteCacheUse::Switches(true, false),
                Some("write") => RemoteCacheUse::Switches(true, true),
                Some("auto") => RemoteCacheUse::Auto,
                _ => switches,
            },
            content: match global.word("cache_content_behavior") {
                Some("fetch") => ContentChoice::Fetch,
                Some("validate") => ContentChoice::Validate,
                _ => ContentChoice::Defer,
            },
            warns: global.word("remote_cache_warnings") != Some("ignore"),
            concurrency: count("remote_cache_rpc_concurrency").min(count("remote_store_rpc_concurrency")),
            retries: global.count("remote_store_rpc_retries").unwrap_or(2),
            timeout: global
                .count("remote_store_rpc_timeout_millis")
                .filter(|millis| *millis > 0)
                .map_or(Duration::from_secs(30), Duration::from_millis),
            chunk_bytes: global.count("remote_store_chunk_bytes").unwrap_or(1 << 20),
            batch_bytes: global.count("remote_store_batch_api_size_limit").unwrap_or(4 << 20),
            upload_wait: remote.seconds("upload_wait").unwrap_or(Duration::from_secs(60)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_section_remote_overrides_the_options_of_pants() {
        let check = |cache: Value, read: bool, write: bool, expected: RemoteCacheUse| {
            let config = Config::of([
                ("GLOBAL", "remote_cache_read", json!(read)),
                ("GLOBAL", "remote_cache_write", json!(write)),
                ("remote", "cache", cache.clone()),
            ]);
            assert_eq!(RemoteCacheSettings::parse(&config).cache_use, expected, "{cache} {read} {write}");
        };
        check(json!(null), true, false, RemoteCacheUse::Switches(true, false));
        check(json!(null), false, true, RemoteCacheUse::Switches(false, true));
        check(json!("off"), true, true, RemoteCacheUse::Switches(false, false));
        check(json!("write"), false, false, RemoteCacheUse::Switches(true, true));
        check(json!("auto"), false, false, RemoteCacheUse::Auto);
    }

    #[test]
    fn numbers_out_of_range_count_as_unset() {
        let config = Config::of([
            ("GLOBAL", "remote_cache_rpc_concurrency", json!(0)),
            ("GLOBAL", "remote_store_rpc_timeout_millis", json!(-5)),
        ]);
        let settings = RemoteCacheSettings::parse(&config);
        assert_eq!((settings.concurrency, settings.timeout), (1, Duration::from_secs(30)));
    }
}
