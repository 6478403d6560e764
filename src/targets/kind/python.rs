//! Target types of Python: code, tests, requirements, distributions. Executables are in `pex`.

use super::core::{ENVIRONMENT, WRAP};
use super::field::{
    Field, Shape, addresses, dict, field, flag_off, flag_on, list_dict, number, optional_flag, string, string_list,
};
use super::python_lint::SKIPS;
use super::{FieldGroups, GenerateFrom, Kind, file_generator, plain, single_source};

const BACKEND: &str = "pants.backend.python";

/// The field `interpreter_constraints`.
pub(super) const CONSTRAINTS: Field = string_list(
    "interpreter_constraints",
    "Python versions that it supports; by default `[python].interpreter_constraints`.",
);
/// The field `resolve`.
pub(super) const RESOLVE: Field =
    string("resolve", "The resolve of its requirements; by default `[python].default_resolve`.");
/// The field `restartable`.
pub(super) const RESTARTABLE: Field = flag_off("restartable", "`run` may restart the process when its files change.");
const IN_SANDBOX: Field = optional_flag("run_goal_use_sandbox", "`run` uses a copy of the sources in a sandbox.");

/// The target types of this module.
pub(super) const KINDS: &[Kind] = &[
    plain("experimental_wrap_as_python_sources", "The outputs of other targets, as Python sources.", WRAP)
        .without_dependencies()
        .in_backend(BACKEND),
    Kind {
        generates_from: GenerateFrom::Pants,
        generates: "python_requirement",
        ..plain("pants_requirements", PANTS_HELP, PANTS)
    }
    .without_dependencies()
    .in_backend("pants.backend.plugin_development"),
    requirements(
        "pipenv_requirements",
        "A `python_requirement` for each project of a Pipfile.lock.",
        &["Pipfile.lock"],
    ),
    plain("platform_resources", "Files for each platform; defined by a plugin.", PLATFORM_RESOURCES),
    requirements("poetry_requirements", "A `python_requirement` for each dependency in Poetry's tables.", PYPROJECT),
    plain("python_distribution", "A wheel and a source distribution.", DISTRIBUTION).in_backend(BACKEND),
    file_generator("python_library", "python_source", "An older name of `python_sources`.", SOURCE_GLOBS)
        .in_backend(BACKEND),
    plain("python_requirement", "A third-party requirement.", REQUIREMENT).in_backend(BACKEND),
    plain("python_requirement_library", "An older name of `python_requirement`.", REQUIREMENT).in_backend(BACKEND),
    requirements(
        "python_requirements",
        "A `python_requirement` for each project of a requirements.txt or pyproject.toml.",
        &["requirements.txt"],
    ),
    single_source("python_source", "A Python source file.", SOURCE).in_backend(BACKEND),
    file_generator("python_sources", "python_source", "A `python_source` for each file.", SOURCE_GLOBS)
        .in_backend(BACKEND),
    single_source("python_test", "A Python test file.", TEST).in_backend(BACKEND),
    file_generator(
        "python_test_utils",
        "python_source",
        "A `python_source` for each file of test utilities.",
        TEST_UTILS,
    )
    .in_backend(BACKEND),
    file_generator(
        "python_tests",
        "python_test",
        "A `python_test` for each file.",
        &["test_*.py", "*_test.py", "tests.py"],
    )
    .in_backend(BACKEND),
    requirements("uv_requirements", "A `python_requirement` for each dependency in uv's table.", PYPROJECT),
    plain("vcs_version", "A generated file with the version from git.", VCS_VERSION)
        .without_dependencies()
        .in_backend("pants.backend.experimental.python"),
];

const fn requirements(name: &'static str, help: &'static str, default_source: &'static [&'static str]) -> Kind {
    let (generates_from, generates, has_dependencies) = (GenerateFrom::Requirement, "python_requirement", false);
    Kind {
        default_sources: default_source,
        generates_from,
        generates,
        has_dependencies,
        ..single_source(name, help, MAPPINGS)
    }
    .in_backend(BACKEND)
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

const SOURCE: FieldGroups = &[&[CONSTRAINTS, RESOLVE, RESTARTABLE, IN_SANDBOX], SKIPS];

const TEST: FieldGroups = &[
    &[
        string("batch_compatibility_tag", "Tests with the same tag may run in one process."),
        list_dict("entry_point_dependencies", "Distributions whose entry points the test needs, and the groups.")
            .hidden(),
        ENVIRONMENT,
        string_list("extra_env_vars", "Environment variables: `NAME=value`, or `NAME` to copy the value."),
        CONSTRAINTS,
        RESOLVE,
        RESTARTABLE.hidden(),
        IN_SANDBOX,
        addresses("runtime_package_dependencies", "Packages to build and to place next to the test."),
        flag_off("skip_tests", "Do not run the test."),
        string_list("stevedore_namespaces", "Stevedore namespaces whose entry points the test needs.")
            .with_backends(&["pants.backend.experimental.python.framework.stevedore"]),
        number("timeout", "Timeout in seconds; by default `[test].timeout_default`."),
        field(
            "xdist_concurrency",
            Shape::Count,
            "null",
            "Number of processes that run the tests of the file; 0 disables pytest-xdist.",
        ),
    ],
    SKIPS,
];

const REQUIREMENT: FieldGroups = &[&[
    string("entry_point", "The entry point for `run`."),
    string_list("find_links", "More locations in which to find the project.").hidden(),
    string("index", "The package index of the project.").hidden(),
    string_list("modules", "The modules that the project provides."),
    string_list("requirements", "Requirements in the syntax of PEP 508.").required(),
    RESOLVE,
    string_list("type_stub_modules", "The modules for which the project provides type stubs."),
]];

const MAPPINGS: FieldGroups = &[&[
    field("module_mapping", Shape::ListDict, "{}", "Modules by project that provides them."),
    field("type_stubs_module_mapping", Shape::ListDict, "{}", "Modules by project that provides type stubs for them."),
]];

const PANTS_HELP: &str = "A `python_requirement` for Pants itself, for plugins.";
const PANTS: FieldGroups = &[&[flag_on("testutil", "Also generate a target for the test utilities of Pants.")]];

const PLATFORM_RESOURCES: FieldGroups = &[&[dict("dependency_map", "Targets of files by platform.")]];

/// The backend that publishes distributions.
const TWINE: &[&str] = &["pants.backend.experimental.python"];

const DISTRIBUTION: FieldGroups = &[&[
    dict("entry_points", "Entry points by group and name."),
    string_list("env_vars", "Environment variables that the build may use."),
    ENVIRONMENT.hidden(),
    optional_flag("generate_setup", "Generate setup.py; by default `[setup-py-generation].generate_setup_default`."),
    CONSTRAINTS,
    string("long_description_path", "The file with the long description."),
    field("output_path", Shape::String, "\"\"", "The path of the output, relative to the dist directory."),
    field("provides", Shape::Object, "null", "`python_artifact(…)` with the name, version and other metadata.")
        .required(),
    string_list("repositories", "The repositories to which `publish` uploads the distribution.").with_backends(TWINE),
    RESOLVE.hidden(),
    flag_on("sdist", "Build a source distribution."),
    list_dict("sdist_config_settings", "Build settings of the source distribution."),
    flag_off("skip_twine", "`publish` does not upload the distribution.").with_backends(TWINE),
    flag_off("uses_mypyc", "The build needs mypyc.").with_backends(&["pants.backend.python.typecheck.mypy"]),
    flag_on("wheel", "Build a wheel."),
    list_dict("wheel_config_settings", "Build settings of the wheel."),
]];

const VCS_VERSION: FieldGroups = &[&[
    string("_dummy_source", "Generated by the target itself.").raw(),
    string("generate_to", "The path of the generated file.").required(),
    string("local_scheme", "The scheme of local versions.").hidden(),
    string("python_resolve", "The resolve of the code that imports the file.")
        .with_backends(&["pants.backend.experimental.python"]),
    field("tag_regex", Shape::String, TAG_REGEX, "A regular expression that extracts the version from a tag."),
    string("template", "The template of the file.").required(),
    string("version_scheme", "The version scheme.").hidden(),
]];
const TAG_REGEX: &str = r#""^(?:[\\w-]+-)?(?P<version>[vV]?\\d+(?:\\.\\d+){0,2}[^\\+]*)(?:\\+.*)?$""#;
