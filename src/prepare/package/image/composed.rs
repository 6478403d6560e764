//! Plans `docker_image` targets that need no program that builds images: the settings say what stands for the base image, and the
//! Dockerfile runs nothing. What the Dockerfile says is read in `composition`.

use std::collections::BTreeMap;

use crate::action::{Derive, Source, Step, StepId};
use crate::base::sandbox_paths;
use crate::config::typed::DockerSettings;
use crate::inference::docker_images;
use crate::inference::dockerfile::instructions;
use crate::packaging::oci::layout::ImageSpec;
use crate::packaging::oci::reference::Reference;
use crate::prepare::package::image::base::PulledBase;
use crate::prepare::package::image::docker::{Context, context_root};
use crate::prepare::package::image::{Error, base_layer, build_args, composition, image_layers, names};
use crate::prepare::package::{Package, PackagePlanner, output_path};
use crate::prepare::{Error as PrepareError, Planner};
use crate::session::toolchains;
use crate::targets::{Address, Target};

/// In `[docker] composed_bases`: the pinned system tree without an interpreter.
const SYSTEM: &str = "system";

/// The search path for programs in images without an interpreter, that of Docker.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An image without its layout.
struct Composed {
    layers: Vec<StepId>,
    spec: ImageSpec,
}

impl PackagePlanner<'_> {
    /// Plans the image; `None` if nothing stands for its base image.
    pub(super) fn plan_composed_image(
        &mut self,
        planner: &mut Planner<'_>,
        target: &Target,
        settings: &DockerSettings,
        context: &Context,
    ) -> Result<Option<Package>, PrepareError> {
        let Some(Composed { layers, mut spec }) = self.compose(planner, target, settings, context)? else {
            return Ok(None);
        };
        let args = build_args(target, settings, &planner.session.environment().vars);
        spec.names = names::names(target, settings, &args)?;
        let values = names::values(target, &args);
        for (name, value) in target.string_pairs("image_labels") {
            spec.labels.insert(name.to_owned(), names::interpolate(target, value, &values)?);
        }
        let output = output_path(target, "")?;
        Ok(Some(super::layout(planner, target, &spec, layers, output)))
    }

    fn compose(
        &mut self,
        planner: &mut Planner<'_>,
        target: &Target,
        settings: &DockerSettings,
        context: &Context,
    ) -> Result<Option<Composed>, PrepareError> {
        let args = build_args(target, settings, &planner.session.environment().vars);
        let instructions = instructions(&context.text);
        let own_bases = docker_images::base_images(target, &context.text, &settings.build_args, self.graph);
        let base = match own_bases.first() {
            Some((_, address)) => self.compose_own_base(planner, address, settings)?,
            None => {
                let Some((_, name)) = composition::base(&instructions, &args) else { return Ok(None) };
                let chosen = settings.composed_bases.iter().find(|(written, _)| *written == name);
                let compose = |(base, stands_for): &(String, String)| match Reference::is_meant(stands_for) {
                    true => self.compose_pulled(planner, target, base, settings),
                    false => compose_system(planner, target, stands_for).map_err(|source| {
                        let (target, source) = (target.address.clone(), Box::new(source));
                        Error::Base { target, base: base.clone(), stands_for: stands_for.clone(), source }.into()
                    }),
                };
                chosen.map(compose).transpose()?
            }
        };
        let Some(Composed { mut layers, spec }) = base else { return Ok(None) };
        let composition = composition::read(&instructions, &args, spec).map_err(|refusal| Error::NotComposed {
            target: target.address.clone(),
            dockerfile: context.dockerfile.clone(),
            refusal,
        })?;
        if !composition.changes.is_empty() {
            let changes = serde_json::to_string(&composition.changes).expect("texts are valid JSON");
            let is_pulled = composition.spec.base.is_some();
            let below = layers.iter().copied().filter(|_| is_pulled);
            let copies = planner.actions.add(Step::Derive(Derive {
                label: format!("files of {}", target.address),
                recipe: if is_pulled { "image-copies-on-1" } else { "image-copies-1" },
                parameters: vec![context_root(target, settings)?.to_string(), changes],
                parts: std::iter::once(context.step).chain(below).map(Source::Output).collect(),
            }));
            layers.push(match is_pulled {
                true => copies,
                false => super::layer(planner, "", vec![Source::Output(copies)]),
            });
        }
        Ok(Some(Composed { layers, spec: composition.spec }))
    }

    /// An image of this repository on which another one is built.
    fn compose_own_base(
        &mut self,
        planner: &mut Planner<'_>,
        address: &Address,
        settings: &DockerSettings,
    ) -> Result<Option<Composed>, PrepareError> {
        // Finds cycles.
        self.plan(planner, address)?;
        let target = self.graph.get(address).ok_or_else(|| PrepareError::NoTarget(address.clone()))?;
        let context = self.plan_context(planner, target)?;
        self.compose(planner, target, settings, &context)
    }

    /// An image of a registry, to which `[docker] composed_bases` gives the name `base`.
    fn compose_pulled(
        &mut self,
        planner: &mut Planner<'_>,
        target: &Target,
        base: &str,
        settings: &DockerSettings,
    ) -> Result<Composed, PrepareError> {
        let PulledBase { layers, spec } = self.base_image(planner, target, base, settings)?;
        Ok(Composed { layers, spec })
    }
}

/// The system tree, perhaps with an interpreter that satisfies a constraint.
fn compose_system(planner: &mut Planner<'_>, target: &Target, stands_for: &str) -> Result<Composed, PrepareError> {
    let constraints = match stands_for {
        SYSTEM => toolchains::default_constraints(planner.config()),
        constraint => vec![constraint.to_owned()],
    };
    let interpreter = planner.interpreter(&constraints)?;
    let (mut images, mut path) = (interpreter.images, PATH.to_owned());
    match interpreter.python.rsplit_once('/') {
        _ if stands_for == SYSTEM => images.retain(|at, _| !at.starts_with(sandbox_paths::TOOLCHAIN)),
        Some((bin, _)) => path = format!("{bin}:{path}"),
        None => {}
    }
    let mut layers = vec![base_layer(planner, target)];
    layers.extend(image_layers(planner, images));
    let env = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned()), ("PATH".to_owned(), path)]);
    let spec = ImageSpec { env, user: "root".to_owned(), workdir: "/".to_owned(), ..ImageSpec::default() };
    Ok(Composed { layers, spec })
}
