//! Plans how the data of a service is filled: by SQL files and by programs of the repository, each in a step of its own that starts from
//! the result of the one before.

use crate::action::{Command, Source};
use crate::base::RelPath;
use crate::plan::interpreter::Interpreter;
use crate::plan::program_run;
use crate::plan::service_description::{self, PlannedService};
use crate::plan::service_run::{self, PlannedServices};
use crate::prepare::run::{self, RUNNABLE, RUNNABLE_IN_PANTS};
use crate::prepare::services::USR;
use crate::prepare::{Error, Planner};
use crate::services;
use crate::targets::Address;
use crate::targets::dependencies::find_targets;

impl Planner<'_> {
    /// The output of the step that fills the data of a service with one entry of its list. It contains the new data.
    pub(super) fn plan_fill(
        &mut self,
        planned: &PlannedService,
        entry: &str,
        python: &Interpreter,
    ) -> Result<Source, Error> {
        let mut command = match entry.ends_with(".sql") {
            true => self.sql_command(planned, entry, python)?,
            false => self.program_command(planned, entry)?,
        };
        let program = self.plan_program(python, service_description::of_filled(planned), None)?;
        let services =
            PlannedServices { services: vec![planned.clone()], offered: Vec::new(), program, python: python.clone() };
        let usr = self.system_tree(command.images[USR], planned.packages.into_iter().collect());
        service_run::add(&mut command, &services, usr);
        Ok(Source::Output(self.add(service_run::fill(&planned.service, entry, command))))
    }

    fn sql_command(&mut self, planned: &PlannedService, entry: &str, python: &Interpreter) -> Result<Command, Error> {
        if planned.service.container.sql.is_empty() {
            return Err(refused(planned, entry, "`sql` of its table `container` is not set"));
        }
        let file = RelPath::parse(entry).map_err(|error| refused(planned, entry, &error.to_string()))?;
        let graph = self.session.load_graph()?;
        if !graph.files().contains(&file) {
            return Err(refused(planned, entry, "the file does not exist"));
        }
        let sources = self.session.services.open_sources()?;
        let tree = sources.tree([&file])?;
        sources.save()?;
        Ok(service_run::read_sql(&planned.service, &file, python.images.clone(), Source::Tree(tree)))
    }

    fn program_command(&mut self, planned: &PlannedService, entry: &str) -> Result<Command, Error> {
        let address = self.find_program(planned, entry)?;
        let program = run::program(self.session, &address)?;
        Ok(program_run::command(program.plan_sandboxed(self)?))
    }

    /// The one target that an entry names and that can run.
    fn find_program(&mut self, planned: &PlannedService, entry: &str) -> Result<Address, Error> {
        let graph = self.session.load_graph()?;
        let found = match RelPath::parse(entry).map(|file| graph.owners(&file).to_vec()) {
            Ok(owners) if !owners.is_empty() => owners,
            _ => find_targets(&graph, entry, &RelPath::root())
                .map_err(|error| refused(planned, entry, &error.to_string()))?,
        };
        let kinds = |address: &Address| graph.get(address).map(|target| target.kind.as_str()).unwrap_or_default();
        let can_run = |address: &&Address| {
            let kind = kinds(address);
            RUNNABLE_IN_PANTS.contains(&kind) || RUNNABLE.contains(&kind)
        };
        let mut runnable = found.iter().filter(can_run);
        match (runnable.next(), runnable.next()) {
            (Some(address), None) => Ok(address.clone()),
            (Some(_), Some(_)) => Err(refused(planned, entry, "several targets of this name can run")),
            (None, _) => Err(refused(planned, entry, "no target of this name can run")),
        }
    }
}

fn refused(planned: &PlannedService, entry: &str, why: &str) -> Error {
    let (name, entry, why) = (planned.service.name.clone(), entry.to_owned(), why.to_owned());
    services::Error::Fill { name, entry, why }.into()
}
