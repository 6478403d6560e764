//! Target types that are always there: files, resources, archives, aliases, environments, lockfiles.

use super::field::{Field, Shape, addresses, field, no_texts, off, text, texts};
use super::{Groups, Kind, many, one, plain};

pub const ENVIRONMENT: Field =
    field("environment", Shape::Text, "\"__local__\"", "The environment that the target is built in.");
pub const OUTPUT_PATH: Field = text("output_path", "Where the result goes in the dist directory.");

pub const KINDS: &[Kind] = &[
    one("_generator_sources_helper", "The file that a generator of requirements reads.", &[]).alone(),
    one("_lockfile", "The lockfile of a resolve.", &[]),
    many("_lockfiles", "_lockfile", "Stands for the lockfile of a resolve.", &[]),
    plain("archive", "A zip or tar file of packages and files.", ARCHIVE).alone(),
    plain("docker_environment", "Steps run in a Docker image.", DOCKER_ENVIRONMENT).alone().open(),
    plain("experimental_workspace_environment", "Steps run in the workspace.", &[]).alone().open(),
    plain("experimental_wrap_as_resources", "What other targets make, as resources.", WRAP).alone(),
    one("file", "A file that stays at its place in the repository.", &[]),
    many("files", "file", "A `file` for each file.", &[]),
    plain("generic_target", "An older name of `target`.", &[]),
    plain("local_environment", "Steps run on this machine.", LOCAL_ENVIRONMENT).alone().open(),
    plain("relocated_files", "Files under another path.", RELOCATED).alone(),
    plain("remote_environment", "Steps run on other machines.", REMOTE_ENVIRONMENT).alone().open(),
    one("resource", "A file that is loaded from beside the code.", &[]),
    many("resources", "resource", "A `resource` for each file.", &[]),
    plain("target", "Another name for some targets.", &[]),
];

const ARCHIVE: Groups = &[&[
    ENVIRONMENT.rare(),
    addresses("files", "What goes in as it is."),
    field("format", Shape::OneOf(&["tar", "tar.bz2", "tar.gz", "tar.xz", "zip"]), "null", "The kind of archive.")
        .needed(),
    OUTPUT_PATH,
    addresses("packages", "What is built and goes in."),
]];

/// The sources that such a target makes are its own: none in the repository.
pub const NO_SOURCES: Field = text("_sources", "Made by the target itself.").raw();

pub const WRAP: Groups = &[&[
    NO_SOURCES,
    addresses("inputs", "The targets whose outputs are meant.").needed(),
    texts("outputs", "Only these of their outputs, as globs."),
]];

const RELOCATED: Groups = &[&[
    NO_SOURCES,
    text("dest", "The path that replaces `src`.").needed(),
    addresses("files_targets", "The files that are meant.").needed(),
    text("src", "The path that is replaced.").needed(),
]];

const FALLBACK: Field = text("fallback_environment", "Used where this one cannot be.");

/// Settings that an environment may have of its own.
const OPTIONS: &[Field] = &[
    no_texts("docker_env_vars", "Its `[docker] env_vars`.").with(DOCKER),
    texts("docker_executable_search_paths", "Its `[docker] executable_search_paths`.").with(DOCKER),
    texts("pex_executable_search_paths", "Its `[pex] executable_search_paths`.").with(PYTHON),
    texts("python_bootstrap_names", "Its `[python-bootstrap] names`.").with(PYTHON),
    texts("python_bootstrap_search_path", "Its `[python-bootstrap] search_path`.").with(PYTHON),
    texts("python_native_code_cpp_flags", "Its `[python-native-code] cpp_flags`.").with(PYTHON),
    texts("python_native_code_ld_flags", "Its `[python-native-code] ld_flags`.").with(PYTHON),
    texts("shell_setup_executable_search_paths", "Its `[shell-setup] executable_search_paths`.").with(SHELL),
    texts("subprocess_environment_env_vars", "Its `[subprocess-environment] env_vars`."),
    texts("test_extra_env_vars", "Its `[test] extra_env_vars`."),
];

const DOCKER: &[&str] = &["pants.backend.docker"];
const PYTHON: &[&str] = &["pants.backend.python"];
const SHELL: &[&str] = &["pants.backend.shell"];

const LOCAL_ENVIRONMENT: Groups = &[
    OPTIONS,
    &[
        field(
            "compatible_platforms",
            Shape::Texts,
            "[\"linux_arm64\", \"linux_x86_64\", \"macos_arm64\", \"macos_x86_64\"]",
            "The platforms that it is for.",
        ),
        FALLBACK,
    ],
];

const DOCKER_ENVIRONMENT: Groups =
    &[OPTIONS, &[text("image", "The image.").needed(), text("platform", "The platform of the image."), FALLBACK]];

const REMOTE_ENVIRONMENT: Groups = &[
    OPTIONS,
    &[
        off("cache_binary_discovery", "Keep what programs were found there."),
        field("platform", Shape::Text, "\"linux_x86_64\"", "The platform of the machines."),
        no_texts("extra_platform_properties", "What else to ask of them."),
        FALLBACK,
    ],
];
