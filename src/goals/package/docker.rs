//! Images with a Dockerfile: each run of the goal builds them, as with Pants, since somebody may have removed an image in the meantime.
//! What is written to the directory for results is a description of the image.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::goals::Error;
use crate::goals::package::BuiltPackages;
use crate::packaging::oci::layout;
use crate::session::Session;
use crate::session::failure::Failure;
use crate::session::image_builder::{self, ImageBuild};
use crate::store::{Node, Tree};

/// The version of the description, which is that of Pants.
const INFO_VERSION: u32 = 1;

#[derive(Serialize)]
struct ImageInfo<'i> {
    version: u32,
    image_id: &'i str,
    registries: Vec<RegistryInfo<'i>>,
}

#[derive(Serialize)]
struct RegistryInfo<'i> {
    address: Option<&'i str>,
    repository: &'i str,
    tags: Vec<TagInfo<'i>>,
}

#[derive(Serialize)]
struct TagInfo<'i> {
    tag: &'i str,
    name: &'i str,
}

/// Builds the images among the packages. The tree of each becomes its description, or the package failed.
pub(in crate::goals) fn build_images(session: &mut Session, done: &mut BuiltPackages) -> Result<(), Error> {
    // An image that several others are built on is built once.
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for mut package in std::mem::take(&mut done.built) {
        let mut id = Ok(None);
        for (context, build) in &package.image_builds {
            let info = build.info.to_string();
            id = match known.get(&info) {
                Some(id) => Ok(Some(id.clone())),
                None => image_builder::build(session, *context, build).map(Some),
            };
            match &id {
                Ok(built) => known.extend(built.clone().map(|id| (info, id))),
                Err(_) => break,
            }
        }
        match (id, package.image_builds.last()) {
            (Ok(Some(id)), Some((_, build))) => {
                let store = session.services.open_store()?;
                let file = Node::File { digest: store.put(&describe(&id, build))?, executable: false };
                package.tree = store.put_tree(&Tree { nodes: BTreeMap::from([(build.info.clone(), file)]) })?;
                session.ui.summary(&format!("Built docker image: {}\nDocker image ID: {id}", build.names.join(", ")));
                done.built.push(package);
            }
            (Ok(_), _) => done.built.push(package),
            (Err(error), _) => {
                let failure = Failure::from_preparation(&error, error.hint(), error.kind());
                done.failed.push((package.address, failure));
            }
        }
    }
    Ok(())
}

fn describe(id: &str, build: &ImageBuild) -> Vec<u8> {
    let mut registries: BTreeMap<(Option<&str>, &str), Vec<TagInfo<'_>>> = BTreeMap::new();
    for name in &build.names {
        let (repository, tag) = layout::split_name(name);
        let place = match layout::split_host(repository) {
            Some((host, path)) => (Some(host), path),
            None => (None, repository),
        };
        registries.entry(place).or_default().push(TagInfo { tag, name });
    }
    let registries = registries.into_iter();
    let registries = registries.map(|((address, repository), tags)| RegistryInfo { address, repository, tags });
    let info = ImageInfo { version: INFO_VERSION, image_id: id, registries: registries.collect() };
    serde_json::to_vec(&info).expect("texts are valid JSON")
}
