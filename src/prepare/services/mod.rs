//! Plans the services of processes: their packages, the program that starts them, and the system tree with the packages. Which
//! services a target has follows from its tags. How their data is filled is in `fill`.

mod fill;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::action::{Action, Derive, Source, Step};
use crate::base::text::nearest;
use crate::base::{Digest, RelPath};
use crate::config::typed::{TestSettings, ToolchainSettings};
use crate::plan::interpreter::Interpreter;
use crate::plan::service_description::{self, PlannedService};
use crate::plan::service_run::{self, PlannedServices};
use crate::prepare::planner::Shared;
use crate::prepare::{Error, Planner};
use crate::services::{self, Service, TAG};
use crate::session::toolchains;
use crate::store::{Entry, Node, Store, Tree};
use crate::targets::Target;

/// The mount point of the system tree.
const USR: &str = "/usr";

/// The services of one graph that are planned so far.
#[derive(Default)]
pub(super) struct KnownServices {
    /// By name.
    services: BTreeMap<String, Shared<PlannedService>>,
    /// By the names of services, and whether their logs are kept.
    sets: BTreeMap<(Vec<String>, bool), Shared<PlannedServices>>,
    /// System trees with packages, by both.
    system_trees: BTreeMap<(Source, Vec<Digest>), Source>,
}

/// The names of the services that a target has, sorted; an error if one is unknown.
pub(super) fn of_target(known: &BTreeSet<String>, target: &Target) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for name in target.strings("tags").into_iter().filter_map(|tag| tag.strip_prefix(TAG)) {
        if !known.contains(name) {
            let known: Vec<String> = known.iter().cloned().collect();
            let near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
            let error = services::Error::Unknown { name: name.to_owned(), near, known };
            let place = format!("{}:{}", target.build_file, target.place);
            return Err(Error::Service(place, target.address.clone(), error));
        }
        names.push(name.to_owned());
    }
    names.sort();
    names.dedup();
    Ok(names)
}

impl Planner<'_> {
    /// Gives a process the services of these names. `is_test`: whether their logs can be kept in the output.
    pub(super) fn with_services(
        &mut self,
        mut action: Action,
        names: &[String],
        is_test: bool,
    ) -> Result<Action, Error> {
        if names.is_empty() {
            return Ok(action);
        }
        let keeps_logs = is_test && TestSettings::parse(self.config()).keep_service_logs;
        let key = (names.to_vec(), keeps_logs);
        if !self.services.sets.contains_key(&key) {
            let planned = self.plan_services(names, keeps_logs).map_err(Arc::new);
            self.services.sets.insert(key.clone(), planned);
        }
        let planned = self.services.sets[&key].clone()?;
        let all = planned.services.iter().chain(&planned.offered);
        let packages = all.filter_map(|service| service.packages).collect();
        let usr = self.system_tree(action.command.images[USR], packages);
        service_run::add(&mut action.command, &planned, usr);
        Ok(action)
    }

    fn plan_services(&mut self, names: &[String], keeps_logs: bool) -> Result<PlannedServices, Error> {
        let python = self.interpreter(&[ToolchainSettings::parse(self.config()).service_python])?;
        let mut services = Vec::new();
        for service in services::find_all(self.config(), names)? {
            services.push(self.plan_service(service, &python)?);
        }
        let offers: BTreeSet<String> = services.iter().flat_map(|planned| planned.service.offers.clone()).collect();
        let mut offered = Vec::new();
        for name in offers.into_iter().filter(|name| !names.contains(name)) {
            for service in services::find_all(self.config(), &[name])? {
                offered.push(self.plan_service(service, &python)?);
            }
        }
        let description = service_description::of_started(&services, keeps_logs);
        let has_containers = services.iter().any(|planned| !planned.service.offers.is_empty());
        let containers = has_containers.then(|| service_description::of_containers(services.iter().chain(&offered)));
        let program = self.plan_program(&python, description, containers)?;
        Ok(PlannedServices { services, offered, program, python })
    }

    /// The directory with the program that starts services, its bytecode, and the descriptions that it reads.
    fn plan_program(
        &mut self,
        python: &Interpreter,
        description: Value,
        containers: Option<Value>,
    ) -> Result<Source, Error> {
        let store = self.session.services.open_store()?;
        let more = if containers.is_some() { &service_run::DOCKER[..] } else { &[] };
        let texts = [service_run::PROGRAM].into_iter().chain(more.iter().copied());
        let texts = tree(&store, texts.map(|(name, text)| (name, text.to_owned())))?;
        let descriptions = [(service_run::DESCRIPTION, Some(description)), (service_run::CONTAINERS, containers)];
        let descriptions = descriptions.into_iter().filter_map(|(name, value)| Some((name, value?.to_string())));
        let descriptions = tree(&store, descriptions)?;
        let compiled = self.add(service_run::compile(python, Source::Tree(texts)));
        let step = self.actions.add(Step::Derive(Derive {
            label: "the program that starts services".to_owned(),
            recipe: "overlay-1",
            parameters: vec![String::new(); 3],
            parts: vec![Source::Tree(texts), Source::Output(compiled), Source::Tree(descriptions)],
        }));
        Ok(Source::Output(step))
    }

    /// A service with its packages, and with its data if it has any.
    fn plan_service(&mut self, service: Service, python: &Interpreter) -> Result<PlannedService, Error> {
        let name = service.name.clone();
        if !self.services.services.contains_key(&name) {
            let planned = self.plan_new_service(service, python).map_err(Arc::new);
            self.services.services.insert(name.clone(), planned);
        }
        Ok(self.services.services[&name].clone()?)
    }

    fn plan_new_service(&mut self, service: Service, python: &Interpreter) -> Result<PlannedService, Error> {
        let packages = match service.packages.is_empty() {
            true => None,
            false => Some(toolchains::ensure_service(self.session, &service.packages)?),
        };
        let path = programs(&*self.session.services.open_store()?, packages, &service)?;
        let init = service.init.clone();
        let mut planned = PlannedService { service, packages, path, data: None };
        if let Some(init) = init {
            let mut images = python.images.clone();
            let usr = self.system_tree(images[USR], packages.into_iter().collect());
            images.insert(USR.to_owned(), usr);
            let action = service_run::initialize(&planned, &init, images, Source::Tree(self.empty_tree));
            planned.data = Some(Source::Output(self.add(action)));
        }
        for entry in planned.service.fill.clone() {
            planned.data = Some(self.plan_fill(&planned, &entry, python)?);
        }
        Ok(planned)
    }

    /// A system tree with the packages of services.
    fn system_tree(&mut self, system: Source, packages: Vec<Digest>) -> Source {
        if packages.is_empty() {
            return system;
        }
        let key = (system, packages);
        if let Some(known) = self.services.system_trees.get(&key) {
            return *known;
        }
        let step = self.actions.add(Step::Derive(Derive {
            label: "system tree with services".to_owned(),
            recipe: "completed-1",
            parameters: Vec::new(),
            parts: [system].into_iter().chain(key.1.iter().copied().map(Source::Tree)).collect(),
        }));
        self.services.system_trees.insert(key, Source::Output(step));
        Source::Output(step)
    }
}

/// The tree of files with these names and texts.
fn tree(store: &Store, files: impl Iterator<Item = (&'static str, String)>) -> Result<Digest, Error> {
    let mut nodes = BTreeMap::new();
    for (name, text) in files {
        let node = Node::File { digest: store.put(text.as_bytes())?, executable: false };
        nodes.insert(RelPath::parse(name)?, node);
    }
    Ok(store.put_tree_lazily(&Tree { nodes })?)
}

/// The directories of programs that a service names, as far as its packages have them.
fn programs(store: &Store, packages: Option<Digest>, service: &Service) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for pattern in service.command(&service.path, &service.place()) {
        let Some((usr, below)) = packages.zip(pattern.strip_prefix("/usr/")) else {
            found.push(pattern);
            continue;
        };
        let mut open = vec![(RelPath::root(), usr)];
        for component in below.split('/') {
            let mut next = Vec::new();
            for (path, directory) in open {
                for (name, entry) in store.directory(directory)?.entries {
                    if let (true, Entry::Directory(tree)) = (component == "*" || component == name, entry) {
                        next.push((path.push(&name)?, tree));
                    }
                }
            }
            open = next;
        }
        found.extend(open.into_iter().map(|(path, _)| format!("/usr/{path}")));
    }
    Ok(found)
}
