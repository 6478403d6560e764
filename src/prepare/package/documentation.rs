//! Plans `mkdocs_site` and `sphinx_docs` targets: what the program reads, and what it imports for the documentation of code.

use std::collections::BTreeSet;

use crate::action::{Derive, Source, Step};
use crate::config::typed::ToolSettings;
use crate::packaging::venv;
use crate::plan::documentation_run::{self, Documentation, Generator};
use crate::prepare::interpreters::found;
use crate::prepare::package::{Package, PackagePlanner, output_path};
use crate::prepare::run;
use crate::prepare::{Error as PrepareError, Planner};
use crate::targets::{Target, kind};

impl PackagePlanner<'_> {
    pub(super) fn plan_documentation(
        &mut self,
        planner: &mut Planner<'_>,
        target: &Target,
    ) -> Result<Package, PrepareError> {
        let output = output_path(target, "")?;
        let dir = &target.address.dir;
        let (tool, generator) = match target.kind.as_str() {
            kind::MKDOCS_SITE => {
                let config = dir.resolve(target.text("config").unwrap_or("mkdocs.yml"))?;
                ("mkdocs", Generator::Mkdocs { config })
            }
            _ => {
                let config = dir.resolve(target.text("config_directory").unwrap_or("."))?;
                ("sphinx", Generator::Sphinx { builder: target.text("builder").unwrap_or("html").to_owned(), config })
            }
        };
        let settings = ToolSettings::parse(planner.config(), tool);
        let own_args = target.strings("extra_args").into_iter().map(str::to_owned);
        let needs = run::needs(planner.session, &BTreeSet::from([target.address.clone()]), true)?;
        let images = needs.plan_images(planner, Some(tool))?;
        let own = planner.session.services.open_sources()?.tree(&target.sources)?;
        let parts = vec![Source::Tree(own), needs.plan_sources(planner)?];
        let sources = planner.actions.add(Step::Derive(Derive {
            label: format!("assemble the sources of {}", target.address),
            recipe: "overlay-1",
            parameters: vec![String::new(); parts.len()],
            parts,
        }));
        let interpreter = found(&mut planner.interpreters, &needs.constraints)?.venvs.interpreter.clone();
        let documentation = Documentation {
            label: target.address.to_string(),
            generator,
            dir: dir.clone(),
            sources: Source::Output(sources),
            warnings_as_errors: target.flag("warnings_as_errors") == Some(true),
            args: settings.args.into_iter().chain(own_args).collect(),
            output: output.clone(),
        };
        let mut action = documentation_run::action(&interpreter, images[venv::ROOT], documentation);
        planner.mount_source_roots(&mut action.command.images, &needs.source_roots)?;
        let step = planner.add(action);
        Ok(Package { directory: Some(output), ..Package::of_step(step) })
    }
}
