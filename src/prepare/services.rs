//! Plans the services of processes: their packages, the program that starts them, and the system tree with the packages. Which
//! services a target has follows from its tags.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::{Action, Derive, Source, Step};
use crate::base::text::nearest;
use crate::base::{Digest, RelPath};
use crate::config::typed::{TestSettings, ToolchainSettings};
use crate::plan::service_run::{self, PlannedServices};
use crate::prepare::planner::Shared;
use crate::prepare::{Error, Planner};
use crate::services::{self, Service, TAG};
use crate::session::toolchains;
use crate::store::{Entry, Node, Store, Tree};
use crate::targets::Target;

/// The services of one graph that are planned so far.
#[derive(Default)]
pub(super) struct KnownServices {
    /// By the names of services, and whether their logs are kept.
    planned: BTreeMap<(Vec<String>, bool), Shared<Planned>>,
    /// System trees with the packages of services, by both.
    system_trees: BTreeMap<(Source, Digest), Source>,
}

/// Services, and the tree of their packages, which is added to the system tree.
#[derive(Clone)]
struct Planned {
    services: PlannedServices,
    packages: Option<Digest>,
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
        if !self.services.planned.contains_key(&key) {
            let planned = self.plan_services(names, keeps_logs).map_err(Arc::new);
            self.services.planned.insert(key.clone(), planned);
        }
        let Planned { services, packages } = self.services.planned[&key].clone()?;
        let usr = self.system_tree(action.command.images["/usr"], packages);
        service_run::add(&mut action.command, &services, usr);
        Ok(action)
    }

    fn plan_services(&mut self, names: &[String], keeps_logs: bool) -> Result<Planned, Error> {
        let services = services::find_all(self.config(), names)?;
        let wanted: Vec<String> = services.iter().flat_map(|service| service.packages.iter().cloned()).collect();
        let packages = match wanted.is_empty() {
            true => None,
            false => Some(toolchains::ensure_service(self.session, &wanted)?),
        };
        let store = self.session.services.open_store()?;
        let path = programs(&store, packages, &services)?;
        let python = self.interpreter(&[ToolchainSettings::parse(self.config()).service_python])?;

        let text = tree(&store, service_run::PROGRAM_FILE, service_run::PROGRAM.as_bytes())?;
        let compiled = self.add(service_run::compile(&python, Source::Tree(text)));
        let description = service_run::description(&services, &path, keeps_logs).to_string();
        let description = tree(&store, service_run::DESCRIPTION_FILE, description.as_bytes())?;
        let program = self.actions.add(Step::Derive(Derive {
            label: format!("the program that starts {}", names.join(", ")),
            recipe: "overlay-1",
            parameters: vec![String::new(); 3],
            parts: vec![Source::Tree(text), Source::Output(compiled), Source::Tree(description)],
        }));
        let services = PlannedServices { services, path, program: Source::Output(program), python };
        Ok(Planned { services, packages })
    }

    /// A system tree with the packages of services.
    fn system_tree(&mut self, system: Source, packages: Option<Digest>) -> Source {
        let Some(packages) = packages else { return system };
        if let Some(known) = self.services.system_trees.get(&(system, packages)) {
            return *known;
        }
        let step = self.actions.add(Step::Derive(Derive {
            label: "system tree with services".to_owned(),
            recipe: "completed-1",
            parameters: Vec::new(),
            parts: vec![system, Source::Tree(packages)],
        }));
        self.services.system_trees.insert((system, packages), Source::Output(step));
        Source::Output(step)
    }
}

fn tree(store: &Store, name: &str, content: &[u8]) -> Result<Digest, Error> {
    let node = Node::File { digest: store.put(content)?, executable: false };
    let nodes = BTreeMap::from([(service_run::program_path(name), node)]);
    Ok(store.put_tree_lazily(&Tree { nodes })?)
}

/// The directories of programs that the services name, as far as their packages have them.
fn programs(store: &Store, packages: Option<Digest>, services: &[Service]) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for pattern in services.iter().flat_map(|service| &service.path) {
        let Some((usr, below)) = packages.zip(pattern.strip_prefix("/usr/")) else {
            found.push(pattern.clone());
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
