//! Plans `archive` targets: the packages and files that they contain. Archives are written by a recipe of `packaging`.

use std::collections::BTreeSet;

use crate::action::{Derive, Source, Step};
use crate::base::RelPath;
use crate::inference::generated::Generated;
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
        self.files_of(planner, &targets, &["file", "relocated_files"])
    }

    /// The files of those of these targets whose type is one of `kinds`, and the files that these targets generate.
    pub(super) fn files_of(
        &self,
        planner: &mut Planner<'_>,
        targets: &[&Target],
        kinds: &[&str],
    ) -> Result<Source, PrepareError> {
        let files = targets.iter().filter(|target| kinds.contains(&target.kind.as_str()));
        let files: BTreeSet<(&RelPath, RelPath)> = files.flat_map(|target| self.closures.files_of(target)).collect();
        let sources = planner.session.services.open_sources()?;
        let files = Source::Tree(sources.tree_with_moved([], &files)?);
        let generated = targets.iter().map(|target| &target.address);
        planner.with_generated(files, generated, |kind| kind == Generated::File)
    }
}
