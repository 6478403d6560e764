//! A complete description of a service, and how its placeholders are replaced.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::typed::{Ready, ReadyWord, ServiceTable};
use crate::services::Error;

/// Where services listen: the loopback interface of the sandbox of a test.
const HOST: &str = "127.0.0.1";

/// Longer than the slowest service takes to start while all processors are busy.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name.
    pub name: String,
    /// The Debian packages, see [`ServiceTable::packages`].
    pub packages: Vec<String>,
    /// Directories of programs, absolute, with `*` for any text.
    pub path: Vec<String>,
    /// The port, if it has one.
    pub port: Option<u16>,
    /// The command that makes the data directory, with placeholders.
    pub init: Option<Vec<String>>,
    /// The command that runs the service, with placeholders.
    pub start: Vec<String>,
    /// How to find out that it can be used, with placeholders.
    pub ready: Ready,
    /// The time in which it must become ready.
    pub timeout: Duration,
    variables: BTreeMap<String, String>,
    env: BTreeMap<String, String>,
}

/// The directories of a service in a sandbox.
#[derive(Clone, Debug)]
pub struct Place {
    /// A directory of its own, which is empty at first.
    pub dir: String,
    /// The directory that `init` makes.
    pub data: String,
}

impl Service {
    /// The service of this name.
    pub(super) fn new(name: &str, table: ServiceTable) -> Result<Service, Error> {
        let missing = |key| Error::Incomplete { name: name.to_owned(), key };
        let start = table.start.filter(|start| !start.is_empty()).ok_or_else(|| missing("start"))?;
        let default = if table.port.is_some() { Some(Ready::Word(ReadyWord::Port)) } else { None };
        let ready = table.ready.or(default).ok_or_else(|| missing("ready"))?;
        if ready == Ready::Word(ReadyWord::Port) && table.port.is_none() {
            return Err(missing("port"));
        }
        Ok(Service {
            name: name.to_owned(),
            packages: table.packages.unwrap_or_default(),
            path: table.path.unwrap_or_default(),
            port: table.port,
            init: table.init,
            start,
            ready,
            timeout: table.timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs),
            variables: table.variables.unwrap_or_default(),
            env: table.env.unwrap_or_default(),
        })
    }

    /// The variables for tests, by name.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.variables.iter().map(|(name, value)| (name.clone(), self.filled(value, None))).collect()
    }

    /// The variables of the service itself, by name.
    pub fn env(&self, place: &Place) -> BTreeMap<String, String> {
        self.env.iter().map(|(name, value)| (name.clone(), self.filled(value, Some(place)))).collect()
    }

    /// A command of the service at this place.
    pub fn command(&self, words: &[String], place: &Place) -> Vec<String> {
        words.iter().map(|word| self.filled(word, Some(place))).collect()
    }

    /// A text with all placeholders replaced. Other braces stay as they are, because configuration files contain them.
    fn filled(&self, text: &str, place: Option<&Place>) -> String {
        let mut text = text.replace("{host}", HOST).replace("{name}", &self.name);
        if let Some(port) = self.port {
            text = text.replace("{port}", &port.to_string());
        }
        match place {
            Some(place) => text.replace("{dir}", &place.dir).replace("{data}", &place.data),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(table: ServiceTable) -> Result<Service, Error> {
        Service::new("it", ServiceTable { start: Some(vec!["run".to_owned()]), ..table })
    }

    #[test]
    fn placeholders_are_replaced_and_other_braces_stay() {
        let it = service(ServiceTable { port: Some(80), ..ServiceTable::default() }).unwrap();
        let place = Place { dir: "/tmp/d".to_owned(), data: "/tmp/d/data".to_owned() };
        let words = ["--listen={host}:{port}", "{dir}/{name}", "{data}", "{ \"a\": {} }"].map(str::to_owned);
        let expected = ["--listen=127.0.0.1:80", "/tmp/d/it", "/tmp/d/data", "{ \"a\": {} }"];
        assert_eq!(it.command(&words, &place), expected);
    }

    #[test]
    fn a_service_without_a_port_says_how_it_becomes_ready() {
        let key = |table| match service(table) {
            Err(Error::Incomplete { key, .. }) => key,
            other => panic!("{other:?}"),
        };
        assert_eq!(key(ServiceTable::default()), "ready");
        let by_port = Some(Ready::Word(ReadyWord::Port));
        assert_eq!(key(ServiceTable { ready: by_port, ..ServiceTable::default() }), "port");
        assert!(service(ServiceTable { port: Some(80), ..ServiceTable::default() }).is_ok());
    }
}
