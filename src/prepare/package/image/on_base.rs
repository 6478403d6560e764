//! Plans an `oci_image` on an image of a registry, which brings its own system: the layers of the pinned system tree are left out, and
//! those of the program lie on top. How the image starts is what the target says or else what the base image says.

use std::collections::BTreeMap;

use crate::action::StepId;
use crate::base::sandbox_paths;
use crate::config::typed::DockerSettings;
use crate::packaging::oci::layout::ImageSpec;
use crate::plan::environment;
use crate::plan::program_run::SandboxedProgram;
use crate::prepare::package::PackagePlanner;
use crate::prepare::package::image::base::PulledBase;
use crate::prepare::package::image::{Error, image_layers};
use crate::prepare::{Error as PrepareError, Planner};
use crate::targets::Target;

/// Where the pinned system is mounted.
const SYSTEM: [&str; 2] = ["/usr", "/etc"];

impl PackagePlanner<'_> {
    /// The layers of the base image and of the program, and how the image starts. `own` is what the fields of the target say.
    pub(super) fn plan_on_base(
        &mut self,
        planner: &mut Planner<'_>,
        target: &Target,
        written: &str,
        program: Option<SandboxedProgram>,
        own: ImageSpec,
        settings: &DockerSettings,
    ) -> Result<(Vec<StepId>, ImageSpec), PrepareError> {
        let PulledBase { mut layers, spec } = self.base_image(planner, target, written, settings)?;
        if let Some(program) = &program {
            let is_python = program.argv.first().is_some_and(|first| first.starts_with(sandbox_paths::DEPS));
            let has_own = program.images.keys().any(|at| at.starts_with(sandbox_paths::TOOLCHAIN));
            if is_python && !has_own {
                let (target, program) = (target.address.clone(), program.label.clone());
                return Err(Error::SystemPython { target, program }.into());
            }
        }
        let spec = started(target, own, spec, program.as_ref());
        if let Some(program) = program {
            let mut images = program.images;
            images.retain(|at, _| !SYSTEM.iter().any(|system| at.starts_with(system)));
            images.insert(sandbox_paths::SRC.to_owned(), program.sources);
            layers.extend(image_layers(planner, images));
        }
        Ok((layers, spec))
    }
}

/// How the image starts: what the fields of the target say takes precedence over the base image.
fn started(target: &Target, own: ImageSpec, base: ImageSpec, program: Option<&SandboxedProgram>) -> ImageSpec {
    let is_set = |field: &str| target.fields.contains_key(field);
    let (variables, path) = match program {
        Some(program) => (program.env.clone(), Some(sandbox_paths::DEPS_BIN)),
        None => (BTreeMap::new(), None),
    };
    let (mut labels, mut ports) = (base.labels, base.ports);
    labels.extend(own.labels);
    ports.extend(own.ports);
    ImageSpec {
        names: own.names,
        entrypoint: program.map_or(base.entrypoint, |program| program.argv.clone()),
        // As with Docker, another entry point does not get the arguments of the base image.
        args: if program.is_some() || is_set("args") { own.args } else { base.args },
        env: environment::of_image_on(base.env, path, variables, own.env),
        labels,
        user: if is_set("user") { own.user } else { base.user },
        workdir: if program.is_some() || is_set("workdir") { own.workdir } else { base.workdir },
        ports,
        base: base.base,
    }
}
