//! Python's own target types: code, tests, requirements, distributions.

use super::core::{ENVIRONMENT, WRAP};
use super::field::{Field, Shape, addresses, dict, either, field, number, off, on, text, texts};
use super::python_lint::SKIPS;
use super::{Each, Groups, Kind, many, one, plain};

const BACKEND: &str = "pants.backend.python";

pub const CONSTRAINTS: Field =
    texts("interpreter_constraints", "Which interpreters it runs on; else `[python].interpreter_constraints`.");
pub const RESOLVE: Field = text("resolve", "The resolve of its requirements; else `[python].default_resolve`.");
pub const RESTARTABLE: Field = off("restartable", "`run` may restart it when its files change.");
const IN_SANDBOX: Field = either("run_goal_use_sandbox", "`run` copies its sources away first.");

pub const KINDS: &[Kind] = &[
    plain("experimental_wrap_as_python_sources", "What other targets make, as Python.", WRAP)
        .alone()
        .of_backend(BACKEND),
    Kind { each: Each::Pants, generates: "python_requirement", ..plain("pants_requirements", PANTS_HELP, PANTS) }
        .alone()
        .of_backend("pants.backend.plugin_development"),
    requirements(
        "pipenv_requirements",
        "A `python_requirement` for each project of a Pipfile.lock.",
        &["Pipfile.lock"],
    ),
    plain("platform_resources", "Files for each platform; a plugin's.", PLATFORM_RESOURCES),
    requirements("poetry_requirements", "A `python_requirement` for each project of Poetry's tables.", PYPROJECT),
    plain("python_distribution", "A wheel and a source distribution.", DISTRIBUTION).of_backend(BACKEND),
    many("python_library", "python_source", "An older name of `python_sources`.", SOURCE_GLOBS).of_backend(BACKEND),
    plain("python_requirement", "A project from an index.", REQUIREMENT).of_backend(BACKEND),
    plain("python_requirement_library", "An older name of `python_requirement`.", REQUIREMENT).of_backend(BACKEND),
    requirements(
        "python_requirements",
        "A `python_requirement` for each project of a requirements.txt or pyproject.toml.",
        &["requirements.txt"],
    ),
    one("python_source", "A file of Python code.", SOURCE).of_backend(BACKEND),
    many("python_sources", "python_source", "A `python_source` for each file.", SOURCE_GLOBS).of_backend(BACKEND),
    one("python_test", "A file of tests.", TEST).of_backend(BACKEND),
    many("python_test_utils", "python_source", "A `python_source` for each file that helps tests.", TEST_UTILS)
        .of_backend(BACKEND),
    many("python_tests", "python_test", "A `python_test` for each file.", &["test_*.py", "*_test.py", "tests.py"])
        .of_backend(BACKEND),
    requirements("uv_requirements", "A `python_requirement` for each project of uv's table.", PYPROJECT),
    plain("vcs_version", "A file with the version that git has.", VCS_VERSION)
        .alone()
        .of_backend("pants.backend.experimental.python"),
];

const fn requirements(name: &'static str, help: &'static str, default_source: &'static [&'static str]) -> Kind {
    let (each, generates, depends) = (Each::Requirement, "python_requirement", false);
    Kind { default_sources: default_source, each, generates, depends, ..one(name, help, MAPPINGS) }.of_backend(BACKEND)
}

const SOURCE_GLOBS: &[&str] = &[
    "*.py",
    "*.pyi",
    "!test_*.py",
    "!*_test.py",
    "!tests.py",
    "!conftest.py",
    "!test_*.pyi",
    "!*_test.pyi",
    "!tests.pyi",
];
const TEST_UTILS: &[&str] = &["conftest.py", "test_*.pyi", "*_test.pyi", "tests.pyi"];
const PYPROJECT: &[&str] = &["pyproject.toml"];

const SOURCE: Groups = &[&[CONSTRAINTS, RESOLVE, RESTARTABLE, IN_SANDBOX], SKIPS];

const TEST: Groups = &[
    &[
        text("batch_compatibility_tag", "Tests with the same tag may share a process."),
        addresses("entry_point_dependencies", "Distributions whose entry points it needs.").rare(),
        ENVIRONMENT,
        texts("extra_env_vars", "`NAME=value`, or `NAME` to copy it."),
        CONSTRAINTS,
        RESOLVE,
        RESTARTABLE.rare(),
        IN_SANDBOX,
        addresses("runtime_package_dependencies", "What is built and put beside it."),
        off("skip_tests", "It is not run."),
        texts("stevedore_namespaces", "Namespaces whose entry points it needs.")
            .with(&["pants.backend.experimental.python.framework.stevedore"]),
        number("timeout", "Seconds; else `[test].timeout_default`."),
        number("xdist_concurrency", "How many processes share its tests; 0 for one."),
    ],
    SKIPS,
];

const REQUIREMENT: Groups = &[&[
    text("entry_point", "What `run` starts."),
    texts("find_links", "Where else it is to be found.").rare(),
    text("index", "The index that has it.").rare(),
    texts("modules", "The modules that it provides."),
    texts("requirements", "As pip writes them.").needed(),
    RESOLVE,
    texts("type_stub_modules", "The modules that it has stubs for."),
]];

const MAPPINGS: Groups = &[&[
    field("module_mapping", Shape::Dict, "{}", "Project to the modules that it provides."),
    field("type_stubs_module_mapping", Shape::Dict, "{}", "Project to the modules that it has stubs for."),
]];

const PANTS_HELP: &str = "A `python_requirement` for Pants itself, for plugins.";
const PANTS: Groups = &[&[on("testutil", "Also its test utilities.")]];

const PLATFORM_RESOURCES: Groups = &[&[dict("dependency_map", "Platform to the target that has its files.")]];

/// The backend that knows how to publish.
const TWINE: &[&str] = &["pants.backend.experimental.python"];

const DISTRIBUTION: Groups = &[&[
    dict("entry_points", "Group to name to what it starts."),
    texts("env_vars", "Variables that its build may see."),
    ENVIRONMENT.rare(),
    either("generate_setup", "Write its setup.py; else `[setup-py-generation].generate_setup_default`."),
    CONSTRAINTS,
    text("long_description_path", "The file with its long description."),
    field("output_path", Shape::Text, "\"\"", "Where it goes in the dist directory."),
    field("provides", Shape::Object, "null", "`python_artifact(…)`: its name, version and the rest.").needed(),
    texts("repositories", "Where `publish` sends it.").with(TWINE),
    RESOLVE.rare(),
    on("sdist", "Build a source distribution."),
    dict("sdist_config_settings", "Settings for the build of the source distribution."),
    off("skip_twine", "`publish` leaves it alone.").with(TWINE),
    off("uses_mypyc", "Its build needs mypy.").with(&["pants.backend.python.typecheck.mypy"]),
    on("wheel", "Build a wheel."),
    dict("wheel_config_settings", "Settings for the build of the wheel."),
]];

const VCS_VERSION: Groups = &[&[
    text("_dummy_source", "Made by the target itself.").raw(),
    text("generate_to", "The file to write.").needed(),
    text("local_scheme", "How local versions are named.").rare(),
    text("python_resolve", "The resolve of what imports the file.").with(&["pants.backend.experimental.python"]),
    field("tag_regex", Shape::Text, TAG_REGEX, "What of a tag is the version."),
    text("template", "What the file says.").needed(),
    text("version_scheme", "How versions are named.").rare(),
]];
const TAG_REGEX: &str = r#""^(?:[\\w-]+-)?(?P<version>[vV]?\\d+(?:\\.\\d+){0,2}[^\\+]*)(?:\\+.*)?$""#;
