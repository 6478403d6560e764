//! The way of a step to the package indexes: a proxy outside the sandbox that passes on the pages of the configured indexes, the
//! files that these list and those that requirements name, and nothing else. It uses the user's certificates, proxies and passwords, so that none of them is in the
//! sandbox, and records everything that it passes on. How pages and
//! files are cached is in `pages` and `files`.
//!
//! The step asks for every URL in the clear: a URL with `https:` is written with `http:` in its settings and in the pages that it
//! receives, and is written as before in what it returns. The connection to the server is encrypted as the original URL says.

mod addresses;
mod files;
mod pages;
mod step_proxy;

pub(super) use addresses::in_the_clear;
pub(super) use step_proxy::{Problems, StepProxy};

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::action::Channel;
use crate::base::Digest;
use crate::config::index::Indexes;
use crate::net::proxy::{ByteRange, ProxyReply, ProxyRequest, serve};
use crate::net::{self, Client, FileLink};
use crate::prepare::Error;
use crate::prepare::locks::gateway::addresses::{replace_urls, without_credentials};
use crate::prepare::locks::gateway::files::Files;
use crate::prepare::locks::gateway::pages::Pages;
use crate::store::{self, Store};

const JSON: &str = "application/vnd.pypi.simple.v1+json";

/// What the steps of a run may reach. It is shared by all of them.
pub(super) struct Gateway {
    store: Arc<Store>,
    pages: Pages,
    files: Files,
    /// The addresses in the clear and the original ones: those of indexes, which end with a slash, and those of single pages.
    indexes: Vec<(String, String)>,
    single_pages: BTreeMap<String, String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The pages that were passed on, by their original URL.
    pages: HashMap<String, Arc<[u8]>>,
    /// The files that they listed, by the URL in the clear.
    files: HashMap<String, FileLink>,
    /// Original URLs from texts, by the URL in the clear.
    known: HashMap<String, String>,
    received: Vec<Received>,
}

/// A response that was passed on.
pub(super) struct Received {
    /// The URL, without credentials, and the part of the file if it was one.
    pub url: String,
    /// The body, which the store has.
    pub digest: Digest,
}

impl Gateway {
    /// A way to these indexes. `may_reuse` says whether pages may be used that an earlier run received.
    pub(super) fn new(client: Client, store: Arc<Store>, indexes: &Indexes, may_reuse: bool) -> Result<Gateway, Error> {
        let mut gateway = Gateway {
            pages: Pages::new(client.clone(), store.clone(), may_reuse),
            files: Files::new(client, store.clone(), may_reuse),
            store,
            indexes: Vec::new(),
            single_pages: BTreeMap::new(),
            state: Mutex::default(),
        };
        for place in &indexes.indexes {
            let original = format!("{}/", place.url.trim_end_matches('/'));
            gateway.indexes.push((in_the_clear(&original)?, original));
        }
        for place in indexes.find_links.iter().filter(|place| place.url.starts_with("http")) {
            gateway.single_pages.insert(in_the_clear(&place.url)?, place.url.clone());
        }
        Ok(gateway)
    }

    /// Opens a way for one step. Returns the socket that it gets as standard input, through which it passes a listening socket.
    pub(super) fn open(self: &Arc<Gateway>) -> Result<(Channel, Arc<StepProxy>), Error> {
        let (ours, theirs) = UnixStream::pair().map_err(Error::Channel)?;
        let proxy = Arc::new(StepProxy::new(self.clone()));
        serve(ours.into(), proxy.clone());
        Ok((Channel::new(theirs.into(), proxy.has_answered()), proxy))
    }

    /// Allows the files whose URLs are in requirements, and replaces the URLs by those that the step uses.
    pub(super) fn allow_required(&self, requirements: &str) -> String {
        replace_urls(requirements, |url| {
            let (address, fragment) = url.split_once('#').unwrap_or((url, ""));
            let clear = in_the_clear(address).ok()?;
            let sha256 = fragment.split('&').find_map(|part| part.strip_prefix("sha256=")).map(str::to_owned);
            let link = FileLink { url: address.to_owned(), sha256, ..FileLink::default() };
            self.state().files.insert(clear.clone(), link);
            Some(if fragment.is_empty() { clear } else { format!("{clear}#{fragment}") })
        })
    }

    /// Replaces the URLs in a lockfile by those that the step uses.
    pub(super) fn written_in_the_clear(&self, lock: &str) -> String {
        replace_urls(lock, |url| {
            let clear = in_the_clear(url).ok()?;
            self.state().known.insert(clear.clone(), url.to_owned());
            Some(clear)
        })
    }

    /// Replaces the URLs that the step used by the original ones, which contain no credentials.
    pub(super) fn restored(&self, text: &str) -> String {
        replace_urls(text, |url| {
            let (address, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
            let state = self.state();
            let listed = state.files.get(address).map(|link| without_credentials(&link.url) + fragment);
            let original = listed.or_else(|| state.known.get(url).cloned());
            original.or_else(|| self.original_page(url).map(|url| without_credentials(&url)))
        })
    }

    /// The original URL of an index, of a page or of a file below it.
    fn original_page(&self, url: &str) -> Option<String> {
        let below_index = |(clear, original): &(String, String)| {
            let index = (url == clear.trim_end_matches('/')).then(|| original.trim_end_matches('/').to_owned());
            index.or_else(|| url.strip_prefix(clear).map(|rest| format!("{original}{rest}")))
        };
        self.single_pages.get(url).cloned().or_else(|| self.indexes.iter().find_map(below_index))
    }

    /// Stores what was received and describes it. Nothing is stored twice.
    pub(super) fn record(&self) -> Result<Vec<Received>, Error> {
        let mut received = std::mem::take(&mut self.state().received);
        received.extend(self.pages.keep()?);
        received.sort_by(|a, b| a.url.cmp(&b.url));
        Ok(received)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &ProxyRequest) -> Result<Option<ProxyReply>, Failure> {
        let file = self.state().files.get(&request.url).cloned();
        if let Some(file) = file {
            return self.file(&file, request).map(Some);
        }
        if let Some(of) = request.url.strip_suffix(".metadata") {
            let file = self.state().files.get(of).filter(|file| file.has_metadata).cloned();
            if let Some(file) = file {
                let (url, sha256) = (format!("{}.metadata", file.url), file.metadata_sha256);
                return self.whole(&FileLink { url, sha256, ..FileLink::default() }).map(Some);
            }
        }
        match self.original_page(&request.url) {
            Some(url) => self.page(&url).map(Some),
            None => Ok(None),
        }
    }

    fn page(&self, url: &str) -> Result<ProxyReply, Failure> {
        let known = self.state().pages.get(url).cloned();
        let body = match known {
            Some(body) => body,
            None => self.relocated(url)?,
        };
        let headers = vec![("content-type", JSON.to_owned())];
        Ok(ProxyReply { status: 200, headers, body: (body.len() as u64, Box::new(Cursor::new(body))) })
    }

    /// A page whose files have URLs in the clear. From now on the files can be fetched.
    fn relocated(&self, url: &str) -> Result<Arc<[u8]>, Failure> {
        let mut files = Vec::new();
        let body: Arc<[u8]> = net::relocated(&*self.pages.get(url)?, |link| {
            let clear = in_the_clear(&link.url).unwrap_or_else(|_| link.url.clone());
            files.push((clear.clone(), link));
            clear
        })?
        .into();
        let mut state = self.state();
        state.files.extend(files);
        state.pages.insert(url.to_owned(), body.clone());
        Ok(body)
    }

    fn file(&self, link: &FileLink, request: &ProxyRequest) -> Result<ProxyReply, Failure> {
        let first_byte = ByteRange::From { start: 0, length: 1 };
        let range = if request.is_head { Some(first_byte) } else { request.range };
        let part = range.map_or(Ok(None), |range| self.files.part(link, range))?;
        match part {
            Some((part, _)) if request.is_head => {
                let size = ("content-length", part.total_bytes.to_string());
                Ok(ProxyReply::new(200, vec![("accept-ranges", "bytes".to_owned()), size], Vec::new()))
            }
            Some((part, digest)) => {
                let end = part.start + (part.bytes.len() as u64).saturating_sub(1);
                self.receive(format!("{} bytes {}-{end}", without_credentials(&link.url), part.start), digest);
                let range = format!("bytes {}-{end}/{}", part.start, part.total_bytes);
                Ok(ProxyReply::new(206, vec![("content-range", range)], part.bytes))
            }
            // uv does not ask for parts then.
            None if request.is_head => Ok(ProxyReply::new(200, Vec::new(), Vec::new())),
            None => self.whole(link),
        }
    }

    fn whole(&self, link: &FileLink) -> Result<ProxyReply, Failure> {
        let digest = self.files.whole(link)?;
        self.receive(without_credentials(&link.url), digest);
        let body = Box::new(self.store.open_blob(digest)?);
        Ok(ProxyReply { status: 200, headers: Vec::new(), body: (digest.size_bytes(), body) })
    }

    fn receive(&self, url: String, digest: Digest) {
        self.state().received.push(Received { url, digest });
    }
}

/// Why a request cannot be answered.
enum Failure {
    Network(net::Error),
    Store(store::Error),
    Scratch(std::io::Error),
}

impl From<net::Error> for Failure {
    fn from(error: net::Error) -> Failure {
        Failure::Network(error)
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Failure {
        Failure::Store(error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Read;

    use super::*;
    use crate::config::index::IndexUrl;
    use crate::net::NetworkSettings;
    use crate::net::proxy::ProxyHandler;
    use crate::net::server::{Request, Server, reply};

    const WHEEL: &[u8] = b"the bytes of a wheel";
    const METADATA: &[u8] = b"Name: demo";

    /// An index with one project, whose page is valid for a minute, and files that another path has.
    fn index() -> Server {
        let sha256 = |bytes: &[u8]| format!("{:x}", <sha2::Sha256 as sha2::Digest>::digest(bytes));
        let page = format!(
            r#"<a href="/files/demo-1-py3-none-any.whl#sha256={}" data-core-metadata="sha256={}">demo</a><a href="/files/bad-1.zip#sha256={}">bad</a>"#,
            sha256(WHEEL),
            sha256(METADATA),
            "0".repeat(64),
        );
        Server::start(move |request: &Request| match request.path.as_str() {
            "/simple/demo/" if request.header("if-none-match") == Some("\"1\"") => reply(304, &[], b""),
            "/simple/demo/" => reply(
                200,
                &[("content-type", "text/html"), ("etag", "\"1\""), ("cache-control", "max-age=60")],
                page.as_bytes(),
            ),
            "/simple/changing/" => reply(200, &[("content-type", "text/html"), ("etag", "\"1\"")], b""),
            "/files/demo-1-py3-none-any.whl" if request.header("range") == Some("bytes=4-8") => {
                reply(206, &[("content-range", &format!("bytes 4-8/{}", WHEEL.len()))], &WHEEL[4..9])
            }
            "/files/demo-1-py3-none-any.whl" => reply(200, &[], WHEEL),
            "/files/demo-1-py3-none-any.whl.metadata" => reply(200, &[], METADATA),
            "/files/bad-1.zip" | "/secret" => reply(200, &[], b"other bytes"),
            "/simple/broken/" => reply(500, &[], b""),
            _ => reply(404, &[], b""),
        })
    }

    fn proxy(server: &Server, store: &std::path::Path, may_reuse: bool) -> StepProxy {
        let url = server.url("/simple").replace("http://", "http://me:word@");
        let indexes = Indexes { indexes: vec![IndexUrl { url, named_by: String::new() }], find_links: Vec::new() };
        let client = Client::new(NetworkSettings { attempts: 1, ..NetworkSettings::default() });
        let store = Arc::new(Store::open(store).unwrap());
        let gateway = Arc::new(Gateway::new(client, store, &indexes, may_reuse).unwrap());
        StepProxy::new(gateway)
    }

    fn get(proxy: &StepProxy, url: String) -> (u16, Vec<u8>) {
        let mut reply = proxy.answer(&ProxyRequest { url, is_head: false, range: None });
        let mut body = Vec::new();
        reply.body.1.read_to_end(&mut body).unwrap();
        assert_eq!(reply.body.0, body.len() as u64);
        (reply.status, body)
    }

    #[test]
    fn pages_and_the_files_that_they_list_are_passed_on_and_recorded() {
        let (server, store) = (index(), tempfile::tempdir().unwrap());
        let proxy = proxy(&server, store.path(), true);
        let wheel = || server.url("/files/demo-1-py3-none-any.whl");
        assert_eq!(get(&proxy, wheel()).0, 403, "the file was not listed yet");
        let (status, page) = get(&proxy, server.url("/simple/demo/"));
        let page = String::from_utf8(page).unwrap();
        assert!(status == 200 && page.contains(&wheel()) && !page.contains("word"), "{page}");
        assert_eq!(get(&proxy, wheel()), (200, WHEEL.to_vec()));
        assert_eq!(get(&proxy, wheel() + ".metadata"), (200, METADATA.to_vec()));
        assert!(server.requests().iter().all(|request| request.header("authorization").is_some()));
        let received = proxy.gateway.record().unwrap();
        let expected = [Digest::of(WHEEL), Digest::of(METADATA)];
        assert_eq!(received.iter().map(|received| received.digest).collect::<Vec<_>>()[..2], expected);
        assert!(received.iter().all(|received| !received.url.contains("word")));
        let kept = proxy.gateway.store.get(received[2].digest).unwrap();
        assert!(String::from_utf8(kept).unwrap().contains("data-core-metadata"), "the page is kept as it was received");
    }

    #[test]
    fn what_no_index_lists_is_refused_and_reported() {
        let (server, store) = (index(), tempfile::tempdir().unwrap());
        let proxy = proxy(&server, store.path(), true);
        get(&proxy, server.url("/simple/demo/"));
        assert_eq!(get(&proxy, server.url("/secret")).0, 403);
        assert_eq!(get(&proxy, "http://other.example.invalid/simple/demo/".to_owned()).0, 403);
        proxy.refused_tunnel("other.example.invalid:443");
        assert_eq!(server.requests().len(), 1);
        let refused: Vec<String> = proxy.take_problems().refused.into_iter().collect();
        let expected = [
            "http://other.example.invalid/simple/demo/".to_owned(),
            server.url("/secret"),
            "other.example.invalid:443".to_owned(),
        ];
        assert_eq!(BTreeSet::from_iter(refused), BTreeSet::from(expected));
    }

    #[test]
    fn failures_of_servers_are_reported_but_for_missing_projects() {
        let (server, store) = (index(), tempfile::tempdir().unwrap());
        let proxy = proxy(&server, store.path(), true);
        assert_eq!(get(&proxy, server.url("/simple/none/")).0, 404);
        assert_eq!(proxy.take_problems().failures.len(), 0);
        assert_eq!(get(&proxy, server.url("/simple/broken/")).0, 500);
        get(&proxy, server.url("/simple/demo/"));
        assert_eq!(get(&proxy, server.url("/files/bad-1.zip")).0, 502);
        let failures = proxy.take_problems().failures;
        assert!(matches!(failures[..], [net::Error::Status { .. }, net::Error::WrongHash { .. }]), "{failures:?}");
    }

    #[test]
    fn later_runs_use_pages_and_files_again() {
        let (server, store) = (index(), tempfile::tempdir().unwrap());
        let run = |may_reuse| {
            let before = server.requests().len();
            let proxy = proxy(&server, store.path(), may_reuse);
            for path in ["/simple/demo/", "/simple/changing/", "/files/demo-1-py3-none-any.whl"] {
                assert_eq!(get(&proxy, server.url(path)).0, 200, "{path}");
            }
            proxy.gateway.record().unwrap();
            server.requests()[before..].iter().map(|request| request.path.clone()).collect::<Vec<_>>()
        };
        assert_eq!(run(true).len(), 3);
        assert_eq!(run(true), ["/simple/changing/"], "it has no time for which it is valid");
        assert_eq!(run(false), ["/simple/demo/", "/simple/changing/"]);
        assert_eq!(server.requests().last().unwrap().header("if-none-match"), None);
    }

    #[test]
    fn parts_of_files_are_fetched_once() {
        let (server, store) = (index(), tempfile::tempdir().unwrap());
        for requests in [2, 0] {
            let before = server.requests().len();
            let proxy = proxy(&server, store.path(), true);
            get(&proxy, server.url("/simple/demo/"));
            let url = server.url("/files/demo-1-py3-none-any.whl");
            let range = Some(ByteRange::From { start: 4, length: 5 });
            let mut reply = proxy.answer(&ProxyRequest { url: url.clone(), is_head: false, range });
            let mut body = Vec::new();
            reply.body.1.read_to_end(&mut body).unwrap();
            let headers = vec![("content-range", format!("bytes 4-8/{}", WHEEL.len()))];
            assert_eq!((reply.status, reply.headers, body), (206, headers, WHEEL[4..9].to_vec()));
            assert_eq!(
                server.requests().len() - before,
                requests,
                "with the page, which is still valid the second time"
            );
            assert_eq!(proxy.gateway.record().unwrap()[0].url, format!("{url} bytes 4-8"));
        }
    }

    #[test]
    fn files_that_requirements_name_can_be_fetched() {
        let (server, store) = (index(), tempfile::tempdir().unwrap());
        let proxy = proxy(&server, store.path(), true);
        let required = |fragment: &str| format!("\"demo @ {}{fragment}\"", server.url("/secret"));
        assert_eq!(proxy.gateway.allow_required(&required("")), required(""));
        assert_eq!(get(&proxy, server.url("/secret")), (200, b"other bytes".to_vec()));
        let with_hash = required(&format!("#sha256={}", "0".repeat(64)));
        assert_eq!(proxy.gateway.allow_required(&with_hash), with_hash);
        assert_eq!(get(&proxy, server.url("/secret")).0, 502, "the hash is verified");
        let encrypted = "\"demo @ https://a.example.invalid/demo-1.zip#egg=demo\"";
        let clear = proxy.gateway.allow_required(encrypted);
        assert_eq!(clear, encrypted.replace("https:", "http:"));
        assert_eq!(proxy.restored(&clear), encrypted);
        assert_eq!(proxy.restored(&clear.replace("#egg=demo", "")), encrypted.replace("#egg=demo", ""));
    }

    #[test]
    fn lockfiles_are_written_with_the_original_urls() {
        let (server, store) = (index(), tempfile::tempdir().unwrap());
        let proxy = proxy(&server, store.path(), true);
        let lock = r#"source = { registry = "https://a.example.invalid:8443/simple" } "https://b.example.invalid/f-1.whl" "http://c""#;
        let clear = proxy.gateway.written_in_the_clear(lock);
        assert_eq!(clear, lock.replace("https:", "http:").replace("\"http://c\"", "\"http://c/\""));
        assert_eq!(proxy.restored(&clear), lock);
        let index = format!("\"{}\" `{}`", server.url("/simple"), server.url("/simple/"));
        assert_eq!(proxy.restored(&index), index, "without the password");
    }
}
