//! Target types of documentation. They are specific to Waders.

use super::core::OUTPUT_PATH;
use super::field::{Field, empty_string_list, field, flag_off, string};
use super::{FieldGroups, Kind, Shape, Sources, plain};

/// The target types of this module.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        sources: Sources::Many,
        default_sources: &["mkdocs.yml", "docs/**/*"],
        ..plain(super::MKDOCS_SITE, "A site that MkDocs builds. Specific to Waders.", MKDOCS)
    },
    Kind {
        sources: Sources::Many,
        default_sources: &["**/*.md", "**/*.rst", "_static/**/*", "_templates/**/*", "conf.py"],
        ..plain(super::SPHINX_DOCS, "Documentation that Sphinx builds. Specific to Waders.", SPHINX)
    },
];

const COMMON: &[Field] = &[
    empty_string_list("extra_args", "Further arguments of the program."),
    OUTPUT_PATH,
    flag_off("warnings_as_errors", "Warnings of the program make the build fail."),
];

const MKDOCS: FieldGroups =
    &[COMMON, &[field("config", Shape::String, "\"mkdocs.yml\"", "The settings file, relative to the BUILD file.")]];

const SPHINX: FieldGroups = &[
    COMMON,
    &[
        field("builder", Shape::String, "\"html\"", "The builder of Sphinx."),
        string(
            "config_directory",
            "The directory with conf.py, relative to the BUILD file; by default that of the BUILD file.",
        ),
    ],
];
