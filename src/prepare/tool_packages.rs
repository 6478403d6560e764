//! The packages of tools: from the lockfile or resolve that a tool's section names, from the built-in lock, or pinned by
//! uv where no lock fits.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::typed::ToolSettings;
use crate::packaging::resolve::{self, SelectedPackage};
use crate::plan::requirements::{self, ToolPackages};
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::prepare::images::Importable;
use crate::prepare::locks;
use crate::session::Session;
use crate::session::memo::memoized;
use crate::tools::Tool;

impl Planner<'_> {
    /// The packages of a tool.
    pub fn tool_packages(&mut self, constraints: &[String], tool: &Tool) -> Result<Vec<SelectedPackage>, Error> {
        let key = (constraints.to_vec(), tool.scope.clone());
        if !self.tool_packages.contains_key(&key) {
            let chosen = self.resolve_tool(constraints, tool).map_err(Arc::new);
            self.tool_packages.insert(key.clone(), chosen);
        }
        Ok(self.tool_packages[&key].clone()?)
    }

    /// The version of a tool that was planned; the newest, if interpreters need different ones.
    pub fn tool_version(&self, tool: &Tool) -> Option<String> {
        let of_tool = self.tool_packages.iter().filter(|((_, scope), _)| *scope == tool.scope);
        let packages = of_tool.filter_map(|(_, chosen)| chosen.as_ref().ok()).flatten();
        let versions =
            packages.filter(|package| package.name.as_ref() == tool.package()).map(|package| &package.version);
        versions.max().map(ToString::to_string)
    }

    /// Adds packages that belong to no tool and no target: those of the lockfile, or else `requirements`, pinned now.
    /// `name` is the name by which `requirements_image` finds them.
    pub fn pin_packages(
        &mut self,
        constraints: &[String],
        name: &str,
        lockfile: Option<&str>,
        requirements: BTreeSet<String>,
    ) -> Result<(), Error> {
        let environment = self.environment(constraints)?;
        let lock = match lockfile {
            Some(path) => self.locks.load(path)?,
            None => locks::tool_lock(self.session, name, constraints, requirements)?,
        };
        let chosen = resolve::resolve_whole(&lock, &environment).map_err(requirements::Error::from)?;
        self.tool_packages.insert((constraints.to_vec(), name.to_owned()), Ok(chosen));
        Ok(())
    }

    /// An error unless the tool's packages, or those of the project that `importable` names, include the plugin that the option `wanted_by`
    /// needs.
    pub fn require_plugin(
        &mut self,
        constraints: &[String],
        tool: &Tool,
        importable: &Importable,
        plugin: &'static str,
        wanted_by: &'static str,
    ) -> Result<(), Error> {
        let chosen = match importable.project {
            Some(_) => self.choose_packages(constraints, importable)?,
            None => self.tool_packages(constraints, tool)?,
        };
        if chosen.iter().any(|chosen| chosen.name.as_ref() == plugin) {
            return Ok(());
        }
        let remedy = format!("add `{plugin}` to {}", describe_origin(self.session, &tool.scope));
        Err(Error::NoPlugin { plugin, wanted_by, tool: tool.scope.clone(), remedy })
    }

    fn resolve_tool(&mut self, constraints: &[String], tool: &Tool) -> Result<Vec<SelectedPackage>, Error> {
        let environment = self.environment(constraints)?;
        let context = self.session.context.clone();
        let question = requirements::tool_packages_key(&self.locks, tool, &context.config, constraints, &environment);
        let store = self.session.services.open_store()?;
        let locks = &mut self.locks;
        let resolve = || {
            let config = &context.config;
            Ok::<_, Error>(requirements::select_tool_packages(locks, tool, config, constraints, &environment)?)
        };
        match memoized(&store, question, resolve)? {
            ToolPackages::Locked(locked) => self.accept_lock(locked),
            ToolPackages::Unlocked(requirements) => {
                let lock = locks::tool_lock(self.session, &tool.scope, constraints, requirements)?;
                Ok(resolve::resolve_whole(&lock, &environment).map_err(requirements::Error::from)?)
            }
        }
    }
}

/// Where a tool's packages come from, as the place to add one to: the end of a sentence that begins with "add … to".
pub fn describe_origin(session: &Session, scope: &str) -> String {
    let settings = ToolSettings::parse(session.config(), scope);
    match (settings.install_from_resolve, settings.lockfile) {
        (Some(resolve), _) if settings.requirements.is_empty() => {
            format!("the resolve `{resolve}`, which `[{scope}] install_from_resolve` names, and lock it again")
        }
        (Some(_), _) => format!("`requirements` in the section `[{scope}]`, and to the resolve if it is missing there"),
        (None, Some(path)) => format!("`{path}`, the lockfile that the section `[{scope}]` names"),
        (None, None) => format!("`extra_requirements` in the section `[{scope}]`"),
    }
}
