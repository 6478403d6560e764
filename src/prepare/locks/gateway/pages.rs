//! Index pages, which are used again as HTTP allows (RFC 9111): within the time that the server states without asking, and after that
//! if the server confirms that they have not changed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::net::{self, Client, Page};
use crate::prepare::locks::gateway::Received;
use crate::prepare::locks::gateway::addresses::without_credentials;
use crate::store::{self, Store};

/// The index pages of a run.
pub(super) struct Pages {
    client: Client,
    store: Arc<Store>,
    /// Whether pages may be used that an earlier run received.
    may_reuse: bool,
    /// By the requested URL.
    used: Mutex<BTreeMap<String, Used>>,
}

/// A page, and when the server was asked for it if that was in this run.
#[derive(Clone)]
struct Used {
    page: Arc<Page>,
    asked_at: Option<SystemTime>,
}

/// What is known of a page that an earlier run received.
#[derive(Serialize, Deserialize)]
struct Known {
    /// The address after redirects.
    url: String,
    content_type: String,
    etag: String,
    max_age_seconds: u64,
    /// Seconds since 1970.
    asked_at: u64,
    body: Digest,
}

impl Pages {
    /// No page is known yet.
    pub(super) fn new(client: Client, store: Arc<Store>, may_reuse: bool) -> Pages {
        Pages { client, store, may_reuse, used: Mutex::default() }
    }

    /// The page with this URL.
    pub(super) fn get(&self, url: &str) -> Result<Arc<Page>, net::Error> {
        let used = || self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = used().get(url) {
            return Ok(known.page.clone());
        }
        #[expect(clippy::disallowed_methods, reason = "an index changes, and states how long its answers are valid")]
        let now = SystemTime::now();
        let (page, asked_at) = match self.known(url) {
            Some((page, asked_at)) if is_fresh(&page, asked_at, now) => (page, None),
            known => (self.fetch(url, known.map(|(page, _)| page))?, Some(now)),
        };
        let page = Arc::new(page);
        used().insert(url.to_owned(), Used { page: page.clone(), asked_at });
        Ok(page)
    }

    /// Asks the server for the page, unless it is still the known one.
    fn fetch(&self, url: &str, known: Option<Page>) -> Result<Page, net::Error> {
        let etag = known.as_ref().map_or("", |page| page.etag.as_str());
        let page = self.client.page_if_changed(url, net::ACCEPT, etag, net::PAGE_LIMIT_BYTES)?;
        page.or(known).ok_or_else(|| net::Error::Status { url: net::without_credentials(url), status: 304 })
    }

    /// A page that an earlier run received. Everything that cannot be read counts as unknown.
    fn known(&self, url: &str) -> Option<(Page, SystemTime)> {
        let value = self.store.index_get(&key(url)).ok().flatten().filter(|_| self.may_reuse)?;
        let known: Known = serde_json::from_slice(&value).ok()?;
        let page = Page {
            url: net::parse(&known.url).ok()?,
            content_type: known.content_type,
            body: self.store.get(known.body).ok()?,
            etag: known.etag,
            max_age: Duration::from_secs(known.max_age_seconds),
        };
        Some((page, UNIX_EPOCH + Duration::from_secs(known.asked_at)))
    }

    /// Stores the pages of this run and describes them.
    pub(super) fn keep(&self) -> store::Result<Vec<Received>> {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        let batch = self.store.batch();
        let mut kept = Vec::new();
        for (url, Used { page, asked_at }) in used {
            kept.push((batch.put_reader(page.body.as_slice(), Path::new(&url), false)?, url, page, asked_at));
        }
        batch.commit()?;
        for (body, url, page, asked_at) in &kept {
            let Some(asked_at) = asked_at.and_then(|time| time.duration_since(UNIX_EPOCH).ok()) else { continue };
            let known = Known {
                url: page.url.to_string(),
                content_type: page.content_type.clone(),
                etag: page.etag.clone(),
                max_age_seconds: page.max_age.as_secs(),
                asked_at: asked_at.as_secs(),
                body: *body,
            };
            self.store.index_put(&key(url), &serde_json::to_vec(&known).expect("the value has no maps"))?;
        }
        let received = |(digest, url, ..): &(Digest, String, Arc<Page>, Option<SystemTime>)| Received {
            url: without_credentials(url),
            digest: *digest,
        };
        Ok(kept.iter().map(received).collect())
    }
}

/// Whether the server allows the page to be used without asking again. A page from the future is not.
fn is_fresh(page: &Page, asked_at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(asked_at).is_ok_and(|age| age < page.max_age)
}

fn key(url: &str) -> [u8; 32] {
    *blake3::hash(format!("index page 1\n{url}").as_bytes()).as_bytes()
}
