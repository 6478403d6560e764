//! Plans the file of a `vcs_version`: a version that setuptools_scm computes from the state of git, which is read before the step runs.

use crate::action::Source;
use crate::base::RelPath;
use crate::plan::version_run::{self, Description, VersionRun};
use crate::prepare::generate::Error;
use crate::prepare::images::Importable;
use crate::prepare::interpreters::found;
use crate::prepare::{Error as PrepareError, Planner};
use crate::targets::Target;

/// The tool that computes versions.
const TOOL: &str = "setuptools-scm";

/// Schemes whose results do not contain the present day.
const WITHOUT_TIME: [&str; 2] = ["dirty-tag", "no-local-version"];

impl Planner<'_> {
    /// The file with the version.
    pub(super) fn plan_version(&mut self, target: &Target) -> Result<Source, PrepareError> {
        let address = &target.address;
        let written = target.text("generate_to").unwrap_or_default();
        let output = RelPath::parse(written).map_err(|error| Error::Invalid {
            target: address.clone(),
            field: "generate_to",
            written: written.to_owned(),
            why: error.to_string(),
        })?;
        let (version_scheme, local_scheme) = (target.text("version_scheme"), target.text("local_scheme"));
        let description = match (version_scheme, local_scheme) {
            // Other commits with the same tag have the same version.
            (Some("only-version"), Some("no-local-version")) => {
                Description { tag: self.session.nearest_tag(), ..Description::default() }
            }
            _ => {
                let has_time = !local_scheme.is_some_and(|scheme| WITHOUT_TIME.contains(&scheme));
                self.session.describe_commit(has_time)?
            }
        };
        let run = VersionRun {
            subject: address.to_string(),
            description,
            output,
            template: target.text("template").unwrap_or_default(),
            tag_regex: target.text("tag_regex"),
            version_scheme,
            local_scheme,
        };
        let constraints = self.generator_constraints()?;
        let importable = Importable { tool: Some(TOOL.to_owned()), ..Importable::default() };
        let tool = self.venv_image(&constraints, importable)?;
        let interpreter = found(&mut self.interpreters, &constraints)?.venvs.interpreter.clone();
        let action = version_run::action(&interpreter, tool, self.empty_tree, &run);
        Ok(Source::Output(self.add(action)))
    }
}
