//! Remote execution: options of `[GLOBAL]` with the names of Pants, and those of `[remote]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::section::Section;
use crate::config::Config;

/// How steps are executed remotely.
#[derive(Clone, Debug)]
pub struct RemoteExecutionSettings {
    /// Whether steps are executed remotely.
    pub enabled: bool,
    /// The server that executes them; by default that which stores contents.
    pub address: Option<String>,
    /// The server of log streams; by default the one that executes steps.
    pub log_stream_address: Option<String>,
    /// Headers for each call to these servers.
    pub headers: BTreeMap<String, String>,
    /// The platform properties, and texts that are none.
    pub properties: BTreeMap<String, String>,
    /// Properties without `=`.
    pub malformed_properties: Vec<String>,
    /// How long a step may run.
    pub max_run: Duration,
    /// How long a step may wait for a worker.
    pub max_queue: Duration,
    /// The number of concurrent steps, at least 1.
    pub parallelism: usize,
    /// The program that workers run, relative to the build root; by default beside this program.
    pub step_program: Option<String>,
    /// Which steps run on this machine.
    pub local: LocalExecution,
    /// The priority of steps.
    pub priority: i32,
}

/// Which of the steps that workers can run are run on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalExecution {
    /// Those for which only this machine has a free slot.
    Overflow,
    /// All for which this machine has a free slot.
    First,
    /// Only those that no worker could run.
    Never,
}

impl RemoteExecutionSettings {
    /// Parses the sections.
    pub fn parse(config: &Config) -> RemoteExecutionSettings {
        let (global, remote) = (Section::new(config, "GLOBAL"), Section::new(config, "remote"));
        let header = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        let (properties, malformed): (Vec<String>, Vec<String>) = global
            .texts("remote_execution_extra_platform_properties")
            .into_iter()
            .partition(|property| property.split_once('=').is_some_and(|(name, _)| !name.is_empty()));
        let property = |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        RemoteExecutionSettings {
            enabled: global.flag("remote_execution"),
            address: global.filled("remote_execution_address"),
            log_stream_address: remote.filled("log_stream_address"),
            headers: global.dict("remote_execution_headers").iter().filter_map(header).collect(),
            properties: properties.iter().filter_map(property).collect(),
            malformed_properties: malformed,
            max_run: global.seconds("remote_execution_overall_deadline_secs").unwrap_or(Duration::MAX),
            max_queue: remote.seconds("max_queue_secs").unwrap_or(Duration::MAX),
            parallelism: global.count("process_execution_remote_parallelism").unwrap_or(1).max(1),
            step_program: remote.filled("step_program"),
            local: match remote.word("local_execution") {
                Some("first") => LocalExecution::First,
                Some("never") => LocalExecution::Never,
                _ => LocalExecution::Overflow,
            },
            priority: remote.count("priority").unwrap_or(0),
        }
    }
}
