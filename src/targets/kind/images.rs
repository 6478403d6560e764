//! Target types of container images.

use super::core::OUTPUT_PATH;
use super::field::{
    Field, Shape, addresses, empty_string_list, field, flag_off, skip, string, string_dict, string_list,
};
use super::python::RESTARTABLE;
use super::{FieldGroups, Kind, plain, single_source};

/// The target types of this module.
pub(super) const KINDS: &[Kind] = &[
    Kind { default_sources: &["Dockerfile"], ..single_source("docker_image", "A container image.", DOCKERFILE) }
        .open_ended()
        .in_backend("pants.backend.docker"),
    plain("oci_image", "A container image that is composed without a Dockerfile. Specific to Waders.", COMPOSED)
        .without_dependencies(),
];

/// How an image is named and where it is published.
const NAMES: &[Field] = &[
    string_dict("image_labels", "Labels of the image."),
    field("image_tags", Shape::StringList, "[\"latest\"]", "Tags of the image."),
    OUTPUT_PATH,
    field(
        "registries",
        Shape::StringList,
        "[\"<all default registries>\"]",
        "The registries to which `publish` pushes the image.",
    ),
    string("repository", "The repository name of the image."),
    flag_off("skip_push", "`publish` does not push the image."),
];

const COMPOSED: FieldGroups = &[
    NAMES,
    &[
        empty_string_list("args", "The arguments of the program, unless a container gives others."),
        string(
            "base_image",
            "The image of a registry below the layers of this one, as `host/name@sha256:…` or as a name in `[docker] composed_bases`.",
        ),
        string_dict("env", "Environment variables of the program."),
        addresses("files", "Files to include below `/app`, at their paths in the repository."),
        addresses("packages", "Packages to build and to include below `/app`."),
        empty_string_list("ports", "Ports at which the program listens, such as `8080/tcp`."),
        field("program", Shape::Address, "null", "The target that the image runs: any that `waders run` accepts."),
        string("user", "The user that runs the program, as a name or number, perhaps with a group after a colon."),
        string("workdir", "The working directory, by default the one with the sources of the program."),
    ],
];

const DOCKERFILE: FieldGroups = &[
    NAMES,
    &[
        string("context_root", "The root of the build context."),
        empty_string_list("extra_build_args", "Build arguments, as `NAME=value`."),
        string_list("instructions", "The lines of the Dockerfile, instead of a file."),
        flag_off("pull", "Pull base images again for every build."),
        RESTARTABLE,
        string_dict("secrets", "Secrets of the build: names and files."),
        skip("skip_hadolint", &["pants.backend.docker.lint.hadolint"]),
        flag_off("squash", "Squash the image into one layer."),
        empty_string_list("ssh", "SSH agents to forward to the build."),
        string("target_stage", "The build stage to build."),
    ],
];
