//! Sections for Python: resolves, interpreters, inference, indexes and packaging.

use super::entry::Kind::{Bool, Dict, Integer, Text, Texts};
use super::entry::{
    Entry, Scope, choice, dict, dict_or, inert, integer, off, on, subsystem, text, text_or, texts, texts_or, words,
};

/// Sections for Python.
pub(super) const SCOPES: &[Scope] = &[
    subsystem("python", "Python interpreters and resolves.", PYTHON),
    subsystem("python-infer", "Inference of dependencies from Python sources.", INFER),
    subsystem(
        "python-repos",
        "Package indexes.",
        &[
            texts_or(
                "indexes",
                "null",
                "The URLs of package indexes. By default, the settings of pip and uv are used.",
            ),
            texts("find_links", "Directories, or pages with links to package files."),
            texts("path_mappings", "Names for directories in lockfiles, as `NAME|/path`."),
        ],
    ),
    subsystem(
        "python-bootstrap",
        "The search for interpreters of this machine.",
        &[
            texts_or(
                "search_path",
                r#"["<PYENV>", "<PATH>"]"#,
                "The search path: directories, files, `<PYENV>` and `<PATH>`.",
            ),
            texts_or("names", r#"["python", "python3"]"#, "The file names of interpreters."),
            inert("internal_python_build_standalone_info", Dict),
        ],
    ),
    subsystem(
        "python-native-code",
        "Flags for building source distributions.",
        &[words("cpp_flags", "Flags for the C preprocessor."), words("ld_flags", "Flags for the linker.")],
    ),
    subsystem(
        "setup-py-generation",
        "Distributions without their own build files.",
        &[
            on("generate_setup_default", "Generate the build files by default."),
            choice(
                "first_party_dependency_version_scheme",
                SCHEMES,
                "\"exact\"",
                "How distributions of this repository pin each other.",
            ),
        ],
    ),
    subsystem(
        "pex",
        "Settings for building PEX files.",
        &[
            texts_or("executable_search_paths", r#"["<PATH>"]"#, "The search path for programs."),
            integer("verbosity", "0", "The verbosity of PEX."),
            off("venv_use_symlinks", "Use symbolic links instead of copies in virtual environments."),
            off("emit_warnings", "Show the warnings of PEX."),
            inert("jobs", Integer),
        ],
    ),
    subsystem(
        "pex-cli",
        "The PEX command-line tool.",
        &[
            words("global_args", "Arguments for every call of the tool."),
            inert("version", Text),
            inert("known_versions", Texts),
            inert("url_template", Text),
            inert("url_platform_mapping", Dict),
            inert("use_unsupported_version", Text),
        ],
    ),
    subsystem(
        "pex-binary-defaults",
        "Default values for `pex_binary` targets.",
        &[on("emit_warnings", "Show the warnings of PEX."), inert("resolve_local_platforms", Bool)],
    ),
    subsystem(
        "uv",
        "The resolver uv.",
        &[
            text("version", "The version of uv."),
            words("args", "Arguments for every call of the tool."),
            inert("known_versions", Texts),
            inert("url_template", Text),
            inert("url_platform_mapping", Dict),
            inert("args_for_uv_pip_install", Texts),
            inert("use_unsupported_version", Text),
        ],
    ),
    subsystem(
        "debug-adapter",
        "The address of the debug adapter.",
        &[text_or("host", "\"127.0.0.1\"", "The host address."), integer("port", "5678", "The TCP port.")],
    ),
];

const SCHEMES: &[&str] = &["exact", "compatible", "any"];

const PYTHON: &[Entry] = &[
    texts_or(
        "interpreter_constraints",
        "null",
        "The supported interpreters. An interpreter must satisfy one of the constraints.",
    ),
    texts_or("interpreter_versions_universe", UNIVERSE, "The Python versions that constraints can refer to."),
    off("enable_resolves", "Enable resolves and their lockfiles."),
    dict_or(
        "resolves",
        r#"{"python-default": "3rdparty/python/default.lock"}"#,
        "A mapping from resolves to their lockfiles.",
    ),
    text_or("default_resolve", "\"python-default\"", "The resolve of targets that do not set one."),
    dict("resolves_to_interpreter_constraints", "A mapping from resolves to their interpreter constraints."),
    dict("resolves_to_constraints_file", "A mapping from resolves to their constraints files."),
    dict("resolves_to_no_binary", "A mapping from resolves to packages that must be built from source."),
    dict("resolves_to_only_binary", "A mapping from resolves to packages that must not be built from source."),
    dict("resolves_to_excludes", "A mapping from resolves to requirements that are excluded."),
    dict("resolves_to_overrides", "A mapping from resolves to requirements that override others."),
    dict("resolves_to_sources", "A mapping from resolves to the sources of packages."),
    dict("resolves_to_lock_style", "A mapping from resolves to the style of their lockfiles."),
    dict("resolves_to_complete_platforms", "A mapping from resolves to their platforms."),
    dict(
        "resolves_to_uploaded_prior_to",
        "A mapping from resolves to the time before which files must have been uploaded.",
    ),
    choice(
        "invalid_lockfile_behavior",
        &["error", "warn", "ignore"],
        "null",
        "What to do if a lockfile does not match its requirements. By default a warning, and an error if locks are frozen.",
    ),
    on("resolves_generate_lockfiles", "Let `generate-lockfiles` write lockfiles."),
    off("run_against_entire_lockfile", "Give every step all packages of its resolve."),
    off(
        "packages_by_project",
        "Code sees only the packages and projects that its project declares in the lockfile, if the lockfile has the projects of the repository (`uv.lock`). This option is specific to Waders.",
    ),
    off("separate_lockfile_metadata_file", "Write the metadata of a lockfile to a separate file."),
    off(
        "default_to_resolve_interpreter_constraints",
        "Use the interpreter constraints of the resolve as the default of targets.",
    ),
    text("pip_version", "The version of pip that PEX uses for resolving."),
    choice("resolver", &["pex", "uv"], "\"pex\"", "The resolver that writes lockfiles."),
    text_or("resolver_manylinux", "\"manylinux2014\"", "The newest manylinux tag that is considered."),
    choice("lockfile_generator", &["pex", "poetry"], "\"pex\"", "The resolver that wrote the existing lockfiles."),
    text("requirement_constraints", "A constraints file, which applies if Waders pins requirements."),
    on("resolve_all_constraints", "Resolve the constraints file as a whole."),
    texts("no_binary", "Packages that must be built from source."),
    texts("only_binary", "Packages that must not be built from source."),
    on("default_run_goal_use_sandbox", "Let `run` use a sandbox by default."),
    on("tailor_source_targets", "Let `tailor` add targets for sources."),
    on("tailor_requirements_targets", "Let `tailor` add targets for requirements."),
    on("tailor_py_typed_targets", "Let `tailor` add targets for `py.typed` files."),
    on("tailor_ignore_empty_init_files", "Let `tailor` ignore empty `__init__.py` files."),
    off("tailor_pex_binary_targets", "Let `tailor` add `pex_binary` targets."),
    texts_or("tailor_test_file_globs", TEST_FILES, "The files that `tailor` treats as tests, as globs."),
    texts_or("tailor_testutils_file_globs", TEST_UTILS, "The files that `tailor` treats as test utilities, as globs."),
    inert("tailor_test_targets", Bool),
    on("enable_lockfile_targets", "Generate targets for lockfiles, on which requirements depend."),
    on("repl_history", "Preserve the history of the interpreter."),
    inert("macos_big_sur_compatibility", Bool),
    inert("warn_on_python2_usage", Bool),
    inert("experimental_lockfile", Text),
    inert("experimental_resolves_to_lockfiles", Dict),
    inert("experimental_default_resolve", Text),
    inert("resolver_jobs", Integer),
    inert("ipex", Bool),
];

const TEST_FILES: &str = r#"["test_*.py", "*_test.py", "tests.py"]"#;
const TEST_UTILS: &str = r#"["conftest.py", "test_*.pyi", "*_test.pyi", "tests.pyi"]"#;
const UNIVERSE: &str = r#"["2.7", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]"#;

const INFER: &[Entry] = &[
    on("imports", "Infer dependencies from import statements."),
    off("string_imports", "Infer dependencies from strings that can be module names."),
    integer("string_imports_min_dots", "2", "The minimum number of dots in such strings."),
    texts("string_import_ignore", "Strings that are not treated as module names."),
    off("assets", "Infer dependencies from strings that can be file names."),
    integer("assets_min_slashes", "1", "The minimum number of slashes in such strings."),
    choice(
        "init_files",
        &["always", "content_only", "never"],
        "\"content_only\"",
        "The `__init__.py` files of parent directories that are dependencies.",
    ),
    on("conftests", "Infer dependencies of tests on `conftest.py` files in parent directories."),
    on("entry_points", "Infer dependencies from entry points."),
    choice(
        "unowned_dependency_behavior",
        &["ignore", "warning", "error"],
        "\"warning\"",
        "What to do if no target provides an import.",
    ),
    choice(
        "ambiguity_resolution",
        &["none", "by_source_root", "nearest"],
        "\"none\"",
        "How to choose if several targets provide an import. With `nearest`, which is specific to Waders, code of the repository comes before requirements, and among these the nearest directory counts.",
    ),
    texts("ignored_unowned_imports", "Modules that no target has to provide."),
    inert("use_rust_parser", Bool),
];
