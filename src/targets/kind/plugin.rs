//! Target types of plugins of known repositories, described by other types and default sources. Code of plugins is
//! never run.

use super::{Kind, file_generator, plain};

/// The target types of this module.
pub(super) const KINDS: &[Kind] = &[
    file_generator("pack_metadata", "resource", "A `resource` for each metadata file of a pack.", &PACK_METADATA)
        .open_ended(),
    file_generator(
        "pack_metadata_in_git_submodule",
        "resource",
        "A pack in a Git submodule, which may not be checked out.",
        &PACK_METADATA,
    )
    .open_ended(),
    plain("packs_glob", "All packs in subdirectories, except those excluded by `!`.", &[])
        .open_ended()
        .includes_subdirectories(),
];

const PACK_METADATA: [&str; 8] = [
    "pack.yaml",
    "config.schema.yaml",
    "*.yaml.example",
    "**/*.yaml",
    "**/*.yml",
    "icon.png",
    "!tests/**/*.yml",
    "!tests/**/*.yaml",
];
