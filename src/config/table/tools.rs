//! The sections of tools. The room `tools` defines the tools; only their settings are here.

use super::entry::Kind::{Bool, Dict, Float, Text, Texts};
use super::entry::{
    Entry, Scope, choice, entry, inert, integer, off, on, text, text_or, texts, texts_or, tool, words, words_or,
};

/// The options of every tool.
pub(super) const EVERY_TOOL: &[Entry] = &[
    off("skip", "Do not run this tool."),
    words("args", "Arguments for the tool."),
    text("config", "The settings file of the tool."),
    on("config_discovery", "Find the settings file of the tool in its standard locations."),
    text("install_from_resolve", "The resolve from which the tool is installed."),
    texts("requirements", "The requirements that are installed from that resolve."),
    text("version", "The version of the tool, for Pants up to 2.17."),
    texts_or("extra_requirements", "null", "Additional requirements, for Pants up to 2.17."),
    text("lockfile", "The lockfile of the tool, for Pants up to 2.17."),
    on("export", "Let `export` create an environment for the tool."),
    texts_or("interpreter_constraints", "null", "The interpreters that can run the tool."),
    text("console_script", "The console script to run."),
    text("entry_point", "The entry point to run."),
    inert("known_versions", Texts),
    inert("url_template", Text),
    inert("url_platform_mapping", Dict),
    inert("use_unsupported_version", Text),
];

/// Sections of tools.
pub(super) const SCOPES: &[Scope] = &[
    tool(
        "pytest",
        "The test runner for Python.",
        &[
            words("args", "Arguments for the tool.").passed_through(),
            texts_or("extra_requirements", PYTEST_PLUGINS, "Additional requirements, for Pants up to 2.17."),
            text_or("junit_family", "\"xunit2\"", "The format of JUnit reports."),
            text(
                "execution_slot_var",
                "An environment variable that is set to the number of the execution slot, from 0.",
            ),
            off("xdist_enabled", "Distribute the tests of one file over several processes."),
            off("allow_empty_test_collection", "Treat a file without tests as skipped instead of failed."),
            inert("pytest_plugins", Texts),
        ],
    ),
    tool(
        "coverage-py",
        "Measures code coverage.",
        &[
            texts("filter", "The modules or paths that are measured."),
            entry(
                "report",
                Texts,
                r#"["console"]"#,
                "The report formats: `console`, `xml`, `html`, `raw`, `json` and `lcov`.",
            ),
            text_or("output_dir", "\"{distdir}/coverage/python\"", "The directory for reports."),
            off("global_report", "Include files that no test imports."),
            entry("fail_under", Float, "null", "The percentage of coverage below which the goal fails."),
        ],
    ),
    tool(
        "flake8",
        "A linter for Python.",
        &[texts("extra_files", "Additional files that the tool reads."), SOURCE_PLUGINS],
    ),
    tool("black", "A formatter.", &[]),
    tool("isort", "A formatter that sorts imports.", &[texts("config", "The settings files of the tool.")]),
    tool("pylint", "A linter for Python.", &[SOURCE_PLUGINS]),
    tool("bandit", "A linter for Python.", &[]),
    tool("docformatter", "A formatter for docstrings.", &[]),
    tool("pyupgrade", "A fixer that modernizes syntax.", &[]),
    tool(
        "autoflake",
        "A fixer that removes unused imports.",
        &[words_or("args", AUTOFLAKE, "Arguments for the tool.")],
    ),
    tool("add-trailing-comma", "A formatter that adds trailing commas.", &[]),
    tool("yapf", "A formatter.", &[]),
    tool("pydocstyle", "A linter for docstrings.", &[]),
    tool("pydoclint", "A linter for docstrings. Pants does not have it.", &[]),
    tool(
        "mypy",
        "A type checker.",
        &[
            SOURCE_PLUGINS,
            choice("cache_mode", &["sqlite", "none", "default"], "\"sqlite\"", "The format of its cache."),
            texts_or("extra_type_stubs", "null", "Requirements with type stubs, for Pants up to 2.17."),
            text("extra_type_stubs_lockfile", "The lockfile of the type stubs, for Pants up to 2.17."),
        ],
    ),
    tool("ruff", "A linter and formatter.", &[]),
    tool("ty", "A type checker.", &[]),
    tool("pyright", "A type checker.", &[]),
    tool("pyrefly", "A type checker.", &[]),
    tool("pytype", "A type checker.", &[]),
    tool("debugpy", "The debug adapter.", &[]),
    tool("ipython", "An interactive shell.", &[on("ignore_cwd", "Do not import modules from the current directory.")]),
    tool("semgrep", "A linter with custom patterns.", &[texts("exclude", "Files to leave out."), inert("force", Bool)]),
    tool(
        "yamllint",
        "A linter for YAML.",
        &[
            text_or("config_file_name", "\".yamllint\"", "The file name of its settings file."),
            texts_or("include", r#"["**/*.yml", "**/*.yaml"]"#, "The files to check, as globs."),
            texts("exclude", "The files to leave out, as globs."),
        ],
    ),
    tool(
        "taplo",
        "A formatter for TOML.",
        &[texts_or("glob_pattern", r#"["**/*.toml", "!.taplo.toml", "!taplo.toml"]"#, "The files to check, as globs.")],
    ),
    tool("hadolint", "A linter for Dockerfiles.", &[]),
    tool("shellcheck", "A linter for shell scripts.", &[]),
    tool("shfmt", "A formatter for shell scripts.", &[]),
    tool("shunit2", "A test runner for shell scripts.", &[]),
    tool("buildifier", "A formatter for BUILD files.", &[]),
    tool("codespell", "A spell checker.", &[]),
    tool("trufflehog", "A scanner for secrets.", &[texts("exclude", "Files to leave out.")]),
    tool("setuptools", "Builds Python distributions.", &[]),
    tool("setuptools-scm", "Computes versions from git.", &[]),
    tool(
        "twine",
        "Uploads Python distributions.",
        &[text_or("ca_certs_path", "\"<inherit>\"", "A PEM file with the certificates to trust.")],
    ),
    tool("scc", "Counts lines of code.", &[words("args", "Arguments for the tool.").passed_through()]),
    tool("cloc", "Counts lines of code.", &[words("args", "Arguments for the tool.").passed_through()]),
    tool("pydeps", "Draws dependency graphs.", &[]),
    tool("lambdex", "Builds packages for AWS Lambda.", &[inert("layout", Text)]),
    tool("mypy-protobuf", "Generates type stubs for protocol buffers.", &[]),
    tool("python-grpclib-protobuf", "Generates services for grpclib from protocol buffers.", &[]),
    tool(
        "python-protobuf",
        "Generates Python code from protocol buffers.",
        &[
            on("infer_runtime_dependency", "Infer a dependency on the runtime library."),
            off("mypy_plugin", "Generate type stubs with mypy-protobuf."),
            off("generate_type_stubs", "Generate type stubs with the compiler itself."),
            on("grpcio_plugin", "Generate services for grpcio."),
            off("grpclib_plugin", "Generate services for grpclib."),
            text("runtime_dependency_resolve", "The resolve that contains the runtime library."),
        ],
    ),
    tool(
        "protoc",
        "The compiler of protocol buffers.",
        &[
            on("dependency_inference", "Infer dependencies from imports."),
            on("tailor", "Let `tailor` add targets for these files."),
        ],
    ),
    tool(
        "buf",
        "A linter and formatter for protocol buffers.",
        &[
            words("format_args", "Arguments for formatting."),
            words("lint_args", "Arguments for linting."),
            off("format_skip", "Do not format with `fmt` and `lint`."),
            off("lint_skip", "Do not lint."),
        ],
    ),
    tool(
        "apache-thrift",
        "The Thrift compiler.",
        &[inert("thrift_search_paths", Texts), inert("expected_version", Text)],
    ),
    tool("nfpm", "Builds system packages.", &[]),
    tool("makeself", "Builds self-extracting archives.", &[]),
    tool(
        "helm",
        "Charts for Kubernetes.",
        &[
            inert("lint_strict", Bool),
            inert("default_registry_repository", Text),
            inert("extra_env_vars", Texts),
            inert("tailor", Bool),
            inert("registries", Dict),
        ],
    ),
    tool("helm-unittest", "Tests Helm charts.", &[inert("output_type", Text), inert("color", Bool)]),
    tool("kubeconform", "Validates Helm charts.", &[]),
    tool(
        "download-terraform",
        "The Terraform program.",
        &[inert("extra_env_vars", Texts), inert("platforms", Texts), inert("tailor", Bool)],
    ),
    tool("terraform-tfsec", "A linter for Terraform.", &[]),
    tool("go-golang", "The Go toolchain.", &[]),
    tool("golangci-lint", "A linter for Go.", &[]),
    tool("prettier", "A formatter.", &[]),
    tool("towncrier", "Writes changelogs.", &[integer("jobs", "null", "The number of concurrent processes.")]),
    tool("sphinx", "Builds documentation.", &[]),
    tool("mkdocs", "Builds sites of Markdown files.", &[]),
    tool("pip-audit", "Reports known vulnerabilities.", &[]),
];

const PYTEST_PLUGINS: &str = r#"["pytest-cov", "pytest-xdist"]"#;
const SOURCE_PLUGINS: Entry = texts("source_plugins", "Plugins in this repository, as addresses of targets.");
const AUTOFLAKE: &str = r#"["--remove-all-unused-imports"]"#;
