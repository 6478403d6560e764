//! Packages from version control among those that a process may import: their archives, and what to do without one.

use std::collections::BTreeSet;
use std::sync::Arc;

use uv_normalize::PackageName;

use crate::action::Location;
use crate::base::{ErrorKind, error_chain};
use crate::packaging::lockfile::GitSource;
use crate::packaging::resolve::{ArtifactChoice, SelectedPackage};
use crate::plan::venv::Distribution;
use crate::prepare::interpreters::found;
use crate::prepare::{Error, Planner};
use crate::session::git_packages::{self, GitArchive};

impl Planner<'_> {
    /// The files to install, in the order given. Those from version control are archives in the store.
    pub(super) fn distributions_of(
        &mut self,
        constraints: &[String],
        chosen: &[SelectedPackage],
    ) -> Result<Vec<Distribution>, Error> {
        let mut distributions = Vec::new();
        for package in chosen {
            match &package.artifact {
                ArtifactChoice::Git(git) => distributions.push(self.git_distribution(package, git)?),
                _ => {
                    let packages = &found(&mut self.interpreters, constraints)?.packages;
                    distributions.extend(packages.distributions(std::slice::from_ref(package))?);
                }
            }
        }
        Ok(distributions)
    }

    /// Removes those of the `optional` packages that cannot be fetched, with a warning each.
    pub(super) fn without_unreachable(
        &mut self,
        mut chosen: Vec<SelectedPackage>,
        optional: &BTreeSet<PackageName>,
    ) -> Vec<SelectedPackage> {
        chosen.retain(|package| {
            let ArtifactChoice::Git(git) = &package.artifact else { return true };
            match self.git_archive(package, git) {
                Err(error) if optional.contains(&package.name) && error.kind() == ErrorKind::Unavailable => {
                    // The next run may reach the host.
                    self.session.context.tracker.mark_untraceable();
                    self.warn_left_out(&error_chain(&error));
                    false
                }
                _ => true,
            }
        });
        chosen
    }

    /// Warns about a package that is not installed.
    pub(super) fn warn_left_out(&mut self, reason: &str) {
        if self.warned.insert(reason.to_owned()) {
            let hint = "it is not installed, because only dependency groups require it and no test imports it";
            self.session.ui.warn_with_hint(reason, hint);
        }
    }

    fn git_distribution(&mut self, package: &SelectedPackage, git: &GitSource) -> Result<Distribution, Error> {
        let archive = self.git_archive(package, git)?;
        Ok(Distribution {
            file_name: git_packages::file_name(&stem(package)),
            sha256: archive.sha256,
            size_bytes: None,
            locations: vec![Location::Url(format!("file://{}", archive.path.display()))],
            commit_version: Some(package.version.to_string()),
        })
    }

    fn git_archive(&mut self, package: &SelectedPackage, git: &GitSource) -> Result<GitArchive, Error> {
        let key = (stem(package), git.commit.clone());
        if !self.git_archives.contains_key(&key) {
            let archive = git_packages::provide(self.session, git, &key.0, &package.lock);
            self.git_archives.insert(key.clone(), archive.map_err(|error| Arc::new(Error::from(error))));
        }
        Ok(self.git_archives[&key].clone()?)
    }
}

/// The name and version of a package, as file names have them.
fn stem(package: &SelectedPackage) -> String {
    format!("{}-{}", package.name, package.version)
}
