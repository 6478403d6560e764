//! A complete description of a service, and how its placeholders are replaced.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::typed::{ContainerTable, Ready, ReadyWord, ServiceTable};
use crate::services::Error;

/// Where services listen: the loopback interface of the sandbox of a test.
const HOST: &str = "127.0.0.1";

/// The directory of the directories of services, in memory.
const DIRECTORY: &str = "/tmp/.services";

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
    /// The SQL files and programs that fill the data directory.
    pub fill: Vec<String>,
    /// The command that runs the service, with placeholders.
    pub start: Vec<String>,
    /// How to find out that it can be used, with placeholders.
    pub ready: Ready,
    /// The signal that ends it, such as `TERM`.
    pub stop: String,
    /// The names of container images that it stands for.
    pub images: Vec<String>,
    /// For a Docker Engine API: the names of the services whose images it has.
    pub offers: Vec<String>,
    /// What its container image does besides.
    pub container: ContainerTable,
    /// The time in which it must become ready.
    pub timeout: Duration,
    variables: BTreeMap<String, String>,
    env: BTreeMap<String, String>,
}

/// What the placeholders of a service stand for.
#[derive(Clone, Debug)]
pub struct Place {
    /// A directory of its own, which is empty at first.
    pub dir: String,
    /// The directory that `init` makes.
    pub data: String,
    /// Its port, and the port after it; empty without a port.
    pub ports: [String; 2],
}

impl Place {
    /// The place in which every placeholder stands for itself, except the host and the name.
    pub fn template() -> Place {
        let [dir, data, port, port2] = ["{dir}", "{data}", "{port}", "{port2}"].map(str::to_owned);
        Place { dir, data, ports: [port, port2] }
    }
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
        let fill = table.fill.unwrap_or_default();
        if table.init.is_none() && !fill.is_empty() {
            return Err(missing("init"));
        }
        Ok(Service {
            name: name.to_owned(),
            packages: table.packages.unwrap_or_default(),
            path: table.path.unwrap_or_default(),
            port: table.port,
            init: table.init,
            fill,
            start,
            ready,
            stop: table.stop.unwrap_or_else(|| "TERM".to_owned()),
            images: table.images.unwrap_or_default(),
            offers: table.offers.unwrap_or_default(),
            container: table.container.unwrap_or_default(),
            timeout: table.timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs),
            variables: table.variables.unwrap_or_default(),
            env: table.env.unwrap_or_default(),
        })
    }

    /// Where it runs in the sandbox of a test.
    pub fn place(&self) -> Place {
        let dir = format!("{DIRECTORY}/{}", self.name);
        let port = |after: u16| self.port.map(|port| port.saturating_add(after).to_string()).unwrap_or_default();
        Place { data: format!("{dir}/data"), dir, ports: [port(0), port(1)] }
    }

    /// The variables for tests, by name.
    pub fn variables(&self, place: &Place) -> BTreeMap<String, String> {
        self.variables.iter().map(|(name, value)| (name.clone(), self.filled(value, place))).collect()
    }

    /// The variables of the service itself, by name.
    pub fn env(&self, place: &Place) -> BTreeMap<String, String> {
        self.env.iter().map(|(name, value)| (name.clone(), self.filled(value, place))).collect()
    }

    /// A command of the service at this place.
    pub fn command(&self, words: &[String], place: &Place) -> Vec<String> {
        words.iter().map(|word| self.filled(word, place)).collect()
    }

    /// A text with all placeholders replaced. Other braces stay as they are, because configuration files contain them.
    fn filled(&self, text: &str, place: &Place) -> String {
        let [port, port2] = &place.ports;
        let values = [
            ("{host}", HOST),
            ("{name}", &self.name),
            ("{port}", port),
            ("{port2}", port2),
            ("{dir}", &place.dir),
            ("{data}", &place.data),
        ];
        values.into_iter().fold(text.to_owned(), |text, (placeholder, value)| text.replace(placeholder, value))
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
        let words = ["--listen={host}:{port}", "{port2}", "{dir}/{name}", "{data}", "{ \"a\": {} }"].map(str::to_owned);
        let expected =
            ["--listen=127.0.0.1:80", "81", "/tmp/.services/it/it", "/tmp/.services/it/data", "{ \"a\": {} }"];
        assert_eq!(it.command(&words, &it.place()), expected);
        let templates = ["--listen=127.0.0.1:{port}", "{port2}", "{dir}/it", "{data}", "{ \"a\": {} }"];
        assert_eq!(it.command(&words, &Place::template()), templates);
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
