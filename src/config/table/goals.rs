//! The goals and their options, and the sections that select targets and files.

use super::entry::Kind::{Bool, Text, Texts};
use super::entry::{
    Entry, Scope, choice, dict, goal, inert, integer, off, on, subsystem, text, text_or, texts, texts_or, words,
};
use super::evidence::{ATTEST, AUDIT, VERIFY};
use super::testing::TEST;

/// Goals and selection.
pub(super) const SCOPES: &[Scope] = &[
    goal(
        "list",
        "List targets.",
        &[off("documented", "List only targets with a description, and show the description."), JSON, SEP, OUTPUT_FILE],
    ),
    goal(
        "affected",
        "List the projects of the repository that a change affects. This goal is specific to Waders.",
        &[
            text("since", "List the projects that the changes since this commit affect."),
            off("json", "Print a JSON list with the name, the path and the reason of each project."),
            SEP,
            OUTPUT_FILE,
        ],
    ),
    goal("filter", "List targets. An older name of `list`.", &[JSON, SEP, OUTPUT_FILE]),
    goal("dependencies", "List the dependencies of targets.", DEPENDENCIES),
    goal("dependents", "List the targets that depend on targets.", DEPENDENCIES),
    goal("paths", "List the dependency paths between two targets.", &[FROM, TO, OUTPUT_FILE]),
    goal("peek", "Print targets with all their fields as JSON.", PEEK),
    goal("filedeps", "List the source files and BUILD files of targets.", FILEDEPS),
    goal("roots", "List the source roots.", &[JSON, SEP, OUTPUT_FILE]),
    goal(
        "count-loc",
        "Count lines of code.",
        &[off("json", "Print the counts as JSON. This option is specific to Waders."), OUTPUT_FILE],
    ),
    goal("graph", "Print a graph of targets and their dependencies. This goal is specific to Waders.", GRAPH),
    goal(
        "py-constraints",
        "Print the interpreter constraints of targets.",
        &[off("summary", "Print a summary of all targets as CSV."), OUTPUT_FILE],
    ),
    goal("lint", "Run linters, and check whether formatters would change files.", LINT),
    goal("fmt", "Format sources in place.", &[ONLY, BATCH_SIZE, TIMEOUT, RESULTS, inert("per_file_caching", Bool)]),
    goal(
        "fix",
        "Run fixers and formatters on sources in place.",
        &[ONLY, BATCH_SIZE, SKIP_FORMATTERS, TIMEOUT, RESULTS],
    ),
    goal(
        "check",
        "Run type checkers.",
        &[
            ONLY,
            FAIL_FAST,
            RESULTS,
            SARIF,
            CODE_QUALITY,
            off("force", "Check everything again without cached results and incremental state."),
            off(
                "verify",
                "Repeat the check without cached results and incremental state, and fail if the results differ.",
            ),
        ],
    ),
    goal("test", "Run tests.", TEST),
    goal(
        "package",
        "Build distributable packages in the dist directory.",
        &[
            RESULTS,
            text(
                "checksums",
                "A file for the hashes of the written files, in the format of `sha256sum`. This option is specific to Waders.",
            ),
        ],
    ),
    goal(
        "publish",
        "Build packages and publish them.",
        &[
            text("output", "A file to which a JSON record of the published packages is written."),
            off("noninteractive_process_output", "Show the output of the publishing programs."),
        ],
    ),
    goal("run", "Run one target.", RUN),
    goal("repl", "Start an interpreter that can import the targets.", REPL),
    goal(
        "init",
        "Write `pants.toml` and BUILD files for a repository without them. This goal is specific to Waders.",
        &[],
    ),
    goal(
        "attest",
        "Attest what results were made of, or check an attestation. This goal is specific to Waders.",
        ATTEST,
    ),
    goal(
        "verify",
        "Repeat the steps of other goals without the cache and compare every result. This goal is specific to Waders.",
        VERIFY,
    ),
    goal(
        "audit",
        "Run the steps of other goals and report what each really reads, reaches and does not use. This goal is specific to \
         Waders.",
        AUDIT,
    ),
    goal("shell", "Open a shell in the sandbox of a step. This goal is specific to Waders.", SANDBOX_SHELL),
    goal(
        "py",
        "Run the Python of a resolve with its requirements and all source roots. This goal is specific to Waders.",
        PY,
    ),
    goal("export", "Create virtual environments, for example for editors.", EXPORT),
    goal(
        "generate-lockfiles",
        "Resolve requirements and write lockfiles.",
        &[
            texts("resolve", "Use only these resolves."),
            text("custom_command", "The command that the headers of lockfiles recommend for regeneration."),
            on("diff", "Show the differences between the old and the new lockfile."),
            off("diff_include_unchanged", "Include unchanged packages in the differences."),
            off("sync", "Keep the locked versions as far as the requirements permit."),
            off("upgrade", "Lock the newest versions of all packages instead of keeping the locked ones."),
            texts("upgrade_package", "Lock the newest versions of these packages."),
        ],
    ),
    goal(
        "lockfile-merge",
        "Merge two versions of a lockfile: a merge driver for git, `lockfile-merge %O %A %B %P`.",
        &[],
    ),
    goal("tailor", "Add missing targets to BUILD files.", TAILOR),
    goal(
        "update-build-files",
        "Format BUILD files and replace deprecated names.",
        &[
            off("check", "Report the changes without making them. The exit code is 1 if there are any."),
            on("fmt", "Format the BUILD files."),
            choice(
                "formatter",
                &["black", "yapf", "ruff", "buildifier"],
                "\"black\"",
                "The formatter for BUILD files.",
            ),
            on("fix_safe_deprecations", "Replace deprecated names that have an equivalent new name."),
            inert("fix_python_macros", Bool),
        ],
    ),
    goal(
        "log",
        "List the recorded runs of this checkout, or the steps of one: `log RUN`. This goal is specific to Waders.",
        &[
            off("json", "Print JSON. That of one run contains the keys of its steps, for `why --against`."),
            off(
                "all",
                "List all recorded runs, or all steps of a run, also those that were cached and that only others need.",
            ),
        ],
    ),
    goal(
        "why",
        "Explain why steps ran or were cached, from the records of runs. This goal is specific to Waders.",
        &[
            off("json", "Print JSON."),
            off(
                "runs",
                "Compare the keys of two runs: `why --runs 11 12`, and perhaps the targets or steps to compare.",
            ),
            text(
                "against",
                "Compare with a run of another machine: a file that `log --json RUN` printed there, or a bundle of `replay`.",
            ),
            text("input", "Show whether the steps get this file, and through which dependencies."),
        ],
    ),
    goal(
        "replay",
        "Repeat a step of another machine from a bundle, and compare its result. This goal is specific to Waders.",
        &[
            text("create", "Write a bundle of a step that ran here to this file: `replay --create=FILE ADDRESS`."),
            off("shell", "Open a shell in the sandbox of the step instead."),
            words(
                "command",
                "The command to run instead of a shell, with `--shell`. Arguments after `--` are appended.",
            )
            .passed_through(),
            off("json", "Print JSON."),
        ],
    ),
    goal(
        "doctor",
        "Check what Waders needs of this machine, and what to do where it is missing. This goal is specific to Waders.",
        &[off("json", "Print JSON.")],
    ),
    goal("version", "Print the version.", &[]),
    goal(
        "completions",
        "Print a completion script for a shell: `completions bash`, `completions zsh` or `completions fish`.",
        &[],
    ),
    goal("man-pages", "Write the manual pages of Waders into a directory: `man-pages DIR`.", &[]),
    goal("complete", "Print completions for a command line. Used by completion scripts.", &[]),
    goal("experimental-deploy", "Deploy targets.", &[inert("dry_run", Bool), inert("publish_dependencies", Bool)]),
    goal(
        "python-dump-source-analysis",
        "Print what dependency inference reads from sources.",
        &[inert("analysis_flavor", Text), inert("output_file", Text)],
    ),
    goal("export-codegen", "Write the files that targets generate to the dist directory, for editors.", &[]),
    goal("experimental-bsp", "Serve the Build Server Protocol.", &[]),
    goal("experimental-explorer", "Start the Pants explorer.", &[]),
    goal("go-generate", "Run the generators of Go.", &[]),
    goal("generate-snapshots", "Update test snapshots.", &[]),
    subsystem(
        "changed",
        "Select targets by the changes in git.",
        &[
            text("since", "Select the files that have changed since this commit."),
            text("diffspec", "Select the files that have changed in this range of commits."),
            choice(
                "dependents",
                &["none", "direct", "transitive"],
                "\"none\"",
                "Also select the targets that depend on the changed targets.",
            ),
        ],
    ),
    subsystem(
        "filter",
        "Filter the targets that the arguments select.",
        &[
            texts("target_type", "Select by target type. `-type` selects all other types."),
            choice(
                "granularity",
                &["all", "file", "BUILD"],
                "\"all\"",
                "Select all targets, only generated targets (`file`), or only targets in BUILD files (`BUILD`).",
            ),
            texts("address_regex", "Select by address, with regular expressions."),
            texts("tag_regex", "Select by tag, with regular expressions."),
        ],
    ),
    subsystem(
        "cli",
        "Settings of the command line.",
        &[dict("alias", "Aliases: a name, and the words and flags that replace it.")],
    ),
    subsystem(
        "source",
        "Source roots: the directories in which import paths begin.",
        &[
            texts_or(
                "root_patterns",
                ROOT_PATTERNS,
                "Patterns of source roots. A leading `/` anchors a pattern at the build root.",
            ),
            texts("marker_filenames", "Names of files that mark their directory as a source root."),
        ],
    ),
    subsystem(
        "subprocess-environment",
        "The environment variables of every step.",
        &[texts_or(
            "env_vars",
            ENV_VARS,
            "Environment variables: `NAME=value`, or `NAME` for the value of the current environment.",
        )
        .used_in_sandbox()],
    ),
    subsystem(
        "environments-preview",
        "Named environments.",
        &[
            dict("names", "A mapping from names to the addresses of targets."),
            dict("platforms_to_local_environment", "A mapping from platforms to names of environments."),
            inert("remote_execution_extra_platform_properties", Texts),
        ],
    ),
    subsystem(
        "regex-lint",
        "Patterns that files must contain or must not contain.",
        &[
            dict(
                "config",
                "The configuration, with the keys `required_matches`, `path_patterns` and `content_patterns`.",
            ),
            off("skip", "Disable this check."),
            choice(
                "detail_level",
                &["none", "summary", "nonmatching", "names", "all"],
                "\"nonmatching\"",
                "The level of detail of the report.",
            ),
        ],
    ),
    subsystem(
        "visibility",
        "Visibility rules: which targets can depend on which.",
        &[
            on("enforce", "Report dependencies that the rules forbid as errors."),
            off("skip", "Leave this check out of `lint`."),
        ],
    ),
    subsystem(
        "stats",
        "Statistics at the end of a run.",
        &[
            off("log", "Print the statistics."),
            off("memory_summary", "Include the use of memory."),
            text("output_file", "A file to which the statistics are written."),
            choice("format", &["text", "jsonlines"], "\"text\"", "The format of the statistics."),
        ],
    ),
];

const SEP: Entry = text_or("sep", "\"\\\\n\"", "The separator between lines.");
const JSON: Entry = off("json", "Print one JSON list. This option is specific to Waders.");
pub(super) const RESULTS: Entry = off("json", "Print the results as JSON. This option is specific to Waders.");
const OUTPUT_FILE: Entry = text("output_file", "Write the output to this file instead of standard output.");
const FROM: Entry = text("from", "The target at which the paths begin.");
const TO: Entry = text("to", "The target at which the paths end.");
const ONLY: Entry = texts("only", "Run only these tools.");
const BATCH_SIZE: Entry = integer("batch_size", "128", "The maximum number of files for one process.");
const SKIP_FORMATTERS: Entry = off("skip_formatters", "Do not run formatters.");
const SKIP_FIXERS: Entry = off("skip_fixers", "Do not run fixers.");
const ROOT_PATTERNS: &str =
    r#"["/", "src", "src/python", "src/py", "src/thrift", "src/protobuf", "src/protos", "src/scala", "src/java"]"#;
const ENV_VARS: &str = r#"["LANG", "LC_CTYPE", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR"]"#;

const DEPENDENCIES: &[Entry] = &[
    off("transitive", "Include transitive dependencies or dependents."),
    off("closed", "Include the targets themselves."),
    choice("format", &["text", "json"], "\"text\"", "The output format."),
    inert("type", Text),
    SEP,
    OUTPUT_FILE,
];

const PEEK: &[Entry] = &[
    off("exclude_defaults", "Leave out fields that are not set."),
    off("include_dep_rules", "Include visibility rules."),
    off("include_additional_info", "Include additional information of plugins."),
    OUTPUT_FILE,
];

const GRAPH: &[Entry] = &[
    choice(
        "format",
        &["dot", "html", "json"],
        "\"dot\"",
        "The output format: for Graphviz, as a web page, or for scripts.",
    ),
    off("transitive", "Include transitive dependencies."),
    OUTPUT_FILE,
];

const FILEDEPS: &[Entry] = &[
    off("absolute", "Print absolute paths."),
    off("globs", "Print the globs of targets instead of the files."),
    off("transitive", "Include the files of transitive dependencies."),
    JSON,
    SEP,
    OUTPUT_FILE,
];

const TIMEOUT: Entry = integer("timeout", "null", "The time limit for one process of a tool, in seconds.");
const SARIF: Entry = text(
    "sarif",
    "A file to which findings are written in SARIF 2.1.0. `{distdir}` is replaced by the dist directory.",
);
const CODE_QUALITY: Entry = text(
    "code_quality",
    "A file to which findings are written as a Code Quality report of GitLab. `{distdir}` is replaced by the dist directory.",
);
const FAIL_FAST: Entry = off(
    "fail_fast",
    "Stop at the first process that fails or has findings: no other process starts, and running ones are interrupted. This option is specific to Waders.",
);
const LINT: &[Entry] = &[
    ONLY,
    FAIL_FAST,
    SKIP_FORMATTERS,
    SKIP_FIXERS,
    BATCH_SIZE,
    TIMEOUT,
    RESULTS,
    SARIF,
    CODE_QUALITY,
    inert("per_file_caching", Bool),
    inert("reports_dir", Text),
];

const RUN: &[Entry] = &[
    words("args", "Arguments for the program. Arguments after `--` are appended.").passed_through(),
    off("sandbox", "Run the program in a sandbox, like a test. This option is specific to Waders."),
    text(
        "console_script",
        "The console script to run, if a distribution has several. This option is specific to Waders.",
    ),
    off("debug_adapter", "Run the program under the debug adapter."),
    off("restartable", "Restart the program when files change."),
    on("cleanup", "Remove the copy of the sources after the program has ended."),
];

const REPL: &[Entry] = &[
    choice("shell", &["python", "ipython"], "null", "The interpreter to start. By default, it is Python."),
    words("args", "Arguments for the interpreter. Arguments after `--` are appended.").passed_through(),
    off("restartable", "Restart the program when files change."),
    off("run_in_workspace", "Import the sources of the repository instead of a copy of them."),
];

/// The last four are options of Pants, whose section of this name is an older one.
const SANDBOX_SHELL: &[Entry] = &[
    words("command", "The command to run instead of a shell. Arguments after `--` are appended.").passed_through(),
    text(
        "goal",
        "The step whose sandbox is opened: `test`, `lint`, `check`, `fix`, `fmt` or `run`, optionally with the name of a tool, as in \
         `lint:ruff`. By default, it is the first one that exists for the targets.",
    ),
    inert("executable_search_paths", Texts),
    inert("dependency_inference", Bool),
    inert("tailor_sources", Bool),
    inert("tailor_shunit2_tests", Bool),
    inert("tailor", Bool),
];

const PY: &[Entry] = &[
    words("args", "Arguments for Python. The words after `py` are appended, whatever they look like.").passed_through(),
    text("resolve", "The resolve. By default, it is `default_resolve` of `[python]`."),
];

const EXPORT: &[Entry] = &[
    texts("resolve", "The resolves and tools for which environments are created. By default, these are all."),
    texts("bin", "The tools whose programs are linked in `bin` of the export directory."),
    texts(
        "extra_requirements",
        "Requirements that are installed in addition to those of each resolve. This option is specific to Waders.",
    ),
    texts(
        "ide",
        "Write settings for these editors and type checkers: `pyright`, `ty` and `vscode`. This option is specific to Waders.",
    ),
    off("json", "Print the environments as JSON. This option is specific to Waders."),
    choice(
        "py_resolve_format",
        RESOLVE_FORMATS,
        "\"mutable_virtualenv\"",
        "The form of the environments: a writable copy, or links into the store.",
    ),
    texts("py_editable_in_resolve", "Resolves in which the distributions of the repository are installed as editable."),
    texts("py_generated_sources_in_resolve", "Resolves that include generated sources."),
    on("py_hermetic_scripts", "Make scripts ignore the Python settings of the user."),
    texts("py_non_hermetic_scripts_in_resolve", "Resolves to which `py_hermetic_scripts` does not apply."),
];

const RESOLVE_FORMATS: &[&str] = &["mutable_virtualenv", "symlinked_immutable_virtualenv"];

const TAILOR: &[Entry] = &[
    off("check", "Report the changes without making them. The exit code is 1 if there are any."),
    text_or("build_file_name", "\"BUILD\"", "The file name of new BUILD files."),
    text("build_file_header", "The header of new BUILD files."),
    text_or("build_file_indent", "\"    \"", "The indentation of one level."),
    dict("alias_mapping", "A mapping from target types to the macros that are written instead."),
    texts("ignore_paths", "Files to ignore, as globs."),
    texts("ignore_adding_targets", "Targets that are not added, as `dir:name`."),
];
