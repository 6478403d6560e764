//! Target types of container images.

use super::core::OUTPUT_PATH;
use super::field::{Shape, empty_string_list, field, flag_off, skip, string, string_dict, string_list};
use super::python::RESTARTABLE;
use super::{FieldGroups, Kind, single_source};

/// The target types of this module.
pub(super) const KINDS: &[Kind] =
    &[Kind { default_sources: &["Dockerfile"], ..single_source("docker_image", "A container image.", IMAGE) }
        .open_ended()
        .in_backend("pants.backend.docker")];

const IMAGE: FieldGroups = &[&[
    string("context_root", "The root of the build context."),
    empty_string_list("extra_build_args", "Build arguments, as `NAME=value`."),
    string_dict("image_labels", "Labels of the image."),
    field("image_tags", Shape::StringList, "[\"latest\"]", "Tags of the image."),
    string_list("instructions", "The lines of the Dockerfile, instead of a file."),
    OUTPUT_PATH,
    flag_off("pull", "Pull base images again for every build."),
    field(
        "registries",
        Shape::StringList,
        "[\"<all default registries>\"]",
        "The registries to which `publish` pushes the image.",
    ),
    string("repository", "The repository name of the image."),
    RESTARTABLE,
    string_dict("secrets", "Secrets of the build: names and files."),
    skip("skip_hadolint", &["pants.backend.docker.lint.hadolint"]),
    flag_off("skip_push", "`publish` does not push the image."),
    flag_off("squash", "Squash the image into one layer."),
    empty_string_list("ssh", "SSH agents to forward to the build."),
    string("target_stage", "The build stage to build."),
]];
