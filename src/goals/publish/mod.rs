//! `publish`: builds the selected distributions and images and publishes them: distributions with twine, images by the protocol of
//! registries. Nothing is published if a build fails, and nothing is written to the directory for results.

mod distribution;
mod image;

use crate::base::{ErrorKind, replace_file};
use crate::config::typed::PublishSettings;
use crate::goals::{Error, package};
use crate::report::packages;
use crate::report::publications::{Publication, Status};
use crate::session::failure::{self, Failure};
use crate::session::{Session, Verdict, selection};
use crate::targets::{Target, kind};

/// The target types that can be published.
const KINDS: [&str; 3] = [kind::DOCKER_IMAGE, kind::OCI_IMAGE, kind::PYTHON_DISTRIBUTION];

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let graph = session.load_graph()?;
    let mut targets = package::selected_packages(session)?;
    targets.retain(|address| graph.get(address).is_some_and(|target| KINDS.contains(&target.kind.as_str())));
    if targets.is_empty() {
        selection::warn_if_nothing_exists(session, "publish")?;
        session.ui.warn("the command line selects nothing that can be published");
        return Ok(Verdict::Good);
    }
    let mut done = package::build_all(session, &targets)?;
    package::docker::build_images(session, &mut done)?;
    if session.services.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    if !done.failed.is_empty() {
        for (address, Failure { message, .. }) in &done.failed {
            session.ui.summary(&packages::failed_block(address, "built", message, session.ui.terminal.colour));
        }
        session.ui.note("nothing was published, since not all packages were built", None);
        let kind = failure::common_kind(done.failed.iter().map(|(_, failure)| failure));
        return Ok(Verdict::Prevented(kind.unwrap_or(ErrorKind::Mistake)));
    }
    let mut publications = Vec::new();
    let mut kinds = Vec::new();
    for (address, built) in targets.iter().zip(&done.built) {
        let target = graph.get(address).expect("selected targets are in the graph");
        let outcomes = match target.kind.as_str() {
            kind::DOCKER_IMAGE if !built.image_builds.is_empty() => image::publish_built(session, target, built)?,
            kind::DOCKER_IMAGE | kind::OCI_IMAGE => image::publish(session, target, built)?,
            _ => distribution::publish(session, target, built)?,
        };
        for (publication, failed) in outcomes {
            kinds.extend(failed);
            publications.push(publication);
        }
    }
    for publication in &publications {
        session.ui.summary(&publication.to_text(session.ui.terminal.colour));
    }
    write_list(session, &publications)?;
    Ok(match kinds.as_slice() {
        [] => Verdict::Good,
        [first, rest @ ..] if rest.iter().all(|kind| kind == first) => Verdict::Prevented(*first),
        _ => Verdict::Prevented(ErrorKind::Mistake),
    })
}

/// Writes the JSON list that the option `output` asks for.
fn write_list(session: &Session, publications: &[Publication]) -> Result<(), Error> {
    let Some(path) = PublishSettings::parse(session.config()).output else { return Ok(()) };
    let path = session.build_root().join(path);
    let text = serde_json::to_string_pretty(publications).expect("texts are valid JSON") + "\n";
    replace_file(&path, text.as_bytes()).map_err(|source| Error::Output { path, source })
}

/// The reason why a target is left out, if one of its fields says so.
fn skipped_by(target: &Target, field: &str) -> Option<Status> {
    (target.flag(field) == Some(true)).then(|| Status::Skipped(format!("(by `{field}` on {})", target.address)))
}
