//! The interpreters that steps run with, one for each list of interpreter constraints. What processes may import is in
//! `images` and `tool_packages`.

use std::collections::BTreeMap;
use std::sync::Arc;

use uv_pep440::Version;

use crate::config::typed::PythonSettings;
use crate::packaging::{Environment, recipes};
use crate::plan::interpreter::Interpreter;
use crate::plan::venv::Venvs;
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::prepare::packages::Packages;
use crate::prepare::planner::Shared;
use crate::session::{self, toolchains};
use crate::toolchain::Provider;

/// One interpreter, with the packages and venvs that are planned for it.
pub(super) struct PlannedInterpreter {
    pub packages: Packages,
    pub venvs: Venvs,
    pub provider: Provider,
}

impl Planner<'_> {
    /// The full version of the interpreter: 3.11.2.
    pub fn python_version(&mut self, constraints: &[String]) -> Result<Version, Error> {
        Ok(self.environment(constraints)?.python().clone())
    }

    /// The interpreter for these constraints, with its images.
    pub(super) fn interpreter(&mut self, constraints: &[String]) -> Result<Interpreter, Error> {
        self.find_interpreter(constraints)?;
        Ok(found(&mut self.interpreters, constraints)?.venvs.interpreter.clone())
    }

    /// The constraints of the newest interpreter planned so far.
    pub(super) fn newest_constraints(&self) -> Option<Vec<String>> {
        let found =
            self.interpreters.iter().filter_map(|(constraints, found)| Some((constraints, found.as_ref().ok()?)));
        let newest = found.max_by_key(|(_, interpreter)| interpreter.packages.environment().python().clone());
        newest.map(|(constraints, _)| constraints.clone())
    }

    /// What requirements are resolved for.
    pub(super) fn environment(&mut self, constraints: &[String]) -> Result<Environment, Error> {
        self.find_interpreter(constraints)?;
        Ok(found(&mut self.interpreters, constraints)?.packages.environment().clone())
    }

    /// Plans the interpreter unless that was done before.
    pub(super) fn find_interpreter(&mut self, constraints: &[String]) -> Result<(), Error> {
        if !self.interpreters.contains_key(constraints) {
            let interpreter = self.plan_interpreter(constraints).map_err(Arc::new);
            self.interpreters.insert(constraints.to_vec(), interpreter);
        }
        found(&mut self.interpreters, constraints).map(|_| ())
    }

    fn plan_interpreter(&mut self, constraints: &[String]) -> Result<PlannedInterpreter, Error> {
        let toolchain = toolchains::ensure(self.session, constraints)?;
        let interpreter = toolchains::interpreter(&toolchain).ok_or(session::Error::NoInterpreter)?;
        let provider = toolchain.provider.ok_or(session::Error::NoInterpreter)?;
        let builder = interpreter.clone();
        let interpreter = interpreter.with_compiled_library(&mut self.actions, self.empty_tree);
        let python = PythonSettings::parse(self.session.config());
        let environment = Environment::linux_x86_64(&interpreter.version, recipes::GLIBC)?
            .with_binaries(&python.no_binary, &python.only_binary);
        let packages = Packages::new(self.session, environment)?;
        Ok(PlannedInterpreter { packages, venvs: Venvs::new(interpreter, builder, self.empty_tree), provider })
    }
}

/// The interpreter for these constraints, which `find_interpreter` has planned.
pub(super) fn found<'i>(
    interpreters: &'i mut BTreeMap<Vec<String>, Shared<PlannedInterpreter>>,
    constraints: &[String],
) -> Result<&'i mut PlannedInterpreter, Error> {
    let interpreter = interpreters.get_mut(constraints).expect("`find_interpreter` inserts it");
    interpreter.as_mut().map_err(|error| Error::Shared(error.clone()))
}
