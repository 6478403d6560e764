//! Target types of plugins in repositories that are known by name: another type, with sources of its own. A plugin's code
//! is never run.

use super::{Kind, many, plain};

pub const KINDS: &[Kind] = &[
    many("pack_metadata", "resource", "A `resource` for each file of a pack that is no code.", &PACK_METADATA).open(),
    many("pack_metadata_in_git_submodule", "resource", "A pack that may not be checked out.", &PACK_METADATA).open(),
    plain("packs_glob", "The packs in the directories below, but for those that `!` names.", &[]).open().gathers(),
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
