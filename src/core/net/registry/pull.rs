//! Downloads from a registry: manifests and blobs, each checked by its hash. Registries often keep blobs on another host and redirect
//! to it. What manifests say is read by the caller.

use std::io::Write;

use ureq::http::Method;
use url::Url;

use super::super::client::follow;
use super::super::response::Response;
use super::super::{Error, Expected};
use super::{Headers, Registry, refusal};

/// The formats of manifests that are asked for: those of images and of lists of images for several platforms.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// What a registry stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A description of an image, or of images for several platforms.
    Manifest,
    /// A layer or a configuration.
    Blob,
}

impl Registry<'_> {
    /// Writes what the registry has under a hash to `out`, and returns its size. The written bytes must be discarded unless the result
    /// is `Ok`, since they are verified last.
    pub fn pull(&mut self, stored: Stored, expected: &Expected, out: &mut dyn Write) -> Result<u64, Error> {
        let (place, accept) = match stored {
            Stored::Manifest => ("manifests", MANIFESTS),
            Stored::Blob => ("blobs", "*/*"),
        };
        let url = self.url(&format!("{place}/sha256:{}", expected.sha256))?;
        let client = self.client;
        client.download_with(&url, expected, out, &mut |headers| {
            let headers: Vec<_> = headers.iter().copied().chain([("accept", accept)]).collect();
            self.open(&url, &headers)
        })
    }

    /// One attempt. Redirects are followed, and the response has a success status.
    fn open(&mut self, url: &Url, headers: &Headers<'_>) -> Result<Response, Error> {
        let (url, answer) = follow(url, |url| self.send_once(&Method::GET, url, headers, &|| Ok(None)))?;
        if answer.status().is_success() { Response::from_http(url, answer) } else { Err(refusal(&url, answer)) }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::net::server::{Request, Server, reply};
    use crate::net::{Client, Login, NetworkSettings};

    const CONTENT: &[u8] = b"a layer";

    fn expected(bytes: &[u8]) -> Expected {
        Expected { sha256: format!("{:x}", Sha256::digest(bytes)), size_bytes: Some(bytes.len() as u64) }
    }

    /// Pulls a blob of these bytes from a server.
    fn pull(server: &Server, login: Login) -> Result<Vec<u8>, Error> {
        let client = Client::new(NetworkSettings { attempts: 1, ..NetworkSettings::default() });
        let host = server.url("").trim_start_matches("http://").to_owned();
        let mut registry = Registry::new(&client, &host, "team/app", login)?;
        let mut out = Vec::new();
        registry.pull(Stored::Blob, &expected(CONTENT), &mut out).map(|_| out)
    }

    fn is_blob(request: &Request) -> bool {
        request.path == format!("/v2/team/app/blobs/sha256:{:x}", Sha256::digest(CONTENT))
    }

    #[test]
    fn a_blob_is_fetched_and_checked() {
        let server = Server::start(|request| reply(if is_blob(request) { 200 } else { 404 }, &[], CONTENT));
        assert_eq!(pull(&server, Login::Anonymous).unwrap(), CONTENT);
        let liar = Server::start(|_| reply(200, &[], b"a lawyer"));
        let error = pull(&liar, Login::Anonymous).unwrap_err();
        assert!(matches!(error, Error::WrongSize { .. }), "{error}");
        let liar = Server::start(|_| reply(200, &[], b"a liver"));
        let error = pull(&liar, Login::Anonymous).unwrap_err();
        assert!(matches!(error, Error::WrongHash { .. }), "{error}");
    }

    #[test]
    fn another_host_to_which_a_registry_redirects_gets_no_password() {
        let storage = Server::start(|request| {
            let refused = request.header("authorization").is_some();
            reply(if refused { 400 } else { 200 }, &[], CONTENT)
        });
        let place = storage.url("/bucket/x");
        let server = Server::start(move |request| match request.header("authorization") {
            Some("Basic am9lOnNlY3JldA==") => reply(307, &[("location", &place)], b""),
            _ => reply(401, &[("www-authenticate", "Basic realm=\"x\"")], b""),
        });
        let password = Login::Password("joe".to_owned(), "secret".to_owned());
        assert_eq!(pull(&server, password).unwrap(), CONTENT);
        assert_eq!(storage.requests().len(), 1);
        assert_eq!(server.requests().len(), 2);
    }

    #[test]
    fn a_token_is_fetched_once_for_all_parts() {
        let server = Server::start(|request| {
            let host = request.header("host").unwrap().to_owned();
            let challenge =
                format!("Bearer realm=\"http://{host}/token\",service=\"here\",scope=\"repository:team/app:pull\"");
            match (request.path.split('?').next().unwrap(), request.header("authorization")) {
                ("/token", None) => reply(200, &[], br#"{"access_token":"t1"}"#),
                (_, Some("Bearer t1")) => reply(200, &[], CONTENT),
                _ => reply(401, &[("www-authenticate", &challenge)], b""),
            }
        });
        let client = Client::new(NetworkSettings { attempts: 1, ..NetworkSettings::default() });
        let host = server.url("").trim_start_matches("http://").to_owned();
        let mut registry = Registry::new(&client, &host, "team/app", Login::Anonymous).unwrap();
        for stored in [Stored::Manifest, Stored::Blob] {
            registry.pull(stored, &expected(CONTENT), &mut Vec::new()).unwrap();
        }
        let paths: Vec<String> = server.requests().into_iter().map(|request| request.path).collect();
        assert_eq!(paths.len(), 4, "{paths:?}");
        assert_eq!(paths[1], "/token?service=here&scope=repository%3Ateam%2Fapp%3Apull&client_id=waders");
    }

    #[test]
    fn a_registry_with_a_limit_is_asked_again() {
        let count = std::sync::atomic::AtomicUsize::new(0);
        let busy = br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
        let server = Server::start(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => reply(429, &[], busy),
            _ => reply(200, &[], CONTENT),
        });
        let retry_delay = std::time::Duration::from_millis(1);
        let client = Client::new(NetworkSettings { attempts: 2, retry_delay, ..NetworkSettings::default() });
        let host = server.url("").trim_start_matches("http://").to_owned();
        let mut registry = Registry::new(&client, &host, "team/app", Login::Anonymous).unwrap();
        assert_eq!(registry.pull(Stored::Blob, &expected(CONTENT), &mut Vec::new()).unwrap(), CONTENT.len() as u64);
    }

    #[test]
    fn the_reason_of_a_refusal_is_reported() {
        let body = br#"{"errors":[{"code":"DENIED","message":"not for you"}]}"#;
        let server = Server::start(move |_| reply(403, &[], body));
        let error = pull(&server, Login::Anonymous).unwrap_err().to_string();
        assert!(error.ends_with("with status 403: DENIED not for you"), "{error}");
        let server = Server::start(|_| reply(401, &[("www-authenticate", "Basic realm=\"x\"")], b""));
        let error = pull(&server, Login::Anonymous).unwrap_err();
        assert!(matches!(error, Error::Status { status: 401, .. }), "{error}");
    }
}
