//! The user's names and passwords by host, from the file that curl, pip and uv read too. They are added to requests and never
//! displayed or stored.

use std::path::Path;

use url::Url;
use uv_netrc::Netrc;

use super::{Error, location};

/// Names and passwords by host.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    netrc: Netrc,
}

impl Credentials {
    /// Reads the file. One that does not exist contains nothing.
    pub(super) fn read(path: Option<&Path>) -> Result<Credentials, Error> {
        let Some(path) = path.filter(|path| path.is_file()) else { return Ok(Credentials::default()) };
        let netrc =
            Netrc::from_file(path).map_err(|error| Error::Netrc { path: path.to_owned(), why: error.to_string() })?;
        Ok(Credentials { netrc })
    }

    /// The URL with the name and the password for its host, unless it has credentials of its own.
    pub(super) fn apply(&self, url: &Url) -> Url {
        let mut url = url.clone();
        if location::has_credentials(&url) {
            return url;
        }
        let known = url.host_str().and_then(|host| self.netrc.hosts.get(host).or(self.netrc.hosts.get("default")));
        if let Some(known) = known {
            // These calls fail only for URLs that cannot have credentials.
            let _ = url.set_username(&known.login);
            let _ = url.set_password(Some(&known.password));
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(netrc: &str, url: &str, expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("netrc");
        std::fs::write(&path, netrc).unwrap();
        let credentials = Credentials::read(Some(&path)).unwrap();
        assert_eq!(credentials.apply(&Url::parse(url).unwrap()).as_str(), expected, "{netrc}");
    }

    #[test]
    fn the_credentials_of_a_host_are_added() {
        let netrc = "machine a.invalid login joe password s@cret\nmachine b.invalid login eve password x\n";
        check(netrc, "https://a.invalid/simple", "https://joe:s%40cret@a.invalid/simple");
        check(netrc, "https://c.invalid/simple", "https://c.invalid/simple");
        check(netrc, "https://me:1@a.invalid/", "https://me:1@a.invalid/");
        check("default login any password x", "http://c.invalid/", "http://any:x@c.invalid/");
    }

    #[test]
    fn a_missing_file_contains_nothing_and_an_invalid_one_is_an_error() {
        assert!(Credentials::read(Some(Path::new("/nonexistent/netrc"))).unwrap().netrc.hosts.is_empty());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("netrc");
        std::fs::write(&path, "machine a login joe secret x").unwrap();
        let error = Credentials::read(Some(&path)).unwrap_err();
        assert!(matches!(error, Error::Netrc { .. }), "{error}");
    }
}
