//! `[services.NAME]`: services for tests, as settings files and the built-in descriptions write them. What a description means is
//! in the room `services`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::section::Section;
use crate::config::Config;

/// One table `[services.NAME]`. In settings files, it completes or overrides the built-in description of this name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceTable {
    /// The Debian packages. A name with a final `-` is left out, where another package depends on it; `*` stands for any text.
    pub packages: Option<Vec<String>>,
    /// Directories of programs, which are searched before those of the system tree. `*` stands for any text.
    pub path: Option<Vec<String>>,
    /// The port on the loopback interface.
    pub port: Option<u16>,
    /// The command that makes the directory `{data}`, once for all tests.
    pub init: Option<Vec<String>>,
    /// What is run or read, in this order, to fill the directory `{data}`: SQL files, and addresses or files of programs.
    pub fill: Option<Vec<String>>,
    /// The command that runs the service in the foreground.
    pub start: Option<Vec<String>>,
    /// How to find out that the service can be used.
    pub ready: Option<Ready>,
    /// The signal that ends it, such as `TERM`.
    pub stop: Option<String>,
    /// The names of container images that it stands for, with or without a tag. `*` stands for any text.
    pub images: Option<Vec<String>>,
    /// For a Docker Engine API: the names of the services whose images it has.
    pub offers: Option<Vec<String>>,
    /// What its container image does besides.
    pub container: Option<ContainerTable>,
    /// The number of seconds in which the service must become ready.
    pub timeout: Option<u64>,
    /// The environment variables for tests.
    pub variables: Option<BTreeMap<String, String>>,
    /// The environment variables of the service itself.
    pub env: Option<BTreeMap<String, String>>,
}

/// What a container image does besides running the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerTable {
    /// What becomes of the arguments of a container.
    pub arguments: ContainerArguments,
    /// Commands that run when the service is ready for the first time, with the variables of the container.
    pub setup: Vec<Vec<String>>,
    /// The command that reads the SQL files of `/docker-entrypoint-initdb.d` from its standard input.
    pub sql: Vec<String>,
}

/// What becomes of the arguments of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerArguments {
    /// Nothing.
    #[default]
    Ignore,
    /// They follow those of the service.
    Append,
}

/// How to find out that a service can be used.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "`ready` is `port`, `notify`, a table with the key `log`, or a command as a list")]
pub enum Ready {
    /// By one of two words.
    Word(ReadyWord),
    /// A text appears in the output of the service.
    Log {
        /// The text.
        log: String,
    },
    /// A command succeeds.
    Command(Vec<String>),
}

/// The ways without an argument to find out that a service can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadyWord {
    /// The port accepts connections.
    Port,
    /// The service reports it, see sd_notify(3).
    Notify,
}

impl ServiceTable {
    /// Parses a table of a settings file; the error is a message without position.
    pub fn parse(table: &Value) -> Result<ServiceTable, String> {
        serde_json::from_value(table.clone()).map_err(|error| error.to_string())
    }
}

/// The section `[services]`.
#[derive(Clone, Debug)]
pub struct ServicesSettings {
    /// By name.
    pub tables: BTreeMap<String, ServiceTable>,
}

impl ServicesSettings {
    /// Parses the section. Loading the settings has checked the tables.
    pub fn parse(config: &Config) -> ServicesSettings {
        let section = Section::new(config, "services");
        let table = |(name, value): (&String, &Value)| Some((name.clone(), ServiceTable::parse(value).ok()?));
        ServicesSettings { tables: section.dict("named").iter().filter_map(table).collect() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn readiness_is_a_word_a_text_or_a_command() {
        let ready = |value: Value| ServiceTable::parse(&json!({ "ready": value })).map(|table| table.ready);
        assert_eq!(ready(json!("notify")), Ok(Some(Ready::Word(ReadyWord::Notify))));
        assert_eq!(ready(json!({ "log": "up" })), Ok(Some(Ready::Log { log: "up".to_owned() })));
        assert_eq!(ready(json!(["ping"])), Ok(Some(Ready::Command(vec!["ping".to_owned()]))));
        assert!(ready(json!("soon")).unwrap_err().starts_with("`ready` is `port`"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let error = ServiceTable::parse(&json!({ "package": ["redis"] })).unwrap_err();
        assert!(error.starts_with("unknown field `package`"), "{error}");
    }
}
