//! The addresses of hosts, looked up once for each client. Many connections to one host that are opened at once would otherwise ask
//! the name server as often, and an answer that is lost costs 5 seconds (resolv.conf(5), `timeout`).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// A resolver that remembers what it found.
#[derive(Default)]
pub(super) struct CachedResolver {
    inner: DefaultResolver,
    /// The addresses by scheme, host and port. The lock is held during a lookup, so that nobody looks up the same host.
    known: Mutex<HashMap<String, ResolvedSocketAddrs>>,
}

impl std::fmt::Debug for CachedResolver {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("CachedResolver")
    }
}

impl Resolver for CachedResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let key =
            format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |host| host.as_str()));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(addresses) = known.get(&key) {
            return Ok(addresses.clone());
        }
        let addresses = self.inner.resolve(uri, config, timeout)?;
        known.insert(key, addresses.clone());
        Ok(addresses)
    }
}
