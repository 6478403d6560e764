//! Images of containers.

use super::core::OUTPUT_PATH;
use super::field::{Shape, dict, field, no_texts, off, skip, text, texts};
use super::python::RESTARTABLE;
use super::{Groups, Kind, one};

pub const KINDS: &[Kind] =
    &[Kind { default_sources: &["Dockerfile"], ..one("docker_image", "An image of a container.", IMAGE) }
        .open()
        .of_backend("pants.backend.docker")];

const IMAGE: Groups = &[&[
    text("context_root", "Where paths of the Dockerfile begin."),
    no_texts("extra_build_args", "`NAME=value` for the build."),
    dict("image_labels", "Labels."),
    field("image_tags", Shape::Texts, "[\"latest\"]", "Tags."),
    texts("instructions", "The Dockerfile, a line each."),
    OUTPUT_PATH,
    off("pull", "Fetch base images anew."),
    field("registries", Shape::Texts, "[\"<all default registries>\"]", "Where `publish` sends it."),
    text("repository", "The name of the image."),
    RESTARTABLE,
    dict("secrets", "Name to the file of a secret."),
    skip("skip_hadolint", &["pants.backend.docker.lint.hadolint"]),
    off("skip_push", "`publish` leaves it alone."),
    off("squash", "Make one layer."),
    no_texts("ssh", "Agents to forward."),
    text("target_stage", "The stage to build."),
]];
