//! The goals and their options, and the sections that choose what goals work on.

use super::entry::Kind::{Bool, Text, Texts};
use super::entry::{
    Entry, Scope, choice, dict, entry, goal, inert, integer, off, on, subsystem, text, text_or, texts, texts_or, words,
};

pub const SCOPES: &[Scope] = &[
    goal(
        "list",
        "List targets.",
        &[off("documented", "Only targets with a description, with it."), JSON, SEP, OUTPUT_FILE],
    ),
    goal("filter", "List targets; an older name of `list`.", &[JSON, SEP, OUTPUT_FILE]),
    goal("dependencies", "What targets depend on.", DEPENDENCIES),
    goal("dependents", "What depends on targets.", DEPENDENCIES),
    goal("paths", "How one target comes to depend on another.", &[FROM, TO, OUTPUT_FILE]),
    goal("peek", "Targets with all their fields, as JSON.", PEEK),
    goal("filedeps", "The source and BUILD files of targets.", FILEDEPS),
    goal("roots", "The source roots.", &[JSON, SEP, OUTPUT_FILE]),
    goal("count-loc", "Count lines of code.", &[off("json", "As JSON. Only Waders has it."), OUTPUT_FILE]),
    goal("graph", "Targets and their dependencies as a picture. Only Waders has it.", GRAPH),
    goal("py-constraints", "Interpreter constraints of targets.", &[off("summary", "As CSV."), OUTPUT_FILE]),
    goal("lint", "Find what linters find, and what formatters would change.", LINT),
    goal("fmt", "Format sources in place.", &[ONLY, BATCH_SIZE, TIMEOUT, RESULTS, inert("per_file_caching", Bool)]),
    goal("fix", "Fix and format sources in place.", &[ONLY, BATCH_SIZE, SKIP_FORMATTERS, TIMEOUT, RESULTS]),
    goal(
        "check",
        "Check types.",
        &[
            ONLY,
            RESULTS,
            SARIF,
            off("force", "Check everything again, from nothing."),
            off("verify", "Then check once more from nothing, and fail where that finds something else."),
        ],
    ),
    goal("test", "Run tests.", TEST),
    goal("package", "Build what can be distributed into the dist directory.", &[]),
    goal(
        "publish",
        "Package and publish.",
        &[
            text("output", "Write a JSON record of what was published."),
            off("noninteractive_process_output", "Show the output of programs that publish."),
        ],
    ),
    goal(
        "run",
        "Run one target.",
        &[
            words("args", "Arguments for the program.").passed_through(),
            off("debug_adapter", "Run under the debug adapter."),
            off("restartable", "Restart when files change."),
            off("cleanup", "Remove the sandbox afterwards."),
        ],
    ),
    goal(
        "repl",
        "An interpreter with targets importable.",
        &[
            text("shell", "`python` or `ipython`."),
            words("args", "Arguments for the interpreter.").passed_through(),
            off("restartable", "Restart when files change."),
            inert("run_in_workspace", Bool),
        ],
    ),
    goal("export", "Write virtual environments for editors.", EXPORT),
    goal(
        "generate-lockfiles",
        "Resolve requirements into lockfiles.",
        &[
            texts("resolve", "Only these resolves."),
            text("custom_command", "What lockfile headers say to run."),
            on("diff", "Show what changed."),
            off("diff_include_unchanged", "Also show what did not."),
            off("sync", "Change as few versions as the requirements need."),
        ],
    ),
    goal("tailor", "Write missing BUILD targets.", TAILOR),
    goal(
        "update-build-files",
        "Format BUILD files and bring them up to date.",
        &[
            off("check", "Only say what would change; exit code 1 if anything would."),
            on("fmt", "Format them."),
            choice("formatter", &["black", "yapf", "ruff", "buildifier"], "\"black\"", "With which formatter."),
            on("fix_safe_deprecations", "Replace old names that have an equal new one."),
            inert("fix_python_macros", Bool),
        ],
    ),
    goal("version", "Print the version.", &[]),
    goal("completions", "Print a completion script: `completions bash`, `zsh`, `fish`.", &[]),
    goal("complete", "Completions for a command line.", &[]),
    goal("experimental-deploy", "Deploy targets.", &[inert("dry_run", Bool), inert("publish_dependencies", Bool)]),
    goal(
        "python-dump-source-analysis",
        "What inference reads from sources.",
        &[inert("analysis_flavor", Text), inert("output_file", Text)],
    ),
    goal("export-codegen", "Write generated sources.", &[]),
    goal("experimental-bsp", "Serve the Build Server Protocol.", &[]),
    goal("experimental-explorer", "Serve a browser.", &[]),
    goal("go-generate", "Run Go's generators.", &[]),
    goal("generate-snapshots", "Update test snapshots.", &[]),
    subsystem(
        "changed",
        "Choose targets by what changed in git.",
        &[
            text("since", "Files changed since this commit."),
            text("diffspec", "Files changed in this range."),
            choice("dependents", &["none", "direct", "transitive"], "\"none\"", "Also what depends on them."),
        ],
    ),
    subsystem(
        "filter",
        "Narrow the targets that arguments name.",
        &[
            texts("target_type", "By target type; `-t` is all others."),
            choice("granularity", &["all", "file", "BUILD"], "\"all\"", "Only generated ones, or only written ones."),
            texts("address_regex", "By address."),
            texts("tag_regex", "By tag."),
        ],
    ),
    subsystem("cli", "The command line.", &[dict("alias", "Words and flags that stand for others.")]),
    subsystem(
        "source",
        "Where import paths begin.",
        &[
            texts_or("root_patterns", ROOT_PATTERNS, "Source roots; a leading `/` anchors at the build root."),
            texts("marker_filenames", "A file of such a name marks a source root."),
        ],
    ),
    subsystem(
        "subprocess-environment",
        "What every step's environment has.",
        &[texts_or("env_vars", ENV_VARS, "`NAME=value`, or `NAME` to copy it.").read_inside()],
    ),
    subsystem(
        "environments-preview",
        "Named environments.",
        &[
            dict("names", "Name to target address."),
            dict("platforms_to_local_environment", "Platform to name."),
            inert("remote_execution_extra_platform_properties", Texts),
        ],
    ),
    subsystem(
        "regex-lint",
        "Patterns that files must or must not have.",
        &[
            dict("config", "`required_matches`, `path_patterns`, `content_patterns`."),
            off("skip", "Leave it out."),
            choice(
                "detail_level",
                &["none", "summary", "nonmatching", "names", "all"],
                "\"nonmatching\"",
                "How much to say.",
            ),
        ],
    ),
    subsystem(
        "visibility",
        "Who may depend on whom.",
        &[on("enforce", "Refuse dependencies that the rules forbid."), off("skip", "Leave out of `lint`.")],
    ),
    subsystem(
        "stats",
        "Counters at the end.",
        &[
            off("log", "Print them."),
            off("memory_summary", "With memory."),
            text("output_file", "Write them there."),
            choice("format", &["text", "jsonlines"], "\"text\"", "How."),
        ],
    ),
];

const SEP: Entry = text_or("sep", "\"\\\\n\"", "What stands between the lines.");
const JSON: Entry = off("json", "As one JSON list. Only Waders has it.");
const RESULTS: Entry = off("json", "Print results as JSON. Only Waders has it.");
const OUTPUT_FILE: Entry = text("output_file", "Write to this file rather than to standard output.");
const FROM: Entry = text("from", "The target to start from.");
const TO: Entry = text("to", "The target to reach.");
const ONLY: Entry = texts("only", "Only these tools.");
const BATCH_SIZE: Entry = integer("batch_size", "128", "How many files one process gets at most.");
const SKIP_FORMATTERS: Entry = off("skip_formatters", "Leave formatters out.");
const SKIP_FIXERS: Entry = off("skip_fixers", "Leave fixers out.");
const ROOT_PATTERNS: &str =
    r#"["/", "src", "src/python", "src/py", "src/thrift", "src/protobuf", "src/protos", "src/scala", "src/java"]"#;
const ENV_VARS: &str = r#"["LANG", "LC_CTYPE", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR"]"#;

const DEPENDENCIES: &[Entry] = &[
    off("transitive", "Also theirs, and so on."),
    off("closed", "Also the targets themselves."),
    choice("format", &["text", "json"], "\"text\"", "As lines or as JSON."),
    inert("type", Text),
    SEP,
    OUTPUT_FILE,
];

const PEEK: &[Entry] = &[
    off("exclude_defaults", "Leave out fields that were not set."),
    off("include_dep_rules", "With visibility rules."),
    off("include_additional_info", "With what plugins add."),
    OUTPUT_FILE,
];

const GRAPH: &[Entry] = &[
    choice("format", &["dot", "html", "json"], "\"dot\"", "For Graphviz, as a page for a browser, or for scripts."),
    off("transitive", "Also what the dependencies depend on."),
    OUTPUT_FILE,
];

const FILEDEPS: &[Entry] = &[
    off("absolute", "Absolute paths."),
    off("globs", "The globs rather than the files."),
    off("transitive", "Also of dependencies."),
    JSON,
    SEP,
    OUTPUT_FILE,
];

const TIMEOUT: Entry = integer("timeout", "null", "Seconds that one process of a tool may take.");
const SARIF: Entry =
    text("sarif", "Write findings as SARIF 2.1.0 to this file; `{distdir}` stands for the dist directory.");
const LINT: &[Entry] = &[
    ONLY,
    SKIP_FORMATTERS,
    SKIP_FIXERS,
    BATCH_SIZE,
    TIMEOUT,
    RESULTS,
    SARIF,
    inert("per_file_caching", Bool),
    inert("reports_dir", Text),
];

const TEST: &[Entry] = &[
    off("debug", "One after another in the foreground with the terminal; never cached."),
    off("debug_adapter", "Debug under the debug adapter."),
    off("force", "Run again in spite of kept results."),
    choice("output", &["all", "failed", "none"], "\"failed\"", "Whose output to show."),
    off("use_coverage", "Measure coverage."),
    off("open_coverage", "Open the coverage report."),
    off("report", "Copy JUnit reports to the report directory."),
    text_or("report_dir", "\"{distdir}/test/reports\"", "The report directory."),
    text_or("shard", "\"\"", "`k/n`: only the k-th of n parts, counted from 0."),
    on("timeouts", "Heed timeouts."),
    integer("timeout_default", "null", "Seconds for a test file that sets none."),
    integer("timeout_maximum", "null", "Seconds that no test file may exceed."),
    integer("attempts_default", "1", "How often a failing test file is tried."),
    integer("batch_size", "128", "How many files of one batch tag share a process."),
    texts("extra_env_vars", "`NAME=value`, or `NAME` to copy it.").read_inside(),
    texts("extra_inputs", "Files that every test may read beyond its dependencies, as globs. Only Waders has it."),
    off("json", "Results as JSON on standard output. Only Waders has it."),
    entry("show_rerun_command", Bool, "null", "Show what runs the failed tests again; by default where `CI` is set."),
    inert("experimental_report_test_result_info", Bool),
    off("show_all_batch_targets", "Name every file of a batch."),
];

const EXPORT: &[Entry] = &[
    texts("resolve", "Only these resolves."),
    texts("bin", "These tools' binaries."),
    choice("py_resolve_format", RESOLVE_FORMATS, "\"mutable_virtualenv\"", "A copy, or links into the store."),
    texts("py_editable_in_resolve", "Resolves whose own distributions are installed as editable."),
    texts("py_generated_sources_in_resolve", "Resolves that get generated sources."),
    on("py_hermetic_scripts", "Scripts ignore the user's Python settings."),
    texts("py_non_hermetic_scripts_in_resolve", "Except in these resolves."),
];

const RESOLVE_FORMATS: &[&str] = &["mutable_virtualenv", "symlinked_immutable_virtualenv"];

const TAILOR: &[Entry] = &[
    off("check", "Only say what would change; exit code 1 if anything would."),
    text_or("build_file_name", "\"BUILD\"", "The name of new BUILD files."),
    text("build_file_header", "How new BUILD files begin."),
    text_or("build_file_indent", "\"    \"", "One step of indentation."),
    dict("alias_mapping", "Target type to the macro to write for it."),
    texts("ignore_paths", "Globs to leave alone."),
    texts("ignore_adding_targets", "Targets to leave out, as `dir:name`."),
];
