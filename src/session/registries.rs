//! Pushes images of the store to registries, with the logins of the user's container tools. The protocol is in `net`, and what is pulled
//! is planned in `prepare::package::image`.

use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::sync::Arc;

use docker_credential::{CredentialRetrievalError, DockerCredential};

use crate::config::Environment;
use crate::net::{Login, Logins, Registry};
use crate::packaging::oci::layout::{self, Image};
use crate::session::{self, Session};
use crate::tracked::Tracker;

/// Why an image cannot be pushed, apart from what the network and the registry answer.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages describe the fields")]
pub enum Error {
    #[error("the name `{0}` contains no registry")]
    NoRegistry(String),
    #[error("cannot read the login of `{host}` from `{}`: {why}", path.display())]
    Login { path: PathBuf, host: String, why: String },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::NoRegistry(_) => {
                "name one in the field `registries`, or a default one in `registries` in the section `[docker]`"
            }
            Error::Login { .. } => "log in again with a container tool, such as `docker login` or `skopeo login`",
        }
    }
}

/// Pushes an image under one of its names, with the parts that the registry does not have, and returns the number of bytes sent.
pub fn push(session: &mut Session, image: &Image, name: &str) -> Result<u64, session::Error> {
    let (repository, tag) = layout::split_name(name);
    let (host, path) = layout::split_host(repository).ok_or_else(|| Error::NoRegistry(name.to_owned()))?;
    let login = login(session.environment(), &session.context.tracker, host)?;
    let store = session.services.open_store()?;
    let client = session.context.http_client();
    let mut registry = Registry::new(&client, host, path, login)?;
    let phase = session.ui.console.phase(&format!("pushing {name}"));
    let mut sent_bytes = 0;
    for (sha256, content) in &image.blobs {
        let file = store.open_blob(*content)?;
        let open = || -> io::Result<Box<dyn Read>> {
            let mut file = file.try_clone()?;
            file.rewind()?;
            Ok(Box::new(file))
        };
        if registry.push_blob(sha256, content.size_bytes(), &open)? {
            sent_bytes += content.size_bytes();
        }
    }
    registry.push_manifest(tag, &image.media_type, &image.manifest)?;
    drop(phase);
    Ok(sent_bytes)
}

/// The logins of the user for what steps pull. They cannot change what is pulled, so that no plan depends on the files.
pub(super) fn logins(environment: &Environment) -> Logins {
    let environment = environment.clone();
    Arc::new(move |host| login(&environment, &Tracker::default(), host).map_err(|error| error.to_string()))
}

/// How the user logs in to a host, according to the first file that knows it.
fn login(environment: &Environment, tracker: &Tracker, host: &str) -> Result<Login, Error> {
    for path in files(environment) {
        let Ok(text) = tracker.read(&path) else { continue };
        match docker_credential::get_credential_from_reader(text.as_slice(), host) {
            Ok(DockerCredential::IdentityToken(token)) => return Ok(Login::Identity(token)),
            Ok(DockerCredential::UsernamePassword(user, password)) => return Ok(Login::Password(user, password)),
            Err(CredentialRetrievalError::NoCredentialConfigured) => {}
            // A program that stores passwords answers this where it has none.
            Err(CredentialRetrievalError::HelperFailure { stdout, .. }) if stdout.contains("not found") => {}
            Err(error) => return Err(Error::Login { path, host: host.to_owned(), why: error.to_string() }),
        }
    }
    Ok(Login::Anonymous)
}

/// The files in which Docker, Podman and Skopeo keep logins, as their manuals name them.
fn files(environment: &Environment) -> Vec<PathBuf> {
    let var = |name: &str| environment.var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = environment.home.as_deref();
    let docker = var("DOCKER_CONFIG").or_else(|| Some(home?.join(".docker")));
    let containers = var("XDG_CONFIG_HOME").or_else(|| Some(home?.join(".config")));
    let found = [
        var("REGISTRY_AUTH_FILE"),
        docker.map(|dir| dir.join("config.json")),
        var("XDG_RUNTIME_DIR").map(|dir| dir.join("containers/auth.json")),
        containers.map(|dir| dir.join("containers/auth.json")),
    ];
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn check(home: &Path, host: &str, expected: Login) {
        let environment = Environment { home: Some(home.to_owned()), ..Environment::default() };
        assert!(login(&environment, &Tracker::default(), host).unwrap() == expected, "{host}");
    }

    #[test]
    fn the_logins_of_container_tools_are_used_for_their_hosts() {
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let password = |user: &str, password: &str| Login::Password(user.to_owned(), password.to_owned());
        check(home.path(), "a.example.invalid", Login::Anonymous);
        write(".docker/config.json", r#"{"auths":{"a.example.invalid":{"auth":"am9lOnNlY3JldA=="}}}"#);
        write(".config/containers/auth.json", r#"{"auths":{"localhost:5000":{"auth":"ZXZlOng="}}}"#);
        check(home.path(), "a.example.invalid", password("joe", "secret"));
        check(home.path(), "localhost:5000", password("eve", "x"));
        check(home.path(), "b.example.invalid", Login::Anonymous);
    }

    #[test]
    fn an_invalid_file_is_an_error_that_shows_no_password() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".docker")).unwrap();
        std::fs::write(home.path().join(".docker/config.json"), r#"{"auths":{"a":{"auth":"secret!"}}}"#).unwrap();
        let environment = Environment { home: Some(home.path().to_owned()), ..Environment::default() };
        let Err(error) = login(&environment, &Tracker::default(), "a") else { panic!("the file is invalid") };
        let message = error.to_string();
        assert!(message.contains("config.json") && !message.contains("secret"), "{message}");
    }
}
