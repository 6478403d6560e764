//! From locked packages to files that can be fetched: which file, and from where. A lock that names only hashes is looked
//! up in the index once; the result is cached, since the hashes pin it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uv_normalize::PackageName;

use crate::action::Location;
use crate::config::index::Indexes;
use crate::net::{Client, FileLink};
use crate::packaging::Environment;
use crate::packaging::index::{self, ListedFile};
use crate::packaging::lockfile::{self, Artifact, Problem};
use crate::packaging::resolve::{ArtifactChoice, SelectedPackage};
use crate::plan::requirements;
use crate::plan::venv::Distribution;
use crate::prepare::Error;
use crate::session::memo::memoized;
use crate::session::{Session, package_pages};
use crate::store::Store;

/// Finds files for one interpreter.
pub(super) struct Packages {
    store: Arc<Store>,
    client: Client,
    indexes: Indexes,
    environment: Environment,
}

/// A file that an index lists, as it is cached.
#[derive(Serialize, Deserialize)]
struct CachedFile {
    file_name: String,
    sha256: String,
}

impl Packages {
    /// Uses the indexes and the client of the session.
    pub(super) fn new(session: &mut Session, environment: Environment) -> Result<Packages, Error> {
        Ok(Packages {
            store: session.services.open_store()?,
            client: session.context.http_client(),
            indexes: session.context.package_indexes()?,
            environment,
        })
    }

    /// The interpreter and platform that files must fit.
    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The files to install, in the order given.
    pub(super) fn distributions(&self, chosen: &[SelectedPackage]) -> Result<Vec<Distribution>, Error> {
        chosen.iter().map(|chosen| self.distribution(chosen)).collect()
    }

    fn distribution(&self, chosen: &SelectedPackage) -> Result<Distribution, Error> {
        let project = chosen.name.as_ref();
        match &chosen.artifact {
            ArtifactChoice::Wheel(artifact) | ArtifactChoice::Sdist(artifact) => match &artifact.file_name {
                Some(file_name) => Ok(self.locate_named(project, file_name, artifact)),
                None => self.find_listed(chosen, std::slice::from_ref(&artifact.sha256)),
            },
            ArtifactChoice::Hashes(hashes) => self.find_listed(chosen, hashes),
            ArtifactChoice::Git(git) => {
                let problem = Problem::VersionControl { package: project.to_owned(), url: git.url.clone() };
                Err(requirements::Error::from(lockfile::Error::of(chosen.lock.clone(), problem)).into())
            }
        }
    }

    /// A file whose name the lock has.
    fn locate_named(&self, project: &str, file_name: &str, artifact: &Artifact) -> Distribution {
        let mut locations: Vec<Location> = artifact.url.iter().cloned().map(Location::Url).collect();
        locations.extend(self.pages(project).map(|page| Location::Listing { page, file_name: file_name.to_owned() }));
        Distribution {
            file_name: file_name.to_owned(),
            sha256: artifact.sha256.clone(),
            size_bytes: artifact.size_bytes,
            locations,
            commit_version: None,
        }
    }

    /// The best of the listed files that have one of these hashes.
    fn find_listed(&self, chosen: &SelectedPackage, hashes: &[String]) -> Result<Distribution, Error> {
        let project = chosen.name.as_ref();
        let question = serde_json::json!(["listed-1", project, hashes, self.environment.key_text()]);
        let file = memoized(&self.store, Some(question), || self.search_indexes(chosen, hashes))?;
        let pages = self.pages(project);
        let listing = |page| Location::Listing { page, file_name: file.file_name.clone() };
        Ok(Distribution {
            locations: pages.map(listing).collect(),
            file_name: file.file_name.clone(),
            sha256: file.sha256.clone(),
            size_bytes: None,
            commit_version: None,
        })
    }

    fn search_indexes(&self, chosen: &SelectedPackage, hashes: &[String]) -> Result<CachedFile, Error> {
        let mut links: Vec<FileLink> = Vec::new();
        for page in self.pages(chosen.name.as_ref()) {
            match self.client.listing(&page) {
                Ok(found) => links
                    .extend(found.into_iter().filter(|link| may_be_of(link, &chosen.name)).map(FileLink::with_sha256)),
                Err(error) if error.is_absent() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let listed = links.iter().map(|link| ListedFile { file_name: &link.file_name, sha256: link.sha256.as_deref() });
        let located = index::locate(&chosen.name, listed, hashes, &self.environment)?;
        Ok(CachedFile { file_name: located.file_name, sha256: located.sha256 })
    }

    /// The pages that may list files of a project.
    fn pages(&self, project: &str) -> impl Iterator<Item = String> {
        package_pages(&self.indexes, project).into_iter()
    }
}

/// Whether a file may belong to the project. A directory lists the files of many projects, and hashing all of them takes
/// long.
fn may_be_of(link: &FileLink, project: &PackageName) -> bool {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '.'], "_");
    plain(&link.file_name).starts_with(&plain(project.as_ref()))
}
