//! Images: pushed under each of their names. A registry that refuses one name does not keep the others from being pushed.

use crate::base::ErrorKind;
use crate::config::typed::DockerSettings;
use crate::goals::Error;
use crate::goals::package::BuiltPackage;
use crate::goals::publish::skipped_by;
use crate::packaging::oci::layout;
use crate::report::publications::{Publication, Status};
use crate::session::failure::Failure;
use crate::session::{Session, image_builder, registries};
use crate::targets::Target;

/// What became of the names of an image, and why some were not pushed.
type Outcomes = Vec<(Publication, Option<ErrorKind>)>;

/// Pushes an image of the store.
pub(super) fn publish(session: &mut Session, target: &Target, built: &BuiltPackage) -> Result<Outcomes, Error> {
    let content = built.content(session)?;
    let store = session.services.open_store()?;
    let image = layout::read(&store, content)?;
    let push = |session: &mut Session, name: &str| match registries::push(session, &image, name) {
        Ok(sent_bytes) => {
            session.ui.note(&format!("pushed {name}, {}", sent(sent_bytes)), None);
            None
        }
        Err(error) => Some(Failure::from_preparation(&error, error.hint(), error.kind())),
    };
    Ok(publish_names(session, target, &image.names, Some(&image.sha256), &push))
}

/// Pushes an image that a program of this machine built.
pub(super) fn publish_built(session: &mut Session, target: &Target, built: &BuiltPackage) -> Result<Outcomes, Error> {
    let names = built.image_builds.last().map(|(_, build)| build.names.clone()).unwrap_or_default();
    let push = |session: &mut Session, name: &str| match image_builder::push(session, name) {
        Ok(0) => None,
        Ok(code) => Some(Failure::not_started(&format!("the program ended with exit code {code}"))),
        Err(error) => Some(Failure::from_preparation(&error, error.hint(), error.kind())),
    };
    Ok(publish_names(session, target, &names, None, &push))
}

/// Pushes each name that no setting leaves out. `push` returns why it could not.
fn publish_names(
    session: &mut Session,
    target: &Target,
    names: &[String],
    sha256: Option<&str>,
    push: &dyn Fn(&mut Session, &str) -> Option<Failure>,
) -> Outcomes {
    let settings = DockerSettings::parse(session.config());
    let mut publications = Vec::new();
    for name in names {
        let (status, kind) = match skipped_by(target, "skip_push").or_else(|| skipped_registry(&settings, name)) {
            Some(skipped) => (skipped, None),
            None => match push(session, name) {
                None => (Status::Published, None),
                Some(failure) => (Status::Failed(failure.message), Some(failure.kind)),
            },
        };
        let publication = Publication {
            target: target.address.to_string(),
            names: vec![name.clone()],
            publisher: "registry",
            repository: None,
            sha256: sha256.map(str::to_owned),
            published: status == Status::Published,
            status,
        };
        publications.push((publication, kind));
    }
    publications
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
