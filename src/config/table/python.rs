//! The sections about Python itself: resolves, interpreters, inference, indexes, packaging.

use super::entry::Kind::{Bool, Dict, Integer, Text, Texts};
use super::entry::{
    Entry, Scope, choice, dict, dict_or, inert, integer, off, on, subsystem, text, text_or, texts, texts_or, words,
};

pub const SCOPES: &[Scope] = &[
    subsystem("python", "Interpreters and resolves.", PYTHON),
    subsystem("python-infer", "How imports become dependencies.", INFER),
    subsystem(
        "python-repos",
        "Where packages come from.",
        &[
            texts_or("indexes", "null", "Package indexes; by default those of the environment."),
            texts("find_links", "Directories or pages that list files."),
            texts("path_mappings", "`NAME|/path`: what lockfiles call a directory."),
        ],
    ),
    subsystem(
        "python-bootstrap",
        "Where interpreters of this machine are looked for.",
        &[
            texts_or("search_path", r#"["<PYENV>", "<PATH>"]"#, "Directories, files, `<PYENV>`, `<PATH>`."),
            texts_or("names", r#"["python", "python3"]"#, "What they are called."),
            inert("internal_python_build_standalone_info", Dict),
        ],
    ),
    subsystem(
        "python-native-code",
        "Flags for building sdists.",
        &[words("cpp_flags", "For the C preprocessor."), words("ld_flags", "For the linker.")],
    ),
    subsystem(
        "setup-py-generation",
        "Distributions without a setup of their own.",
        &[
            on("generate_setup_default", "Make one."),
            choice("first_party_dependency_version_scheme", SCHEMES, "\"exact\"", "How distributions pin each other."),
        ],
    ),
    subsystem(
        "pex",
        "How PEX files are made.",
        &[
            texts_or("executable_search_paths", r#"["<PATH>"]"#, "Where programs are looked for."),
            integer("verbosity", "0", "How much PEX says."),
            off("venv_use_symlinks", "Links rather than copies."),
            off("emit_warnings", "Show PEX's warnings."),
            inert("jobs", Integer),
        ],
    ),
    subsystem(
        "pex-cli",
        "The PEX command.",
        &[
            words("global_args", "Arguments for every call."),
            inert("version", Text),
            inert("known_versions", Texts),
            inert("url_template", Text),
            inert("url_platform_mapping", Dict),
            inert("use_unsupported_version", Text),
        ],
    ),
    subsystem(
        "pex-binary-defaults",
        "Defaults of `pex_binary`.",
        &[on("emit_warnings", "Show PEX's warnings."), inert("resolve_local_platforms", Bool)],
    ),
    subsystem(
        "uv",
        "The resolver.",
        &[
            text("version", "Its version."),
            words("args", "Arguments for every call."),
            inert("known_versions", Texts),
            inert("url_template", Text),
            inert("url_platform_mapping", Dict),
            inert("args_for_uv_pip_install", Texts),
            inert("use_unsupported_version", Text),
        ],
    ),
    subsystem(
        "debug-adapter",
        "Where the debug adapter listens.",
        &[text_or("host", "\"127.0.0.1\"", "The address."), integer("port", "5678", "The port.")],
    ),
];

const SCHEMES: &[&str] = &["exact", "compatible", "any"];

const PYTHON: &[Entry] = &[
    texts_or("interpreter_constraints", "null", "Which interpreters will do; any one of them."),
    texts_or("interpreter_versions_universe", UNIVERSE, "The versions that constraints may mean."),
    off("enable_resolves", "Use the resolves and their lockfiles."),
    dict_or("resolves", r#"{"python-default": "3rdparty/python/default.lock"}"#, "Name to lockfile."),
    text_or("default_resolve", "\"python-default\"", "The resolve of targets that name none."),
    dict("resolves_to_interpreter_constraints", "Resolve to its interpreter constraints."),
    dict("resolves_to_constraints_file", "Resolve to its constraints file."),
    dict("resolves_to_no_binary", "Resolve to packages to build from source."),
    dict("resolves_to_only_binary", "Resolve to packages never to build."),
    dict("resolves_to_excludes", "Resolve to requirements to leave out."),
    dict("resolves_to_overrides", "Resolve to requirements that win."),
    dict("resolves_to_sources", "Resolve to where packages come from."),
    dict("resolves_to_lock_style", "Resolve to the style of its lockfile."),
    dict("resolves_to_complete_platforms", "Resolve to the platforms it is for."),
    dict("resolves_to_uploaded_prior_to", "Resolve to the newest upload that counts."),
    choice("invalid_lockfile_behavior", &["error", "warn", "ignore"], "\"error\"", "When requirements changed."),
    on("resolves_generate_lockfiles", "Whether `generate-lockfiles` may write them."),
    off("run_against_entire_lockfile", "Give every step all of its resolve."),
    off("separate_lockfile_metadata_file", "Keep lockfile metadata beside the lockfile."),
    off("default_to_resolve_interpreter_constraints", "Targets take their resolve's constraints."),
    text("pip_version", "The pip that PEX resolves with."),
    choice("resolver", &["pex", "uv"], "\"pex\"", "Which resolver writes lockfiles."),
    text_or("resolver_manylinux", "\"manylinux2014\"", "The newest manylinux that counts."),
    choice("lockfile_generator", &["pex", "poetry"], "\"pex\"", "Which resolver wrote lockfiles."),
    text("requirement_constraints", "A constraints file for everything."),
    on("resolve_all_constraints", "Resolve the constraints file as a whole."),
    texts("no_binary", "Packages to build from source."),
    texts("only_binary", "Packages never to build."),
    on("default_run_goal_use_sandbox", "`run` works in a sandbox."),
    on("tailor_source_targets", "`tailor` adds targets for sources."),
    on("tailor_requirements_targets", "`tailor` adds targets for requirements."),
    on("tailor_py_typed_targets", "`tailor` adds targets for `py.typed`."),
    on("tailor_ignore_empty_init_files", "`tailor` overlooks empty `__init__.py`."),
    off("tailor_pex_binary_targets", "`tailor` adds `pex_binary` targets."),
    texts_or("tailor_test_file_globs", TEST_FILES, "Which files `tailor` takes for tests."),
    texts_or("tailor_testutils_file_globs", TEST_UTILS, "Which files `tailor` takes for test utilities."),
    inert("tailor_test_targets", Bool),
    on("enable_lockfile_targets", "Lockfiles are targets that requirements depend on."),
    on("repl_history", "The interpreter keeps a history."),
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
    on("imports", "From import statements."),
    off("string_imports", "From strings that look like module names."),
    integer("string_imports_min_dots", "2", "How many dots such strings have at least."),
    texts("string_import_ignore", "Strings that are none."),
    off("assets", "From strings that look like file names."),
    integer("assets_min_slashes", "1", "How many slashes such strings have at least."),
    choice("init_files", &["always", "content_only", "never"], "\"content_only\"", "Which `__init__.py` count."),
    inert("inits", Bool),
    on("conftests", "Tests depend on `conftest.py` above them."),
    on("entry_points", "From entry points."),
    choice(
        "unowned_dependency_behavior",
        &["ignore", "warning", "error"],
        "\"warning\"",
        "When nobody owns an import.",
    ),
    choice("ambiguity_resolution", &["none", "by_source_root"], "\"none\"", "When several own it."),
    texts("ignored_unowned_imports", "Modules that nobody need own."),
    inert("use_rust_parser", Bool),
];
