//! The descriptions of services that the programs `waders_services.py` and `waders_docker.py` read, as JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::action::Source;
use crate::base::{Digest, sandbox_paths};
use crate::config::typed::{Ready, ReadyWord};
use crate::plan::{environment, test_run};
use crate::services::{Place, Service};

/// The directory below the output of the command `init` that contains the data.
pub(super) const DATA: &str = "data";

/// The directories of programs of the system tree.
const SYSTEM_PATH: &str = "/usr/bin:/usr/sbin";

/// A service with its inputs.
#[derive(Clone, Debug)]
pub struct PlannedService {
    /// Its description.
    pub service: Service,
    /// The tree of its packages, which is added to the system tree.
    pub packages: Option<Digest>,
    /// Directories of programs of its packages.
    pub path: Vec<String>,
    /// The output of its command `init`, which contains the directory `data`.
    pub data: Option<Source>,
}

impl PlannedService {
    /// The mount point of the output of the command `init`.
    pub(super) fn data_at(&self) -> String {
        format!("{}/data/{}", sandbox_paths::SERVICES, self.service.name)
    }

    /// The variables of its processes.
    pub(super) fn env(&self, place: &Place) -> BTreeMap<String, String> {
        let mut env = environment::base();
        let path = self.path.iter().map(String::as_str).chain([SYSTEM_PATH]);
        env.insert("PATH".to_owned(), path.collect::<Vec<_>>().join(":"));
        env.extend(self.service.env(place));
        env
    }

    fn data_source(&self) -> Option<String> {
        self.data.map(|_| format!("{}/{DATA}", self.data_at()))
    }

    /// What both programs need.
    fn describe(&self, place: &Place) -> Map<String, Value> {
        let service = &self.service;
        let ready = match &service.ready {
            Ready::Word(ReadyWord::Notify) => json!({ "kind": "notify" }),
            Ready::Word(ReadyWord::Port) => json!({ "kind": "port", "port": service.port }),
            Ready::Log { log } => json!({ "kind": "log", "text": log }),
            Ready::Command(words) => json!({ "kind": "command", "command": service.command(words, place) }),
        };
        let common = [
            ("name", json!(service.name)),
            ("start", json!(service.command(&service.start, place))),
            ("env", json!(self.env(place))),
            ("ready", ready),
            ("timeout", json!(service.timeout.as_secs())),
        ];
        common.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// The description of the services to start. With `keeps_logs`, the logs become files of the output.
pub fn of_started(services: &[PlannedService], keeps_logs: bool) -> Value {
    let logs_at = format!("{}/services", sandbox_paths::in_src(test_run::EXTRA_OUTPUT));
    let describe = |planned: &PlannedService| {
        let place = planned.service.place();
        let mut described = planned.describe(&place);
        let data = planned.data_source().map(|from| json!({ "from": from, "to": place.data }));
        described.insert("data".to_owned(), json!(data));
        described.insert("dir".to_owned(), json!(place.dir));
        described
    };
    json!({
        "services": services.iter().map(describe).collect::<Vec<_>>(),
        "logs_at": keeps_logs.then_some(logs_at),
        "stop": null,
    })
}

/// The description of a service whose data becomes the output, in the directory `data`, after the service has ended.
pub fn of_filled(planned: &PlannedService) -> Value {
    let place = filled_place(&planned.service);
    let mut described = planned.describe(&place);
    let data = planned.data_source().map(|from| json!({ "from": from, "to": place.data }));
    described.insert("data".to_owned(), json!(data));
    described.insert("dir".to_owned(), json!(place.dir));
    json!({ "services": [described], "logs_at": null, "stop": planned.service.stop })
}

/// Where a service runs whose data becomes the output.
pub(super) fn filled_place(service: &Service) -> Place {
    Place { data: sandbox_paths::in_out(DATA), ..service.place() }
}

/// The description of the services that a Docker Engine API can start, with placeholders for what differs between containers.
pub fn of_containers<'s>(services: impl Iterator<Item = &'s PlannedService>) -> Value {
    let template = Place::template();
    let describe = |planned: &PlannedService| {
        let service = &planned.service;
        let mut described = planned.describe(&template);
        let setup = service.container.setup.iter().map(|words| service.command(words, &template));
        let own = [
            ("images", json!(service.images)),
            ("port", json!(service.port)),
            ("variables", json!(service.variables(&template))),
            ("data", json!(planned.data_source())),
            ("stop", json!(service.stop)),
            ("arguments", json!(service.container.arguments)),
            ("setup", json!(setup.collect::<Vec<_>>())),
            ("sql", json!(service.command(&service.container.sql, &template))),
        ];
        described.extend(own.into_iter().map(|(key, value)| (key.to_owned(), value)));
        described
    };
    services.filter(|planned| !planned.service.images.is_empty()).map(describe).collect::<Vec<_>>().into()
}
