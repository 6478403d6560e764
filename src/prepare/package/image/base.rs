//! Base images of registries: their manifest and configuration are fetched while the image on top of them is planned, and their layers
//! when it is built. All of them are pinned by hashes and stored, so that an image that was pulled once needs no network. What manifests
//! say is read in `packaging::oci::base`.

use std::sync::Arc;

use crate::action::{ActionGraph, Derive, Fetch, Location, Source, Step, StepId};
use crate::config::typed::DockerSettings;
use crate::packaging::oci::base::{self as description, BaseConfig, Manifest, Part};
use crate::packaging::oci::layout::ImageSpec;
use crate::packaging::oci::reference::{self, Reference};
use crate::prepare::package::PackagePlanner;
use crate::prepare::package::image::Error as TargetError;
use crate::prepare::{Error as PrepareError, Planner};
use crate::report::size;
use crate::session::{self, execute};
use crate::store::Node;
use crate::targets::Target;

/// Why no image can be based on one of a registry.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages describe the fields")]
pub enum Error {
    #[error(transparent)]
    Reference(#[from] reference::Error),
    #[error("`{reference}` is not suitable: {source}")]
    Unusable { reference: Reference, source: description::Error },
    #[error(
        "layer {number} of `{reference}` has {}, and `[docker] max_layer_size` is {}",
        size(*.size_bytes),
        size(*.limit_bytes)
    )]
    LayerSize { reference: Reference, number: usize, size_bytes: u64, limit_bytes: u64 },
    #[error("it is not in `[docker] composed_bases`, and it is not a reference to an image of a registry")]
    Unknown,
    #[error("`[docker] composed_bases` says that `{stands_for}` stands for it, which is not an image of a registry")]
    NotPulled { stands_for: String },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Reference(error) => return Some(error.hint()),
            Error::LayerSize { .. } => {
                "choose another base image, or set a limit that your registry and your machines accept"
            }
            Error::Unknown => {
                "write `registry.example/name@sha256:…`, or add the name to `[docker] composed_bases` with such a reference"
            }
            Error::NotPulled { .. } => {
                "remove `base_image`: an `oci_image` contains the pinned system tree and its interpreter anyway"
            }
            Error::Unusable { source: description::Error::Schema1, .. } => {
                "push the image again with a current version of docker, podman or skopeo, and name its new digest"
            }
            Error::Unusable {
                source: description::Error::NoPlatform { .. } | description::Error::Platform { .. },
                ..
            } => "name the digest of an image that exists for linux/amd64",
            Error::Unusable { source: description::Error::NotAnImage { .. }, .. } => {
                "name the digest of an image: `skopeo inspect --format '{{.Digest}}' docker://NAME:TAG` prints it"
            }
            Error::Unusable { .. } => "choose another base image, or report this to the one who built it",
        };
        Some(hint.to_owned())
    }
}

/// An image of a registry, on which others are based.
#[derive(Clone, Debug)]
pub struct PulledBase {
    /// Its layers, the lowest first.
    pub layers: Vec<StepId>,
    /// How it starts.
    pub spec: ImageSpec,
}

/// The reference that the field `base_image` contains, or that `[docker] composed_bases` has under its value.
fn named(written: &str, settings: &DockerSettings) -> Result<Reference, Error> {
    let found = settings.composed_bases.iter().find(|(name, _)| name == written);
    match found {
        Some((_, stands_for)) if Reference::is_meant(stands_for) => Ok(Reference::parse(stands_for)?),
        Some((_, stands_for)) => Err(Error::NotPulled { stands_for: stands_for.clone() }),
        None if Reference::is_meant(written) => Ok(Reference::parse(written)?),
        None => Err(Error::Unknown),
    }
}

impl PackagePlanner<'_> {
    /// Plans the layers of the base image of a target, which it names by a reference or by a name of the settings.
    pub(super) fn base_image(
        &mut self,
        planner: &mut Planner<'_>,
        target: &Target,
        written: &str,
        settings: &DockerSettings,
    ) -> Result<PulledBase, PrepareError> {
        let reference = named(written, settings).map_err(refused);
        let pulled = reference.and_then(|reference| self.pulled_base(planner, &reference, settings));
        pulled.map_err(|source| {
            let (target, written) = (target.address.clone(), written.to_owned());
            TargetError::BaseImage { target, written, source: Box::new(source) }.into()
        })
    }

    /// What failed for one image is not tried again for the next.
    fn pulled_base(
        &mut self,
        planner: &mut Planner<'_>,
        reference: &Reference,
        settings: &DockerSettings,
    ) -> Result<PulledBase, PrepareError> {
        if let Some(known) = self.pulled_bases.get(reference) {
            return Ok(known.clone()?);
        }
        let pulled = plan(planner, reference, settings).map_err(Arc::new);
        self.pulled_bases.insert(reference.clone(), pulled.clone());
        Ok(pulled?)
    }
}

fn plan(
    planner: &mut Planner<'_>,
    reference: &Reference,
    settings: &DockerSettings,
) -> Result<PulledBase, PrepareError> {
    let unusable = |source| refused(Error::Unusable { reference: reference.clone(), source });
    let pinned = Part { sha256: reference.sha256.clone(), size_bytes: None };
    let mut manifest = Manifest::parse(&pull(planner, manifest_of(reference, &pinned))?).map_err(unusable)?;
    if let Manifest::Index(chosen) = manifest {
        manifest = Manifest::parse(&pull(planner, manifest_of(reference, &chosen))?).map_err(unusable)?;
    }
    let Manifest::Image { config, layers } = manifest else {
        let media_type = "a list of lists of images".to_owned();
        return Err(unusable(description::Error::NotAnImage { media_type }));
    };
    let limit_bytes = settings.max_layer_bytes.unwrap_or(u64::MAX);
    for (index, (layer, _)) in layers.iter().enumerate() {
        let size_bytes = layer.size_bytes.unwrap_or_default();
        if size_bytes > limit_bytes {
            let (reference, number) = (reference.clone(), index + 1);
            return Err(refused(Error::LayerSize { reference, number, size_bytes, limit_bytes }));
        }
    }
    let config = pull(planner, fetch(reference, &config, "configuration", false))?;
    let BaseConfig { spec, diffs } = BaseConfig::parse(&config, layers.len()).map_err(unusable)?;
    let count = layers.len();
    let steps = layers.iter().zip(diffs).enumerate().map(|(index, ((layer, media_type), diff))| {
        let what = format!("layer {} of {count}", index + 1);
        let archive = planner.actions.add(Step::Fetch(fetch(reference, layer, &what, false)));
        planner.actions.add(Step::Derive(Derive {
            label: format!("{what} of {}/{}", reference.host, reference.repository),
            recipe: "image-pulled-layer-1",
            parameters: vec![diff, (*media_type).to_owned()],
            parts: vec![Source::Output(archive)],
        }))
    });
    Ok(PulledBase { layers: steps.collect(), spec })
}

fn refused(error: Error) -> PrepareError {
    TargetError::from(error).into()
}

fn manifest_of(reference: &Reference, part: &Part) -> Fetch {
    fetch(reference, part, "manifest", true)
}

fn fetch(reference: &Reference, part: &Part, what: &str, is_manifest: bool) -> Fetch {
    let Reference { host, repository, .. } = reference;
    Fetch {
        label: format!("{what} of {host}/{repository}"),
        file_name: part.sha256.clone(),
        locations: vec![Location::Registry { host: host.clone(), repository: repository.clone(), is_manifest }],
        sha256: part.sha256.clone(),
        size_bytes: part.size_bytes,
        unpack: "file-1",
    }
}

/// The bytes of a small part, which further steps are planned by.
fn pull(planner: &mut Planner<'_>, fetch: Fetch) -> Result<Vec<u8>, PrepareError> {
    let name = fetch.file_name.clone();
    let mut graph = ActionGraph::default();
    let step = graph.add(Step::Fetch(fetch.clone()));
    let mut results = execute::execute(planner.session, graph, &[step], false)?;
    let done = results.remove(&step).ok_or(session::Error::Interrupted)?.map_err(session::Error::Step)?;
    let store = planner.session.services.open_store()?;
    let nodes = store.tree(done.tree).map_err(session::Error::Store)?.nodes;
    let content = nodes.into_values().find_map(|node| Node::content(&node));
    let content = content.unwrap_or_else(|| unreachable!("the tree of {name} consists of the file"));
    match store.get(content) {
        Err(error) if error.missing().is_some() => {
            planner.session.services.open_engine()?.fetch_again(&fetch).map_err(session::Error::from)?;
            Ok(store.get(content).map_err(session::Error::Store)?)
        }
        read => Ok(read.map_err(session::Error::Store)?),
    }
}
