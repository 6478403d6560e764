//! Infers the dependencies of `docker_image` targets: their base images, and the packages that the Dockerfile copies by
//! their output paths. Parsing is done in `dockerfile`.

use std::collections::{BTreeMap, HashMap};

use crate::inference::dockerfile::Dockerfile;
use crate::inference::target_index::{TargetId, TargetIndex};
use crate::targets::kind;
use crate::targets::{Address, Target, TargetGraph, Value, dependencies};

/// The target types that the goal `package` builds.
const PACKAGES: [&str; 11] = [
    kind::ARCHIVE,
    kind::DOCKER_IMAGE,
    kind::MAKESELF_ARCHIVE,
    kind::PEX_BINARY,
    kind::PYTHON_AWS_LAMBDA_FUNCTION,
    kind::PYTHON_AWS_LAMBDA_LAYER,
    kind::PYTHON_AWSLAMBDA,
    kind::PYTHON_DISTRIBUTION,
    kind::PYTHON_GOOGLE_CLOUD_FUNCTION,
    kind::PYOXIDIZER_BINARY,
    kind::SCIE_BINARY,
];

/// All packages, by output path.
#[derive(Debug, Default)]
pub(super) struct Packages {
    /// By `output_path`.
    by_output_path: HashMap<String, Vec<TargetId>>,
    /// By default output path without extension, for targets that set no `output_path`.
    by_default_path: HashMap<String, Vec<TargetId>>,
}

impl Packages {
    /// Collects the packages among all targets.
    pub(super) fn collect(targets: &TargetIndex<'_>) -> Packages {
        let mut packages = Packages::default();
        for (id, target) in targets.iter().filter(|(_, target)| PACKAGES.contains(&target.kind.as_str())) {
            match target.text("output_path") {
                Some(path) => packages.by_output_path.entry(path.to_owned()).or_default().push(id),
                None => packages.by_default_path.entry(default_path(&target.address)).or_default().push(id),
            }
        }
        packages
    }

    fn at(&self, path: &str) -> impl Iterator<Item = TargetId> {
        let path = path.strip_prefix("./").unwrap_or(path);
        let bare = path.rsplit_once('.').filter(|(_, ending)| !ending.contains('/')).map(|(bare, _)| bare);
        let without_ending = [Some(path), bare].into_iter().flatten().filter_map(|path| self.by_default_path.get(path));
        self.by_output_path.get(path).into_iter().chain(without_ending).flatten().copied()
    }
}

/// The default output path without extension, as Pants defines it: `src.app/main`.
fn default_path(address: &Address) -> String {
    let name = address.generated.as_ref().map_or(address.name.clone(), |generated| generated.replace('.', "_"));
    let parameters: Vec<String> = address.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let parameters = if parameters.is_empty() { String::new() } else { format!("@{}", parameters.join(",")) };
    let file = format!("{name}{}", parameters.replace('.', "_"));
    let dir = address.dir.as_str().replace('/', ".");
    if dir.is_empty() { file } else { format!("{dir}/{file}") }
}

/// The text of a Dockerfile that is written in the BUILD file, in the field `instructions`.
pub fn instructions(image: &Target) -> Option<String> {
    let instructions = image.fields.get("instructions")?.items()?;
    Some(instructions.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"))
}

/// Finds the packages that an image depends on. `text` is its Dockerfile; `build_args` are the default build arguments as
/// `NAME=value`.
pub(super) fn find_packages(
    image: &Target,
    text: &str,
    build_args: &[String],
    targets: &TargetIndex<'_>,
    packages: &Packages,
) -> Vec<TargetId> {
    let file = Dockerfile::parse(text);
    let named = named(&file, image, build_args, targets.graph).into_iter();
    let named = named.filter_map(|(_, address)| targets.id(&address));
    let is_package = |id: &TargetId| PACKAGES.contains(&targets.get(*id).kind.as_str());
    let copied = file.copied.iter().flat_map(|path| packages.at(path));
    named.filter(is_package).chain(copied).filter(|id| targets.get(*id).address != image.address).collect()
}

/// The images of this repository that an image is built on, with the names of the build arguments that name them.
pub fn base_images(image: &Target, text: &str, build_args: &[String], graph: &TargetGraph) -> Vec<(String, Address)> {
    let mut named = named(&Dockerfile::parse(text), image, build_args, graph);
    named.retain(|(_, address)| {
        *address != image.address && graph.get(address).is_some_and(|target| target.kind == kind::DOCKER_IMAGE)
    });
    named
}

/// The targets in the values of build arguments, with the names of these.
fn named(file: &Dockerfile, image: &Target, build_args: &[String], graph: &TargetGraph) -> Vec<(String, Address)> {
    let own = image.strings("extra_build_args");
    let given: BTreeMap<&str, &str> =
        build_args.iter().map(String::as_str).chain(own).filter_map(|arg| arg.split_once('=')).collect();
    let resolved = file.addresses(&given).into_iter().filter_map(|(arg, written)| {
        let found = dependencies::resolve(graph, image, written).ok()?;
        Some(found.into_iter().map(|address| (arg.to_owned(), address)))
    });
    resolved.flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inference::fixture::repository;

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    #[test]
    fn an_image_depends_on_packages_that_it_copies() {
        repository()
            .target("pex_binary", "src/app:bin", &[])
            .target("pex_binary", "src/app:set", &[("output_path", text("tools/set.pex"))])
            .target("archive", "src/app:data", &[])
            .file("docker/Dockerfile", "FROM a\nCOPY src.app/bin.pex ./tools/set.pex src.app/data.tar.gz x.pex /\n")
            .target("docker_image", "docker/Dockerfile", &[])
            .check("docker/Dockerfile", &["src/app:bin", "src/app:set"]);
    }

    #[test]
    fn an_image_depends_on_its_base_image() {
        let repository = repository()
            .target("docker_image", "docker:base", &[])
            .target("docker_image", "docker:other", &[])
            .target("target", "docker:none", &[]);
        let line = |address: &str| Value::List(vec![text(&format!("ARG BASE={address}")), text("FROM $BASE")]);
        repository
            .target("docker_image", "docker:a", &[("instructions", line(":base"))])
            .target("docker_image", "docker:b", &[("instructions", line("python:3.12"))])
            .target("docker_image", "docker:c", &[("instructions", line("docker:none"))])
            .check("docker:a", &["docker:base"])
            .check("docker:b", &[])
            .check("docker:c", &[])
            .field("docker:a", "extra_build_args", &["BASE=:other"])
            .check("docker:a", &["docker:other"]);
    }

    #[test]
    fn a_script_depends_on_the_files_that_it_sources() {
        repository()
            .target("shell_source", "lib/x.sh", &[])
            .file("app/run.sh", "source lib/x.sh\n. nowhere.sh\n")
            .target("shell_source", "app/run.sh", &[])
            .check("app/run.sh", &["lib/x.sh"])
            .option("shell-setup", "dependency_inference", json!(false))
            .check("app/run.sh", &[]);
    }
}
