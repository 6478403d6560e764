//! Plans `oci_image` targets: images that are composed of the trees of a sandbox, one layer each, so that a program meets in a
//! container what it meets in `waders run` and `waders test`. `names` computes the names of images. Layers and layouts are written by
//! recipes of `packaging`, and pushed to registries by `goals::publish`.

pub mod base;
mod composed;
mod composition;
mod docker;
mod names;
mod on_base;

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{Derive, Source, Step, StepId};
use crate::base::{ErrorKind, RelPath, sandbox_paths};
use crate::config::typed::DockerSettings;
use crate::packaging::oci;
use crate::packaging::oci::layout::ImageSpec;
use crate::plan::environment;
use crate::plan::program_run::SandboxedProgram;
use crate::prepare::package::{Package, PackagePlanner, output_path};
use crate::prepare::run::{RUNNABLE, RUNNABLE_IN_PANTS, program};
use crate::prepare::{Error as PrepareError, Planner};
use crate::session::toolchains;
use crate::targets::dependencies::resolve;
use crate::targets::{Address, Target};
use crate::tracked::Variables;

/// The directory of packages and files in an image.
const APP: &str = "app";

/// Mount points in the order of layers: what changes rarely is below what changes often, so that registries and hosts keep it.
const LAYER_ORDER: [&str; 4] = ["/etc", "/usr", sandbox_paths::TOOLCHAIN, sandbox_paths::DEPS];

/// Why an image cannot be composed as it is declared.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages describe the fields")]
pub enum Error {
    #[error("{target}: unknown registry `{written}`")]
    Registry { target: Address, written: String, known: Vec<String> },
    #[error("{target}: unknown placeholder `{{{placeholder}}}` in `{text}`")]
    Placeholder { target: Address, text: String, placeholder: String, known: Vec<String> },
    #[error("{target}: `{name}` is not a valid name of an image")]
    Name { target: Address, name: String },
    #[error("{target}: invalid value `{written}` of the field `{field}`: {why}")]
    Invalid { target: Address, field: &'static str, written: String, why: &'static str },
    #[error("{target}: {source}")]
    Program { target: Address, source: crate::targets::dependencies::Error },
    #[error("{target}: the field `program` names {program}, whose type `{kind}` does not run")]
    NotRunnable { target: Address, program: Address, kind: String },
    #[error("{target}: the Dockerfile does not exist")]
    NoDockerfile { target: Address },
    #[error(
        "{dockerfile}:{line}: {target} is composed without a program that builds images, but `{instruction}` cannot be: {why}",
        line = .refusal.line,
        instruction = .refusal.instruction,
        why = .refusal.why
    )]
    NotComposed { target: Address, dockerfile: RelPath, refusal: composition::Refusal },
    #[error("{target}: `[docker] composed_bases` says that `{stands_for}` stands for `{base}`, but {source}")]
    Base { target: Address, base: String, stands_for: String, source: Box<PrepareError> },
    #[error(transparent)]
    Pulled(#[from] base::Error),
    #[error("{target} cannot be based on `{written}`: {source}")]
    BaseImage { target: Address, written: String, source: Box<PrepareError> },
    #[error(
        "{target}: the interpreter of {program} is part of the pinned system tree, and an image with `base_image` has the system of \
         that image instead"
    )]
    SystemPython { target: Address, program: String },
    #[error("cannot read `{path}`")]
    Dockerfile { path: RelPath, source: std::io::Error },
    #[error("{target} contains nothing: it has no `program`, no `packages` and no `files`")]
    Empty { target: Address },
}

impl Error {
    /// The kind of the error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Base { source, .. } | Error::BaseImage { source, .. } => source.kind(),
            _ => ErrorKind::Mistake,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Registry { known, .. } if known.is_empty() => {
                Some("declare it in `registries` in the section `[docker]`".to_owned())
            }
            Error::Registry { known, .. } => {
                Some(format!("known registries: {}; they are declared in `[docker] registries`", known.join(", ")))
            }
            Error::Placeholder { known, .. } => Some(format!("known placeholders: {{{}}}", known.join("}, {"))),
            Error::Name { .. } => Some(
                "a repository consists of lower-case letters, digits and `._-/`, and a tag of letters, digits and `._-`".to_owned(),
            ),
            Error::NotRunnable { .. } => {
                let kinds: BTreeSet<&str> = RUNNABLE_IN_PANTS.into_iter().chain(RUNNABLE).collect();
                Some(format!("types that run: {}", kinds.into_iter().collect::<Vec<_>>().join(", ")))
            }
            Error::Program { source, .. } => source.hint().map(str::to_owned),
            Error::Base { .. } => Some(
                "name `system`, a constraint on a Python interpreter that can be had, such as `CPython==3.11.*`, or an image of a \
                 registry by its digest, such as `registry.example/library/python@sha256:…`"
                    .to_owned(),
            ),
            Error::BaseImage { source, .. } => source.hint(),
            Error::Pulled(error) => error.hint(),
            Error::SystemPython { .. } => Some(
                "let a standalone interpreter be used (`providers = [\"standalone\"]` in the section `[toolchain]`), or name a \
                 `pex_binary` in `packages`, which the Python of the base image runs"
                    .to_owned(),
            ),
            Error::NoDockerfile { .. } => Some("set the field `source` or `instructions`".to_owned()),
            Error::NotComposed { .. } => Some(
                "change the Dockerfile, or remove its base image from `[docker] composed_bases`, so that docker, podman or buildah \
                 builds the image"
                    .to_owned(),
            ),
            Error::Invalid { .. } | Error::Dockerfile { .. } | Error::Empty { .. } => None,
        }
    }
}

impl PackagePlanner<'_> {
    /// Plans the layers of an image and its layout.
    pub(super) fn plan_image(&mut self, planner: &mut Planner<'_>, target: &Target) -> Result<Package, PrepareError> {
        let output = output_path(target, "")?;
        let settings = DockerSettings::parse(planner.config());
        let args = build_args(target, &settings, &planner.session.environment().vars);
        let mut spec = describe(target)?;
        spec.names = names::names(target, &settings, &args)?;
        let program = self.plan_image_program(planner, target)?;
        let (mut layers, spec) = match target.text("base_image") {
            Some(written) => self.plan_on_base(planner, target, written, program, spec, &settings)?,
            None => plan_on_system(planner, target, program, spec)?,
        };
        let app = self.image_contents(planner, target)?;
        match app.is_empty() {
            true if spec.entrypoint.is_empty() && spec.base.is_none() => {
                return Err(Error::Empty { target: target.address.clone() }.into());
            }
            true => {}
            false => layers.push(layer(planner, APP, app)),
        }
        Ok(layout(planner, target, &spec, layers, output))
    }

    /// What the image runs.
    fn plan_image_program(
        &mut self,
        planner: &mut Planner<'_>,
        target: &Target,
    ) -> Result<Option<SandboxedProgram>, PrepareError> {
        let Some(written) = target.text("program") else { return Ok(None) };
        let invalid =
            |why| Error::Invalid { target: target.address.clone(), field: "program", written: written.to_owned(), why };
        let found = resolve(self.graph, target, written)
            .map_err(|source| Error::Program { target: target.address.clone(), source })?;
        let [address] = &found[..] else { return Err(invalid("it names several targets").into()) };
        let kind = self.graph.get(address).map(|target| target.kind.clone()).unwrap_or_default();
        if !RUNNABLE_IN_PANTS.into_iter().chain(RUNNABLE).any(|runnable| runnable == kind) {
            let (target, program) = (target.address.clone(), address.clone());
            return Err(Error::NotRunnable { target, program, kind }.into());
        }
        let program = program(planner.session, address)?;
        program.plan_sandboxed(planner).map(Some)
    }

    /// The trees of packages and files of the image.
    fn image_contents(&mut self, planner: &mut Planner<'_>, target: &Target) -> Result<Vec<Source>, PrepareError> {
        let mut parts = Vec::new();
        if !target.strings("files").is_empty() {
            parts.push(self.archived_files(planner, target)?);
        }
        let packages = self.targets_in_field(target, "packages")?.into_iter().map(|package| package.address.clone());
        for address in packages.collect::<Vec<_>>() {
            parts.push(Source::Output(self.plan(planner, &address)?.step));
        }
        Ok(parts)
    }
}

/// The layers of the system tree, the interpreter and the program, and how the image starts.
fn plan_on_system(
    planner: &mut Planner<'_>,
    target: &Target,
    program: Option<SandboxedProgram>,
    mut spec: ImageSpec,
) -> Result<(Vec<StepId>, ImageSpec), PrepareError> {
    let mut layers = vec![base_layer(planner, target)];
    let mut images = match &program {
        Some(program) => program.images.clone(),
        None => planner.interpreter(&toolchains::default_constraints(planner.config()))?.images,
    };
    let mut variables = BTreeMap::new();
    if let Some(program) = program {
        images.insert(sandbox_paths::SRC.to_owned(), program.sources);
        spec.entrypoint = program.argv;
        variables = program.env;
    }
    spec.env = environment::of_image(oci::HOME, variables, spec.env);
    layers.extend(image_layers(planner, images));
    Ok((layers, spec))
}

/// What the fields say about the image, apart from its layers and names.
fn describe(target: &Target) -> Result<ImageSpec, Error> {
    let invalid = |field, written: &str, why| Error::Invalid {
        target: target.address.clone(),
        field,
        written: written.to_owned(),
        why,
    };
    let dict = |field| -> BTreeMap<String, String> {
        target.string_pairs(field).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let user = target.text("user").map_or_else(|| format!("{0}:{0}", oci::USER_ID), str::to_owned);
    if target.text("base_image").is_none() && !is_user(&user) {
        return Err(invalid("user", &user, "an image has the users `root`, `app` (1000) and `nobody`, and any number"));
    }
    let workdir = match target.text("workdir") {
        Some(dir) if dir.starts_with('/') => dir.to_owned(),
        Some(dir) => return Err(invalid("workdir", dir, "the path must be absolute")),
        None if target.text("program").is_some() => sandbox_paths::SRC.to_owned(),
        None => format!("/{APP}"),
    };
    let ports: Vec<String> = target.strings("ports").into_iter().map(str::to_owned).collect();
    for port in &ports {
        let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        if number.parse::<u16>().is_err() || !["tcp", "udp", "sctp"].contains(&protocol) {
            return Err(invalid("ports", port, "expected a number, perhaps with `/tcp` or `/udp`"));
        }
    }
    Ok(ImageSpec {
        args: target.strings("args").into_iter().map(str::to_owned).collect(),
        env: dict("env"),
        labels: dict("image_labels"),
        user,
        workdir,
        ports,
        ..ImageSpec::default()
    })
}

/// Whether a user, perhaps with a group, is one that every image has, or a number.
fn is_user(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let is_known = |name: &str| is_number(name) || ["root", "nobody", oci::USER_NAME].contains(&name);
    text.split_once(':').map_or(is_known(text), |(user, group)| is_known(user) && is_known(group))
}

/// The build arguments of an image: those of the settings and of the target, `NAME=value` or `NAME` for the caller's value.
fn build_args(target: &Target, settings: &DockerSettings, caller: &Variables) -> BTreeMap<String, String> {
    let own = target.strings("extra_build_args").into_iter().map(str::to_owned);
    let entries: Vec<String> = settings.build_args.iter().cloned().chain(own).collect();
    environment::requested(&entries, caller)
}

/// The layer that every image has.
fn base_layer(planner: &mut Planner<'_>, target: &Target) -> StepId {
    derive(planner, format!("base layer of {}", target.address), "image-base-2", Vec::new(), Vec::new())
}

/// A layer for each tree, in the order of `LAYER_ORDER`. `images` are trees by mount point.
fn image_layers(planner: &mut Planner<'_>, images: BTreeMap<String, Source>) -> Vec<StepId> {
    let mut images: Vec<(String, Source)> = images.into_iter().collect();
    images
        .sort_by_key(|(at, _)| LAYER_ORDER.iter().position(|first| at.starts_with(first)).unwrap_or(LAYER_ORDER.len()));
    images.into_iter().map(|(at, tree)| layer(planner, &at, vec![tree])).collect()
}

/// The package of an image of these layers.
fn layout(
    planner: &mut Planner<'_>,
    target: &Target,
    spec: &ImageSpec,
    layers: Vec<StepId>,
    output: RelPath,
) -> Package {
    let text = serde_json::to_string(spec).expect("texts are valid JSON");
    let parts = layers.into_iter().map(Source::Output).collect();
    let step = derive(planner, format!("package {}", target.address), "image-1", vec![text, output.to_string()], parts);
    Package { directory: Some(output), ..Package::of_step(step) }
}

fn layer(planner: &mut Planner<'_>, at: &str, trees: Vec<Source>) -> StepId {
    let at = RelPath::parse(at.trim_start_matches('/')).expect("mount points are clean");
    derive(planner, format!("layer /{at}"), "image-layer-1", vec![at.to_string()], trees)
}

fn derive(
    planner: &mut Planner<'_>,
    label: String,
    recipe: &'static str,
    parameters: Vec<String>,
    parts: Vec<Source>,
) -> StepId {
    planner.actions.add(Step::Derive(Derive { label, recipe, parameters, parts }))
}
