//! The blocking HTTP client: pages with a size limit, downloads that are verified by their hash, and parts of files. Redirects
//! are followed here rather than by `ureq`, so that none leads to a local file or from TLS to plain HTTP.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use ureq::http::Method;
use url::Url;

use super::agents::Agents;
use super::response::{Response, header};
use super::{Error, NetworkSettings, location};

/// The number of redirects that are followed.
const REDIRECT_LIMIT: usize = 10;
/// The size limit of downloads whose size is unknown; far larger than any file of a package index or archive.
const DOWNLOAD_LIMIT_BYTES: u64 = 16 << 30;

/// A client. It is cheap to create, since connections are set up at the first request, and cheap to clone, since clones share
/// their connections.
#[derive(Clone)]
pub struct Client {
    settings: Arc<NetworkSettings>,
    agents: Arc<OnceLock<Agents>>,
}

/// The expected hash and size of a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The hash in hexadecimal.
    pub sha256: String,
    /// The size, if it is known.
    pub size_bytes: Option<u64>,
}

/// A whole response in memory.
#[derive(Clone, Debug)]
pub struct Page {
    /// The address after redirects; relative links are resolved against it.
    pub url: Url,
    /// The content type in lower case, without parameters; empty for local files.
    pub content_type: String,
    /// The decoded body.
    pub body: Vec<u8>,
    /// What identifies this version of the page for the server (RFC 9110, 8.8.3); empty if the server does not say.
    pub etag: String,
    /// How long the server allows the page to be used without asking again.
    pub max_age: Duration,
}

/// A part of a file, from a server that supports range requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The offset of the first byte in the file.
    pub start: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The size of the whole file.
    pub total_bytes: u64,
}

/// Sends one request with these headers, whose names are in lower case.
pub(super) type Open<'o> = dyn FnMut(&[(&str, &str)]) -> Result<Response, Error> + 'o;

/// A request that [`Client::send`] sends.
pub(super) struct Outgoing<'r> {
    pub method: &'r ureq::http::Method,
    pub url: &'r Url,
    /// Names in lower case, and values.
    pub headers: &'r [(&'r str, &'r str)],
    /// The bytes and their number.
    pub body: Option<(&'r mut dyn Read, u64)>,
}

impl Page {
    /// A page that does not come from a server.
    pub(super) fn local(url: Url, content_type: &str, body: Vec<u8>) -> Page {
        Page { url, content_type: content_type.to_owned(), body, etag: String::new(), max_age: Duration::ZERO }
    }
}

impl Client {
    /// A client with these settings. No connection is made yet.
    pub fn new(settings: NetworkSettings) -> Client {
        Client { settings: Arc::new(settings), agents: Arc::default() }
    }

    /// If two threads race to initialise, one result is kept.
    fn agents(&self) -> Result<&Agents, Error> {
        if let Some(agents) = self.agents.get() {
            return Ok(agents);
        }
        let agents = Agents::new(&self.settings)?;
        Ok(self.agents.get_or_init(|| agents))
    }

    /// The body of a response of at most `limit_bytes`.
    pub fn get(&self, url: &str, limit_bytes: u64) -> Result<Vec<u8>, Error> {
        Ok(self.page(url, "*/*", limit_bytes)?.body)
    }

    /// Like `get`, with an `Accept` header. Also returns the final address and the content type.
    pub fn page(&self, url: &str, accept: &str, limit_bytes: u64) -> Result<Page, Error> {
        self.retrying(|| self.page_once(url, &[("accept", accept)], limit_bytes))
    }

    /// Like `page`; returns `None` if the page is still the one with this `etag`.
    pub fn page_if_changed(
        &self,
        url: &str,
        accept: &str,
        etag: &str,
        limit_bytes: u64,
    ) -> Result<Option<Page>, Error> {
        let headers = [("accept", accept), ("if-none-match", etag)];
        match self.retrying(|| self.page_once(url, &headers[..if etag.is_empty() { 1 } else { 2 }], limit_bytes)) {
            Err(Error::Status { status: 304, .. }) => Ok(None),
            page => page.map(Some),
        }
    }

    fn page_once(&self, url: &str, headers: &[(&str, &str)], limit_bytes: u64) -> Result<Page, Error> {
        let mut response = self.open(&location::parse(url)?, headers)?;
        let mut body = Vec::new();
        response.copy(0, limit_bytes, |bytes| {
            self.count(bytes);
            body.extend_from_slice(bytes);
            Ok(())
        })?;
        let Response { url, content_type, etag, max_age, .. } = response;
        Ok(Page { url, content_type, body, etag, max_age })
    }

    /// Writes the file to `out` and returns its size. Interrupted transfers are resumed. The written bytes must be discarded
    /// unless the result is `Ok`, since they are verified last.
    pub fn download(&self, url: &str, expected: &Expected, out: &mut dyn Write) -> Result<u64, Error> {
        let url = location::parse(url)?;
        self.download_with(&url, expected, out, &mut |headers| self.open(&url, headers))
    }

    /// Like `download`; `open` sends one request with these headers for what `url` names.
    pub(super) fn download_with(
        &self,
        url: &Url,
        expected: &Expected,
        out: &mut dyn Write,
        open: &mut Open<'_>,
    ) -> Result<u64, Error> {
        let limit_bytes = expected.size_bytes.unwrap_or(DOWNLOAD_LIMIT_BYTES);
        let (mut hasher, mut got_bytes) = (Sha256::new(), 0u64);
        self.retrying(|| {
            let range = format!("bytes={got_bytes}-");
            let identity = ("accept-encoding", "identity");
            let headers = [identity, ("range", range.as_str())];
            let mut response = open(if got_bytes == 0 { &headers[..1] } else { &headers })?;
            let skip_bytes = got_bytes.saturating_sub(response.start);
            response.copy(skip_bytes, limit_bytes, |bytes| {
                self.count(bytes);
                out.write_all(bytes)?;
                hasher.update(bytes);
                got_bytes += bytes.len() as u64;
                Ok(())
            })
        })
        .map_err(|error| match (error, expected.size_bytes) {
            // The transfer stopped at the first byte past the expected size.
            (Error::TooLarge { url, limit_bytes }, Some(expected_bytes)) => {
                Error::WrongSize { url, got_bytes: limit_bytes + 1, expected_bytes }
            }
            (error, _) => error,
        })?;
        check(url, expected, got_bytes, hasher)?;
        Ok(got_bytes)
    }

    /// `len` bytes from the offset `start`, or the last `len` bytes if `start` is `None`. Returns `None` if the server does not
    /// support range requests.
    pub fn part(&self, url: &str, start: Option<u64>, len: u64) -> Result<Option<Part>, Error> {
        let url = location::parse(url)?;
        let range = match start {
            Some(start) => format!("bytes={start}-{}", start + len.max(1) - 1),
            None => format!("bytes=-{len}"),
        };
        self.retrying(|| {
            let mut response = self.open(&url, &[("accept-encoding", "identity"), ("range", &range)])?;
            let Some(total_bytes) = response.total_bytes.filter(|_| response.partial) else { return Ok(None) };
            let mut bytes = Vec::new();
            response.copy(0, response.start + len, |more| {
                bytes.extend_from_slice(more);
                Ok(())
            })?;
            Ok(Some(Part { start: response.start, bytes, total_bytes }))
        })
    }

    /// Sends a request once. Redirects are not followed, and any status is an answer. Without a header `authorization`, the user's
    /// password for the host is sent.
    pub(super) fn send(&self, request: Outgoing<'_>) -> Result<ureq::http::Response<ureq::Body>, Error> {
        let Outgoing { method, url, headers, body } = request;
        let agents = self.agents()?;
        let agent = if url.scheme() == "https" { &agents.https } else { &agents.http };
        let has_own = headers.iter().any(|(name, _)| *name == "authorization");
        let url = if has_own { location::bare(url) } else { agents.credentials.apply(url) };
        let (bare, authorization) = location::split_credentials(&url);
        let mut builder = ureq::http::Request::builder().method(method).uri(bare.as_str());
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        if let Some(authorization) = authorization {
            builder = builder.header("authorization", authorization);
        }
        let invalid =
            |error: ureq::http::Error| Error::BadUrl { url: location::for_display(&url), why: error.to_string() };
        let answer = match body {
            Some((reader, size_bytes)) => {
                let builder = builder.header("content-length", size_bytes);
                agent.run(builder.body(ureq::SendBody::from_reader(reader)).map_err(invalid)?)
            }
            None => agent.run(builder.body(()).map_err(invalid)?),
        };
        answer.map_err(|error| Error::Unreachable { url: location::for_display(&url), source: Box::new(error) })
    }

    fn count(&self, bytes: &[u8]) {
        self.settings.received_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }

    /// Repeats an attempt that fails with a transient error, with exponential backoff.
    pub(super) fn retrying<T>(&self, mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
        let mut delay = self.settings.retry_delay;
        for _ in 1..self.settings.attempts {
            match attempt() {
                Err(error) if error.is_transient() => thread::sleep(delay),
                result => return result,
            }
            delay *= 2;
        }
        attempt()
    }

    /// One attempt. Redirects are followed, and the response has a success status.
    fn open(&self, url: &Url, headers: &[(&str, &str)]) -> Result<Response, Error> {
        if url.scheme() == "file" {
            return Response::from_file(url);
        }
        let (url, response) =
            follow(url, |url| self.send(Outgoing { method: &Method::GET, url, headers, body: None }))?;
        Response::from_http(url, response)
    }
}

/// Sends requests with `send` until a response is no redirect. Returns this response and the address that gave it.
pub(super) fn follow(
    url: &Url,
    mut send: impl FnMut(&Url) -> Result<ureq::http::Response<ureq::Body>, Error>,
) -> Result<(Url, ureq::http::Response<ureq::Body>), Error> {
    let mut here = url.clone();
    for _ in 0..=REDIRECT_LIMIT {
        let response = send(&here)?;
        let status = response.status().as_u16();
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Ok((here, response));
        }
        here = redirect(&here, header(&response, "location"), status)?;
    }
    Err(Error::RedirectLoop { url: location::for_display(url), limit: REDIRECT_LIMIT })
}

fn redirect(from: &Url, to: &str, status: u16) -> Result<Url, Error> {
    if to.is_empty() {
        return Err(Error::Status { url: location::for_display(from), status });
    }
    let refuse = |target: String, why| Error::Redirect { url: location::for_display(from), target, why };
    let target = from.join(to).map_err(|_| refuse(to.to_owned(), "it is not a URL"))?;
    match (from.scheme(), target.scheme()) {
        ("http", "http") | (_, "https") => Ok(target),
        ("https", "http") => Err(refuse(location::for_display(&target), "it leads from `https:` to `http:`")),
        _ => Err(refuse(location::for_display(&target), "only `https:` and `http:` are allowed")),
    }
}

fn check(url: &Url, expected: &Expected, got_bytes: u64, hasher: Sha256) -> Result<(), Error> {
    let url = location::for_display(url);
    if let Some(expected_bytes) = expected.size_bytes.filter(|bytes| *bytes != got_bytes) {
        return Err(Error::WrongSize { url, got_bytes, expected_bytes });
    }
    let got = format!("{:x}", hasher.finalize());
    let expected = expected.sha256.to_lowercase();
    if got == expected { Ok(()) } else { Err(Error::WrongHash { url, got, expected }) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::net::server::{Request, Server, reply};

    const LIMIT_BYTES: u64 = 1 << 20;

    fn client() -> Client {
        let (attempts, retry_delay) = (3, Duration::from_millis(5));
        let idle_timeout = Duration::from_secs(2);
        Client::new(NetworkSettings { attempts, retry_delay, idle_timeout, ..NetworkSettings::default() })
    }

    fn expected(bytes: &[u8]) -> Expected {
        Expected { sha256: format!("{:x}", Sha256::digest(bytes)), size_bytes: Some(bytes.len() as u64) }
    }

    fn serve(respond: impl Fn(&Request, usize) -> Vec<u8> + Send + 'static) -> Server {
        let count = AtomicUsize::new(0);
        Server::start(move |request| respond(request, count.fetch_add(1, Ordering::SeqCst)))
    }

    #[test]
    fn a_download_is_checked_by_size_and_hash() {
        let server = serve(|_, _| reply(200, &[], b"hello"));
        let mut out = Vec::new();
        let client_of_hello = client();
        assert_eq!(client_of_hello.download(&server.url("/f"), &expected(b"hello"), &mut out).unwrap(), 5);
        assert_eq!(client_of_hello.settings.received_bytes.load(Ordering::Relaxed), 5);
        assert_eq!(out, b"hello");
        let wrong = client().download(&server.url("/f"), &expected(b"hullo"), &mut Vec::new());
        assert!(matches!(wrong, Err(Error::WrongHash { .. })), "{wrong:?}");
        let short = client().download(&server.url("/f"), &expected(b"hello!"), &mut Vec::new());
        assert!(matches!(short, Err(Error::WrongSize { got_bytes: 5, .. })), "{short:?}");
        let long = client().download(&server.url("/f"), &expected(b"hell"), &mut Vec::new());
        assert!(matches!(long, Err(Error::WrongSize { .. })), "{long:?}");
    }

    #[test]
    fn a_truncated_body_is_resumed_if_the_server_supports_ranges() {
        let server = serve(|request, _| match request.header("range") {
            Some(range) => reply(206, &[("content-range", &format!("{}/10", range.replace('=', " ") + "9"))], b"56789"),
            None => [b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".as_slice(), b"01234"].concat(),
        });
        let mut out = Vec::new();
        client().download(&server.url("/f"), &expected(b"0123456789"), &mut out).unwrap();
        assert_eq!(out, b"0123456789");
    }

    #[test]
    fn a_truncated_body_is_fetched_again_if_the_server_does_not_support_ranges() {
        let server = serve(|_, count| match count {
            0 => [b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".as_slice(), b"01234"].concat(),
            _ => reply(200, &[], b"0123456789"),
        });
        let mut out = Vec::new();
        client().download(&server.url("/f"), &expected(b"0123456789"), &mut out).unwrap();
        assert_eq!(out, b"0123456789");
    }

    #[test]
    fn a_body_that_stays_truncated_is_an_error() {
        let server = serve(|_, _| b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01".to_vec());
        let page = client().get(&server.url("/f"), LIMIT_BYTES);
        assert!(matches!(page, Err(Error::Truncated { got_bytes: 2, .. })), "{page:?}");
    }

    #[test]
    fn the_credentials_of_the_user_are_sent_only_to_their_host() {
        let server = serve(|request, _| match request.header("authorization") {
            Some(authorization) => reply(200, &[], authorization.as_bytes()),
            None => reply(401, &[], b""),
        });
        let dir = tempfile::tempdir().unwrap();
        let netrc = dir.path().join("netrc");
        std::fs::write(&netrc, "machine 127.0.0.1 login joe password secret").unwrap();
        let client = Client::new(NetworkSettings { netrc: Some(netrc.clone()), ..NetworkSettings::default() });
        // `joe:secret` in base 64.
        assert_eq!(client.get(&server.url("/f"), LIMIT_BYTES).unwrap(), b"Basic am9lOnNlY3JldA==");
        std::fs::write(&netrc, "machine another.invalid login joe password secret").unwrap();
        let client = Client::new(NetworkSettings { netrc: Some(netrc), ..NetworkSettings::default() });
        let refused = client.get(&server.url("/f"), LIMIT_BYTES);
        assert!(matches!(refused, Err(Error::Status { status: 401, .. })), "{refused:?}");
    }

    #[test]
    fn a_missing_file_is_not_retried_and_a_server_error_is() {
        let server = serve(|request, count| match (request.path.as_str(), count) {
            ("/missing", _) => reply(404, &[], b""),
            (_, 0 | 1) => reply(500, &[], b""),
            _ => reply(200, &[], b"ok"),
        });
        assert_eq!(client().get(&server.url("/flaky"), LIMIT_BYTES).unwrap(), b"ok");
        assert!(client().get(&server.url("/missing"), LIMIT_BYTES).unwrap_err().is_absent());
        assert_eq!(server.requests().len(), 4);
    }

    #[test]
    fn redirects_are_followed_up_to_a_limit_and_never_to_local_files() {
        let server = serve(|request, _| match request.path.as_str() {
            "/a" => reply(302, &[("location", "b")], b""),
            "/b" => reply(200, &[], b"found"),
            "/loop" => reply(301, &[("location", "/loop")], b""),
            _ => reply(302, &[("location", "file:///etc/passwd")], b""),
        });
        let page = client().page(&server.url("/a"), "*/*", LIMIT_BYTES).unwrap();
        assert_eq!((page.body.as_slice(), page.url.path()), (b"found".as_slice(), "/b"));
        let looping = client().get(&server.url("/loop"), LIMIT_BYTES);
        assert!(matches!(looping, Err(Error::RedirectLoop { .. })), "{looping:?}");
        let local = client().get(&server.url("/local"), LIMIT_BYTES);
        assert!(matches!(local, Err(Error::Redirect { .. })), "{local:?}");
    }

    #[test]
    fn a_page_larger_than_its_limit_is_refused() {
        let server = serve(|_, _| reply(200, &[], &[0; 100]));
        let page = client().get(&server.url("/"), 99);
        assert!(matches!(page, Err(Error::TooLarge { limit_bytes: 99, .. })), "{page:?}");
    }

    #[test]
    fn a_part_is_returned_if_the_server_supports_ranges() {
        let server = serve(|request, _| match request.path.as_str() {
            "/parts" => reply(206, &[("content-range", "bytes 6-9/10")], b"6789"),
            _ => reply(200, &[], b"0123456789"),
        });
        let part = client().part(&server.url("/parts"), None, 4).unwrap();
        assert_eq!(part, Some(Part { start: 6, bytes: b"6789".to_vec(), total_bytes: 10 }));
        assert_eq!(client().part(&server.url("/whole"), Some(6), 4).unwrap(), None);
    }

    #[test]
    fn credentials_in_the_url_are_sent_and_not_displayed() {
        let server = serve(|_, _| reply(403, &[], b""));
        let url = server.url("/f").replace("http://", "http://joe:s%40cret@");
        let error = client().get(&url, LIMIT_BYTES).unwrap_err();
        assert!(!error.to_string().contains("cret"), "{error}");
        assert_eq!(server.requests()[0].header("authorization"), Some("Basic am9lOnNAY3JldA=="));
    }

    #[test]
    fn an_unreachable_server_is_reported_with_the_setting_that_names_it() {
        let url = serve(|_, _| Vec::new()).url("/simple/");
        let error = client().get(&url, LIMIT_BYTES).unwrap_err();
        let hint = error.hint(Some("`PIP_INDEX_URL`")).unwrap();
        assert!(error.to_string().contains("/simple/") && hint.contains("`PIP_INDEX_URL`"), "{error}: {hint}");
    }

    #[test]
    fn a_proxy_is_used_unless_the_host_is_exempt() {
        let server = serve(|_, _| reply(502, &[], b""));
        let get = |no_proxy: &[&str]| {
            let no_proxy = no_proxy.iter().map(|host| host.to_string()).collect();
            let http_proxy = Some(server.url(""));
            let settings = NetworkSettings { http_proxy, no_proxy, attempts: 1, ..NetworkSettings::default() };
            let result = Client::new(settings).get("http://example.invalid/f", LIMIT_BYTES);
            assert!(result.is_err());
        };
        get(&[".invalid"]);
        assert_eq!(server.requests().len(), 0);
        get(&["other.invalid"]);
        assert_eq!(server.requests()[0].path, "example.invalid:80");
    }

    #[test]
    fn a_local_file_is_fetched_like_a_remote_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a b");
        std::fs::write(&path, "hello").unwrap();
        let url = Url::from_file_path(&path).unwrap();
        let mut out = Vec::new();
        client().download(url.as_str(), &expected(b"hello"), &mut out).unwrap();
        assert_eq!(out, b"hello");
        let missing = Url::from_file_path(dir.path().join("none")).unwrap();
        assert!(client().get(missing.as_str(), LIMIT_BYTES).unwrap_err().is_absent());
    }

    #[test]
    fn a_ca_bundle_without_certificates_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        for text in ["", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, text).unwrap();
            let settings = NetworkSettings { ca_bundle: Some(path.clone()), ..NetworkSettings::default() };
            let result = Client::new(settings).get("https://example.invalid/f", LIMIT_BYTES);
            assert!(matches!(result, Err(Error::CaBundle { .. })), "{text}");
        }
    }
}
