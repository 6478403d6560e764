//! Plans `archive` targets: the packages and files that they contain. Archives are written by a recipe of `packaging`.

use std::collections::BTreeSet;

use crate::action::{Derive, Source, Step};
use crate::base::RelPath;
use crate::prepare::package::program::Error;
use crate::prepare::package::{Package, PackagePlanner, output_path};
use crate::prepare::{Error as PrepareError, Planner};
use crate::targets::{Address, Target};

impl PackagePlanner<'_> {
    pub(super) fn plan_archive(&mut self, planner: &mut Planner<'_>, target: &Target) -> Result<Package, PrepareError> {
        let format = target.text("format").unwrap_or("zip").to_owned();
        let output = output_path(target, &format)?;
        let mut parts = vec![self.archived_files(planner, target)?];
        let packages = self.targets_in_field(target, "packages")?.into_iter().map(|package| package.address.clone());
        let packages: Vec<Address> = packages.collect();
        for address in packages {
            parts.push(Source::Output(self.plan(planner, &address)?.step));
        }
        let step = planner.actions.add(Step::Derive(Derive {
            label: format!("package {}", target.address),
            recipe: "archive-1",
            parameters: vec![format, output.to_string()],
            parts,
        }));
        Ok(Package::of_step(step))
    }

    /// The files of the field `files`, at their paths in the repository or where `relocated_files` puts them.
    pub(super) fn archived_files(&self, planner: &mut Planner<'_>, target: &Target) -> Result<Source, PrepareError> {
        let targets = self.targets_in_field(target, "files")?;
        self.files_of(planner, target, &targets, &["file", "relocated_files"])
    }

    /// The files of those of these targets whose type is one of `kinds`, for a package.
    pub(super) fn files_of(
        &self,
        planner: &mut Planner<'_>,
        package: &Target,
        targets: &[&Target],
        kinds: &[&str],
    ) -> Result<Source, PrepareError> {
        let needed = targets.iter().filter(|target| target.object("source").is_some() || is_command(target));
        let needed: Vec<String> = needed.map(|target| target.address.to_string()).collect();
        if !needed.is_empty() {
            return Err(Error::NeedsOutputs { target: package.address.clone(), needed }.into());
        }
        let files = targets.iter().filter(|target| kinds.contains(&target.kind.as_str()));
        let files: BTreeSet<(&RelPath, RelPath)> = files.flat_map(|target| self.closures.files_of(target)).collect();
        let sources = planner.session.services.open_sources()?;
        Ok(Source::Tree(sources.tree_with_moved([], &files)?))
    }
}

/// Whether the files of the target are outputs of a command.
fn is_command(target: &Target) -> bool {
    matches!(target.kind.as_str(), "adhoc_tool" | "shell_command" | "experimental_shell_command")
}
