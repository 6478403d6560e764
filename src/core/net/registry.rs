//! Pushes images to a registry and pulls their parts: the distribution protocol of the Open Container Initiative
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>), and its two ways to log in. What an image consists of
//! is decided by the caller. Downloads are in `pull`.

mod pull;

pub use pull::Stored;

use std::io::{self, Read};
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Deserialize;
use ureq::http::{Method, Response, Uri};
use url::{Host, Url};

use super::client::Outgoing;
use super::response::header;
use super::{Client, Error, location};

/// The size limit of error messages and tokens.
const ANSWER_LIMIT_BYTES: u64 = 1 << 20;
/// The user name that stands for an identity token in a request for an access token.
const TOKEN_USER: &str = "<token>";

/// How a user logs in to a registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// Without credentials.
    Anonymous,
    /// With a name and a password.
    Password(String, String),
    /// With a token that is exchanged for access tokens.
    Identity(String),
}

/// How the user logs in to a host, or why that cannot be found out.
pub type Logins = Arc<dyn Fn(&str) -> Result<Login, String> + Send + Sync>;

/// One repository of a registry.
pub struct Registry<'c> {
    client: &'c Client,
    /// The URL of the protocol's version 2, with a final slash.
    base: Url,
    repository: String,
    login: Login,
    /// The header of the last successful login.
    authorization: Option<String>,
}

/// The answer of a token server.
#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

/// The errors that a registry reports.
#[derive(Deserialize)]
struct Problems {
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl<'c> Registry<'c> {
    /// The repository of a registry. `host` may have a port. As with Docker, only a registry on this machine is reached without TLS.
    pub fn new(client: &'c Client, host: &str, repository: &str, login: Login) -> Result<Registry<'c>, Error> {
        let scheme = if is_local(host) { "http" } else { "https" };
        let base = location::parse(&format!("{scheme}://{host}/v2/"))?;
        Ok(Registry { client, base, repository: repository.to_owned(), login, authorization: None })
    }

    /// Uploads a blob unless the registry has it, and returns whether it was uploaded. `open` opens its bytes from the start.
    pub fn push_blob(
        &mut self,
        sha256: &str,
        size_bytes: u64,
        open: &dyn Fn() -> io::Result<Box<dyn Read>>,
    ) -> Result<bool, Error> {
        let digest = format!("sha256:{sha256}");
        let url = self.url(&format!("blobs/{digest}"))?;
        let known = self.send(Method::HEAD, &url, &[], &|| Ok(None))?;
        // Some registries keep blobs elsewhere, and name the place only for blobs that they have.
        if known.status().is_success() || known.status().is_redirection() {
            return Ok(false);
        }
        if known.status() != 404 {
            return Err(refusal(&url, known));
        }
        let url = self.url("blobs/uploads/")?;
        let started = self.send(Method::POST, &url, &[], &|| Ok(Some((Box::new(io::empty()), 0))))?;
        if started.status() != 202 {
            return Err(refusal(&url, started));
        }
        let place = header(&started, "location");
        let bad_place =
            || Error::BadUrl { url: place.to_owned(), why: "the registry named it for an upload".to_owned() };
        let mut url = url.join(place).map_err(|_| bad_place())?;
        url.query_pairs_mut().append_pair("digest", &digest);
        let bytes = [("content-type", "application/octet-stream")];
        let done = self.send(Method::PUT, &url, &bytes, &|| Ok(Some((open()?, size_bytes))))?;
        if done.status() == 201 { Ok(true) } else { Err(refusal(&url, done)) }
    }

    /// Uploads a manifest, whose blobs the registry must have, under a tag.
    pub fn push_manifest(&mut self, tag: &str, media_type: &str, manifest: &[u8]) -> Result<(), Error> {
        let url = self.url(&format!("manifests/{tag}"))?;
        let open =
            || -> io::Result<Body> { Ok(Some((Box::new(io::Cursor::new(manifest.to_vec())), manifest.len() as u64))) };
        let done = self.send(Method::PUT, &url, &[("content-type", media_type)], &open)?;
        if done.status() == 201 { Ok(()) } else { Err(refusal(&url, done)) }
    }

    fn url(&self, path: &str) -> Result<Url, Error> {
        let path = format!("{}/{path}", self.repository);
        self.base.join(&path).map_err(|error| Error::BadUrl { url: path, why: error.to_string() })
    }

    /// Sends a request, and again after a login if the registry asks for one. Transient errors are retried.
    fn send(&mut self, method: Method, url: &Url, headers: &Headers<'_>, open: &OpenBody<'_>) -> Result<Answer, Error> {
        let client = self.client;
        client.retrying(|| {
            let answer = self.send_once(&method, url, headers, open)?;
            let status = answer.status().as_u16();
            let error = Error::Status { url: location::for_display(url), status };
            if error.is_transient() { Err(error) } else { Ok(answer) }
        })
    }

    /// Sends a request, and again after a login if the registry asks for one.
    fn send_once(
        &mut self,
        method: &Method,
        url: &Url,
        headers: &Headers<'_>,
        open: &OpenBody<'_>,
    ) -> Result<Answer, Error> {
        let answer = self.attempt(method, url, headers, open)?;
        if answer.status() != 401 || !self.is_own(url) {
            return Ok(answer);
        }
        let challenge = header(&answer, "www-authenticate").to_owned();
        let Some(authorization) = self.log_in(&challenge)? else { return Err(refusal(url, answer)) };
        self.authorization = Some(authorization);
        let answer = self.attempt(method, url, headers, open)?;
        if answer.status() == 401 { Err(refusal(url, answer)) } else { Ok(answer) }
    }

    fn attempt(&self, method: &Method, url: &Url, headers: &Headers<'_>, open: &OpenBody<'_>) -> Result<Answer, Error> {
        let authorization = self.authorization.as_deref().filter(|_| self.is_own(url));
        let mut body = open().map_err(|source| Error::Body { url: location::for_display(url), source })?;
        let body = body.as_mut().map(|(reader, size_bytes)| (&mut **reader as &mut dyn Read, *size_bytes));
        let mut headers = headers.to_vec();
        headers.extend(authorization.map(|value| ("authorization", value)));
        self.client.send(Outgoing { method, url, headers: &headers, body })
    }

    /// Whether an address is one of the registry. Uploads and downloads may lead to another host, which gets no password of this one.
    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// The header that answers a challenge (RFC 9110, 11.6.1): a password, or a token of the server that it names. `None` if there is
    /// nothing to answer with.
    fn log_in(&self, challenge: &str) -> Result<Option<String>, Error> {
        let (scheme, parameters) = challenge.split_once(' ').unwrap_or((challenge, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Ok(self.basic());
        }
        let value = |name: &str| parameter(parameters, name);
        let Some(realm) = value("realm").filter(|_| scheme.eq_ignore_ascii_case("bearer")) else { return Ok(None) };
        let url = location::parse(&realm)?;
        if url.scheme() != "https" && self.base.scheme() == "https" {
            let why = "the registry wants the password to be sent there without encryption".to_owned();
            return Err(Error::BadUrl { url: location::for_display(&url), why });
        }
        let scope = value("scope").unwrap_or_else(|| format!("repository:{}:pull,push", self.repository));
        let service = value("service").unwrap_or_default();
        self.token(url, &service, &scope).map(|token| Some(format!("Bearer {token}")))
    }

    /// An access token: <https://distribution.github.io/distribution/spec/auth/>.
    fn token(&self, mut url: Url, service: &str, scope: &str) -> Result<String, Error> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("service", service), ("scope", scope), ("client_id", "waders")])
            .finish();
        let shown = location::for_display(&url);
        let answer = match &self.login {
            Login::Identity(identity) => {
                let form = url::form_urlencoded::Serializer::new(form)
                    .extend_pairs([("grant_type", "refresh_token"), ("refresh_token", identity)])
                    .finish();
                let headers = [("content-type", "application/x-www-form-urlencoded")];
                let body = Some((&mut form.as_bytes() as &mut dyn Read, form.len() as u64));
                self.client.send(Outgoing { method: &Method::POST, url: &url, headers: &headers, body })?
            }
            Login::Anonymous | Login::Password(..) => {
                url.set_query(Some(&form));
                let basic = self.basic();
                let headers: Vec<_> = basic.iter().map(|value| ("authorization", value.as_str())).collect();
                self.client.send(Outgoing { method: &Method::GET, url: &url, headers: &headers, body: None })?
            }
        };
        if !answer.status().is_success() {
            return Err(refusal(&url, answer));
        }
        let refuse = |why: String| Error::Refused { url: shown.clone(), status: 200, why };
        let bytes = answer.into_body().with_config().limit(ANSWER_LIMIT_BYTES).read_to_vec();
        let bytes = bytes.map_err(|error| refuse(error.to_string()))?;
        let token: Token = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
        match [token.token, token.access_token].into_iter().find(|token| !token.is_empty()) {
            Some(token) => Ok(token),
            None => Err(refuse("the answer has no token".to_owned())),
        }
    }

    fn basic(&self) -> Option<String> {
        let (user, password) = match &self.login {
            Login::Anonymous => return None,
            Login::Password(user, password) => (user.as_str(), password),
            Login::Identity(token) => (TOKEN_USER, token),
        };
        Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
    }
}

type Answer = Response<ureq::Body>;
/// Names of headers in lower case, and values.
type Headers<'h> = [(&'h str, &'h str)];
/// The bytes of a request and their number.
type Body = Option<(Box<dyn Read>, u64)>;
type OpenBody<'a> = dyn Fn() -> io::Result<Body> + 'a;

/// Whether the host is this machine: the loopback names and addresses.
fn is_local(host: &str) -> bool {
    let Ok(uri) = format!("http://{host}/").parse::<Uri>() else { return false };
    match Host::parse(uri.host().unwrap_or_default()) {
        Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    }
}

/// What a registry reported in place of success.
fn refusal(url: &Url, answer: Answer) -> Error {
    let (url, status) = (location::for_display(url), answer.status().as_u16());
    let bytes = answer.into_body().with_config().limit(ANSWER_LIMIT_BYTES).read_to_vec().unwrap_or_default();
    let problems = serde_json::from_slice::<Problems>(&bytes).map(|problems| problems.errors).unwrap_or_default();
    let texts: Vec<String> = problems.iter().map(|Problem { code, message }| format!("{code} {message}")).collect();
    match texts.is_empty() {
        true => Error::Status { url, status },
        false => Error::Refused { url, status, why: texts.join("; ").trim().to_owned() },
    }
}

/// A parameter of a challenge, such as `scope` of `realm="…",scope="a,b"`.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    while let Some((key, after)) = rest.split_once('=') {
        let value = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"'),
            None => Some(after.split_once(',').unwrap_or((after, ""))),
        };
        let (value, after) = value?;
        if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::NetworkSettings;
    use crate::net::server::{Server, reply};

    fn client() -> Client {
        Client::new(NetworkSettings { attempts: 1, ..NetworkSettings::default() })
    }

    /// Pushes a blob and a manifest to a server, and returns what happened and what the server was asked.
    fn push(server: &Server, login: Login) -> (Result<bool, Error>, Vec<String>) {
        let client = client();
        let host = server.url("").trim_start_matches("http://").to_owned();
        let mut registry = Registry::new(&client, &host, "team/app", login).unwrap();
        let open = || -> io::Result<Box<dyn Read>> { Ok(Box::new(b"abc".as_slice())) };
        let pushed = registry.push_blob("ab12", 3, &open);
        let pushed = pushed.and_then(|uploaded| registry.push_manifest("1.0", "text/plain", b"{}").map(|()| uploaded));
        (pushed, server.requests().into_iter().map(|request| format!("{} {}", request.method, request.path)).collect())
    }

    #[test]
    fn a_missing_blob_is_uploaded_where_the_registry_says() {
        let server = Server::start(|request| match request.method.as_str() {
            "HEAD" => reply(404, &[], b""),
            "POST" => reply(202, &[("location", "/elsewhere?state=1")], b""),
            _ => reply(201, &[], b""),
        });
        let (pushed, requests) = push(&server, Login::Anonymous);
        assert!(pushed.unwrap());
        assert_eq!(
            requests,
            [
                "HEAD /v2/team/app/blobs/sha256:ab12",
                "POST /v2/team/app/blobs/uploads/",
                "PUT /elsewhere?state=1&digest=sha256%3Aab12",
                "PUT /v2/team/app/manifests/1.0",
            ]
        );
    }

    #[test]
    fn a_known_blob_is_not_uploaded() {
        let server = Server::start(|request| reply(if request.method == "HEAD" { 200 } else { 201 }, &[], b""));
        let (pushed, requests) = push(&server, Login::Anonymous);
        assert!(!pushed.unwrap());
        assert_eq!(requests.len(), 2);
    }

    #[test]
    fn a_token_is_fetched_with_the_password_where_the_registry_says() {
        let server = Server::start(|request| {
            let authorization = request.header("authorization").unwrap_or_default().to_owned();
            let host = request.header("host").unwrap().to_owned();
            let challenge =
                format!("Bearer realm=\"http://{host}/token\",service=\"here\",scope=\"repository:a:pull,push\"");
            match (request.path.split('?').next().unwrap(), authorization.as_str()) {
                ("/token", "Basic am9lOnNlY3JldA==") => reply(200, &[], br#"{"token":"t1"}"#),
                ("/token", _) => reply(401, &[], br#"{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}"#),
                (_, "Bearer t1") => reply(if request.method == "HEAD" { 200 } else { 201 }, &[], b""),
                _ => reply(401, &[("www-authenticate", &challenge)], b""),
            }
        });
        let password = |text: &str| Login::Password("joe".to_owned(), text.to_owned());
        let (pushed, requests) = push(&server, password("secret"));
        assert!(!pushed.unwrap());
        assert_eq!(requests[1], "GET /token?service=here&scope=repository%3Aa%3Apull%2Cpush&client_id=waders");
        let (refused, _) = push(&server, password("wrong"));
        let message = refused.unwrap_err().to_string();
        assert!(message.ends_with("/token` with status 401: UNAUTHORIZED who are you"), "{message}");
    }

    #[test]
    fn only_this_machine_is_reached_without_encryption() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["registry.example.invalid", "127.0.0.1.example.invalid", "10.0.0.1:5000", "::1", ""] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn parameters_of_a_challenge_may_be_quoted() {
        let text = r#"realm="https://a.invalid/t", service=b,scope="x,y""#;
        assert_eq!(parameter(text, "service").as_deref(), Some("b"));
        assert_eq!(parameter(text, "scope").as_deref(), Some("x,y"));
        assert_eq!(parameter(text, "other"), None);
    }
}
