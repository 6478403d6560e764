//! The remote cache of a run, as the settings describe it, and what the user learns about it. Nothing is connected here: the first
//! step without a local result does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::config::typed::{ContentChoice, RemoteCacheSettings, RemoteCacheUse};
use crate::engine::remote::{
    CacheOptions, Connection, ContentBehavior, RemoteCache, RemoteSettings, Secret, Summary, Token,
};
use crate::engine::{ActionCache, SignedActionCache};
use crate::report;
use crate::session::Context;
use crate::store::Store;

/// A server that keeps results for some weeks after their last use keeps those of a machine that stores each once a week.
const RENEW_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// A message and what the user can do about it.
pub type Notice = (String, Option<String>);

/// How the server of the remote cache is reached; `None` if there is none.
pub fn connection_settings(context: &Context) -> Option<RemoteSettings> {
    let address = RemoteCacheSettings::parse(&context.config).address?;
    Some(settings_for(context, address))
}

/// How a server at this address is reached.
pub fn settings_for(context: &Context, address: String) -> RemoteSettings {
    let settings = RemoteCacheSettings::parse(&context.config);
    let path = |path: &String| -> PathBuf { context.build_root.join(context.environment.expand_home(path)) };
    let headers: BTreeMap<String, String> = settings.headers.clone();
    let identity = settings.client_certs.as_ref().map(path).zip(settings.client_key.as_ref().map(path));
    let token = match (&settings.token, &settings.token_file) {
        (Some(token), _) => Some(Token::Text(Secret(token.clone()))),
        (None, Some(file)) => Some(Token::File(path(file))),
        (None, None) => None,
    };
    RemoteSettings {
        address,
        instance_name: settings.instance_name,
        headers: Secret(headers),
        ca_certs: settings.ca_certs.as_ref().map(path).or_else(|| context.ca_bundle()),
        client_identity: identity,
        token,
        timeout: settings.timeout,
        retries: settings.retries,
        concurrency: settings.concurrency,
        chunk_bytes: settings.chunk_bytes,
        batch_bytes: settings.batch_bytes,
    }
}

/// The remote cache of the settings; `None` if it is not used.
pub fn open_cache(
    context: &Context,
    store: &Arc<Store>,
    local: &Arc<dyn ActionCache>,
    signed: Option<&Arc<SignedActionCache>>,
    runtime: Handle,
) -> Option<Arc<RemoteCache>> {
    let settings = RemoteCacheSettings::parse(&context.config);
    let (read, write) = match settings.cache_use {
        RemoteCacheUse::Switches(read, write) => (read, write),
        RemoteCacheUse::Auto => (true, context.environment.is_ci()),
    };
    if !read && !write {
        return None;
    }
    let content = match settings.content {
        ContentChoice::Fetch => ContentBehavior::Fetch,
        ContentChoice::Validate => ContentBehavior::Validate,
        ContentChoice::Defer => ContentBehavior::Defer,
    };
    let options = CacheOptions { read, write, content, warns: settings.warns, renew_after: RENEW_AFTER };
    let connection = Arc::new(Connection::new(connection_settings(context)?));
    let cache = RemoteCache::new(connection, store.clone(), local.clone(), signed.cloned(), options, runtime);
    Some(Arc::new(cache))
}

/// Renders `Remote cache: 240 results used, 12 stored, 18.1 MiB received, 3.10 MiB sent.`; `None` if nothing was transferred.
pub fn summary_line(summary: &Summary) -> Option<String> {
    let Summary { hits, stored, received_bytes, sent_bytes } = *summary;
    if hits == 0 && stored == 0 {
        return None;
    }
    let noun = if hits == 1 { "result" } else { "results" };
    let mut parts = vec![format!("{hits} {noun} used")];
    if stored > 0 {
        parts.push(format!("{stored} stored"));
    }
    for (bytes, word) in [(received_bytes, "received"), (sent_bytes, "sent")] {
        if bytes > 0 {
            parts.push(format!("{} {word}", report::size(bytes)));
        }
    }
    Some(format!("Remote cache: {}.", parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_what_was_transferred() {
        let check = |summary: Summary, expected: Option<&str>| {
            assert_eq!(summary_line(&summary).as_deref(), expected);
        };
        check(Summary::default(), None);
        let used = Summary { hits: 240, received_bytes: 19_083_264, ..Summary::default() };
        check(used, Some("Remote cache: 240 results used, 18.1 MiB received."));
        let both = Summary { hits: 1, stored: 2, received_bytes: 10, sent_bytes: 2048 };
        check(both, Some("Remote cache: 1 result used, 2 stored, 10 B received, 2.00 KiB sent."));
    }
}
