//! What makes connections: TLS, proxies, name resolution and the user's passwords, from the settings. Requests are made in `client`.

use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Proxy, ProxyProtocol};

use super::netrc::Credentials;
use super::resolver::CachedResolver;
use super::{Error, NetworkSettings};

/// The number of connections that are kept open for further requests.
const IDLE_CONNECTIONS: usize = 50;

/// The HTTP clients by scheme, which can have different proxies, and the user's passwords.
pub(super) struct Agents {
    pub http: Agent,
    pub https: Agent,
    pub credentials: Credentials,
}

impl Agents {
    /// Reads the files that the settings name. No connection is made yet.
    pub(super) fn new(settings: &NetworkSettings) -> Result<Agents, Error> {
        let roots = match &settings.ca_bundle {
            Some(path) => RootCerts::new_with_certs(&certificates(path)?),
            None => RootCerts::PlatformVerifier,
        };
        Ok(Agents {
            http: agent(settings, &roots, settings.http_proxy.as_deref())?,
            https: agent(settings, &roots, settings.https_proxy.as_deref())?,
            credentials: Credentials::read(settings.netrc.as_deref())?,
        })
    }
}

fn agent(settings: &NetworkSettings, roots: &RootCerts, proxy: Option<&str>) -> Result<Agent, Error> {
    let proxy = proxy.map(|proxy| self::proxy(proxy, &settings.no_proxy)).transpose()?;
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        // Always set, even to `None`: by default `ureq` reads the environment.
        .proxy(proxy)
        .tls_config(TlsConfig::builder().root_certs(roots.clone()).build())
        .user_agent(concat!("waders/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(settings.connect_timeout))
        .timeout_recv_response(Some(settings.idle_timeout))
        .timeout_per_read(Some(settings.idle_timeout))
        // uv asks for so many pages at once; the default of 3 for each host would open new connections all the time.
        .max_idle_connections(IDLE_CONNECTIONS)
        .max_idle_connections_per_host(IDLE_CONNECTIONS)
        .build();
    Ok(Agent::with_parts(config, DefaultConnector::default(), CachedResolver::default()))
}

fn proxy(text: &str, no_proxy: &[String]) -> Result<Proxy, Error> {
    let refuse = || Error::Proxy { proxy: text.rsplit_once('@').map_or(text, |(_, host)| host).to_owned() };
    let parsed = Proxy::new(text).map_err(|_| refuse())?;
    if no_proxy.is_empty() {
        return Ok(parsed);
    }
    let protocol = match parsed.protocol() {
        protocol @ (ProxyProtocol::Http | ProxyProtocol::Https) => protocol,
        _ => return Err(refuse()),
    };
    let mut builder = Proxy::builder(protocol).host(parsed.host()).port(parsed.port());
    if let Some(username) = parsed.username() {
        builder = builder.username(username);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    no_proxy.iter().fold(builder, |builder, host| builder.no_proxy(host)).build().map_err(|_| refuse())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let refuse = |why: String| Error::CaBundle { path: path.to_owned(), why };
    let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(error) => Some(Err(refuse(error.to_string()))),
        })
        .collect::<Result<_, _>>()?;
    if certificates.is_empty() { Err(refuse("it contains no certificate".to_owned())) } else { Ok(certificates) }
}
