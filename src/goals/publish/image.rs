//! Images: pushed under each of their names. A registry that refuses one name does not keep the others from being pushed.

use crate::base::ErrorKind;
use crate::config::typed::DockerSettings;
use crate::goals::Error;
use crate::goals::package::BuiltPackage;
use crate::goals::publish::skipped_by;
use crate::packaging::oci::layout;
use crate::report::publications::{Publication, Status};
use crate::session::failure::Failure;
use crate::session::{Session, registries};
use crate::targets::Target;

/// Pushes an image, and returns what became of each name.
pub(super) fn publish(
    session: &mut Session,
    target: &Target,
    built: &BuiltPackage,
) -> Result<Vec<(Publication, Option<ErrorKind>)>, Error> {
    let store = session.services.open_store()?;
    let content = match &built.directory {
        Some(directory) => store.subtree(built.tree, directory)?.unwrap_or(built.tree),
        None => built.tree,
    };
    let image = layout::read(&store, content)?;
    let settings = DockerSettings::parse(session.config());
    let mut publications = Vec::new();
    for name in &image.names {
        let (status, kind) = match skipped_by(target, "skip_push").or_else(|| skipped_registry(&settings, name)) {
            Some(skipped) => (skipped, None),
            None => match registries::push(session, &image, name) {
                Ok(sent_bytes) => {
                    session.ui.note(&format!("pushed {name}, {}", sent(sent_bytes)), None);
                    (Status::Published, None)
                }
                Err(error) => {
                    let failure = Failure::from_preparation(&error, error.hint(), error.kind());
                    (Status::Failed(failure.message), Some(failure.kind))
                }
            },
        };
        let publication = Publication {
            target: target.address.to_string(),
            names: vec![name.clone()],
            publisher: "registry",
            repository: None,
            sha256: Some(image.sha256.clone()),
            published: status == Status::Published,
            status,
        };
        publications.push((publication, kind));
    }
    Ok(publications)
}

fn sent(bytes: u64) -> String {
    match bytes {
        0 => "of which the registry had all layers".to_owned(),
        bytes => format!("of which {} were sent", crate::report::size(bytes)),
    }
}

/// The reason why a name is left out, if the settings of its registry say so.
fn skipped_registry(settings: &DockerSettings, name: &str) -> Option<Status> {
    let is_of =
        |address: &str| name.strip_prefix(address.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
    let registry = settings.registries.iter().find(|registry| registry.skip_push && is_of(&registry.address))?;
    Some(Status::Skipped(format!("(by `skip_push` on registry @{})", registry.alias)))
}
