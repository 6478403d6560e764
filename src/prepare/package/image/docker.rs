//! Plans `docker_image` targets: the context of the build, which has only declared files, and how the build is called. A program of
//! this machine builds the image from it (`session::image_builder`), unless it can be composed (`composed`).

use std::collections::BTreeMap;

use crate::action::{Derive, Source, Step, StepId};
use crate::base::RelPath;
use crate::config::typed::DockerSettings;
use crate::inference::docker_images;
use crate::prepare::package::image::{Error, build_args, names};
use crate::prepare::package::{KINDS, Package, PackagePlanner, is_image, output_path};
use crate::prepare::{Error as PrepareError, Planner};
use crate::session::image_builder::ImageBuild;
use crate::store::{Node, Tree};
use crate::targets::{Address, Target, dependencies};

/// The target types whose files are part of the context.
const CONTEXT_FILES: [&str; 3] = ["file", "relocated_files", "shell_source"];

/// The files that a Dockerfile can copy.
pub(super) struct Context {
    /// The step whose output has them, at their paths in the repository and below the directory for results.
    pub step: StepId,
    /// The path of the Dockerfile there.
    pub dockerfile: RelPath,
    /// Its text.
    pub text: String,
}

impl PackagePlanner<'_> {
    /// Plans the context of an image, with the packages that it depends on, and those of the images that it is built on.
    pub(in crate::prepare::package) fn plan_docker_image(
        &mut self,
        planner: &mut Planner<'_>,
        target: &Target,
    ) -> Result<Package, PrepareError> {
        let settings = DockerSettings::parse(planner.config());
        let mut args = build_args(target, &settings, &planner.session.environment().vars);
        let names = names::names(target, &settings, &args)?;
        let options = options(target, &settings, &args)?;
        let context = self.plan_context(planner, target)?;
        if let Some(package) = self.plan_composed_image(planner, target, &settings, &context)? {
            return Ok(package);
        }
        let Context { step, dockerfile, text } = context;
        let mut image_builds = Vec::new();
        for (arg, address) in docker_images::base_images(target, &text, &settings.build_args, self.graph) {
            let base = self.plan(planner, &address)?;
            if let Some((_, build)) = base.image_builds.last() {
                args.extend(build.names.first().map(|name| (arg, name.clone())));
            }
            image_builds.extend(base.image_builds);
        }
        let context_root = context_root(target, &settings)?;
        let info = output_path(target, "docker-info.json")?;
        image_builds.push((step, ImageBuild { names, dockerfile, context_root, args, options, info }));
        Ok(Package { image_builds, ..Package::of_step(step) })
    }

    /// Plans the context of an image, with the packages that it copies.
    pub(super) fn plan_context(&mut self, planner: &mut Planner<'_>, target: &Target) -> Result<Context, PrepareError> {
        let (mut parts, dockerfile, text) = self.own_files(planner, target)?;
        for address in self.packages_of(target) {
            parts.push(Source::Output(self.plan(planner, &address)?.step));
        }
        let step = planner.actions.add(Step::Derive(Derive {
            label: format!("assemble the context of {}", target.address),
            recipe: "overlay-1",
            parameters: vec![String::new(); parts.len()],
            parts,
        }));
        Ok(Context { step, dockerfile, text })
    }

    /// The trees of the files in the context, the path of the Dockerfile there, and its text.
    fn own_files(
        &self,
        planner: &mut Planner<'_>,
        target: &Target,
    ) -> Result<(Vec<Source>, RelPath, String), PrepareError> {
        let direct = self.dependencies.direct(&target.address).into_iter();
        let direct = direct.flat_map(|address| dependencies::expand_generators(self.graph, address));
        let direct: Vec<&Target> = direct.filter_map(|address| self.graph.get(&address)).collect();
        let mut parts = vec![self.files_of(planner, &direct, &CONTEXT_FILES)?];
        let (dockerfile, text) = match docker_images::instructions(target) {
            Some(text) => {
                let path = target.address.dir.push(&format!("Dockerfile.{}", target.address.name))?;
                let store = planner.session.services.open_store()?;
                let file = Node::File { digest: store.put(text.as_bytes())?, executable: false };
                parts.push(Source::Tree(store.put_tree(&Tree { nodes: BTreeMap::from([(path.clone(), file)]) })?));
                (path, text)
            }
            None => {
                let path = target.sources.first();
                let path = path.ok_or_else(|| Error::NoDockerfile { target: target.address.clone() })?;
                let context = planner.session.context.clone();
                let text = context.tracker.read_to_string(&path.to_path(&context.build_root));
                let text = text.map_err(|source| Error::Dockerfile { path: path.clone(), source })?;
                parts.push(Source::Tree(planner.session.services.open_sources()?.tree([path])?));
                (path.clone(), text)
            }
        };
        Ok((parts, dockerfile, text))
    }

    /// The packages among the dependencies, without images.
    fn packages_of(&self, target: &Target) -> Vec<Address> {
        let is_package = |address: &&Address| {
            let kind = self.graph.get(address).map(|target| target.kind.as_str()).unwrap_or_default();
            KINDS.contains(&kind) && !is_image(kind)
        };
        self.dependencies.direct(&target.address).into_iter().filter(is_package).cloned().collect()
    }
}

/// The directory of the context that Docker reads: relative to the build root, or with `./` to the BUILD file.
pub(super) fn context_root(target: &Target, settings: &DockerSettings) -> Result<RelPath, Error> {
    let written = target.text("context_root").unwrap_or(&settings.default_context_root);
    let base = if written.starts_with("./") { &target.address.dir } else { &RelPath::root() };
    base.resolve(written.trim_start_matches('/')).map_err(|_| Error::Invalid {
        target: target.address.clone(),
        field: "context_root",
        written: written.to_owned(),
        why: "it leaves the repository",
    })
}

/// The options of the build that docker, podman and buildah have in common, and those of docker that the target asks for.
fn options(target: &Target, settings: &DockerSettings, args: &BTreeMap<String, String>) -> Result<Vec<String>, Error> {
    let mut options = Vec::new();
    let values = names::values(target, args);
    for (name, value) in target.string_pairs("image_labels") {
        options.extend(["--label".to_owned(), format!("{name}={}", names::interpolate(target, value, &values)?)]);
    }
    for (id, path) in target.string_pairs("secrets") {
        let path = match path.strip_prefix("./") {
            Some(below) => format!("{}/{below}", target.address.dir),
            None => path.to_owned(),
        };
        options.extend(["--secret".to_owned(), format!("id={id},src={path}")]);
    }
    options.extend(target.strings("ssh").into_iter().map(|key| format!("--ssh={key}")));
    for (field, option) in [("cache_to", "--cache-to"), ("output", "--output")] {
        let parts: Vec<String> = target.string_pairs(field).map(|(key, value)| format!("{key}={value}")).collect();
        options.extend((!parts.is_empty()).then(|| format!("{option}={}", parts.join(","))));
    }
    let platforms = target.strings("build_platform");
    options.extend((!platforms.is_empty()).then(|| format!("--platform={}", platforms.join(","))));
    options.extend(target.text("build_network").map(|network| format!("--network={network}")));
    let stage = target.text("target_stage").or(settings.build_target_stage.as_deref());
    options.extend(stage.map(|stage| format!("--target={stage}")));
    for (is_set, option) in [
        (target.flag("pull") == Some(true), "--pull"),
        (target.flag("squash") == Some(true), "--squash"),
        (settings.build_no_cache, "--no-cache"),
    ] {
        options.extend(is_set.then(|| option.to_owned()));
    }
    options.extend(settings.build_hosts.iter().map(|(host, address)| format!("--add-host={host}:{address}")));
    Ok(options)
}
