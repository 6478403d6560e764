//! The options of the table that Waders does not use, with the reasons: options without effect, which are accepted silently
//! since they cannot change a result, and unsupported options, which are refused or cause a warning. `load` applies them, help
//! pages show them. A test (`tests/it/options.rs`) checks that the program reads every other option.

/// What setting an option does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The option works as its help text says.
    Works,
    /// Nothing, for this reason. No result depends on it.
    Inert(&'static str),
    /// The option is not supported, for this reason. In a flag or an environment variable it is an error, in a settings file
    /// a warning, unless it has its default value.
    Unsupported(&'static str),
}

/// What an option does. The first rule that matches applies.
pub fn effect(scope: &str, option: &str) -> Effect {
    let of = |rules: &[Rule]| rules.iter().find(|rule| rule.matches(scope, option)).map(|rule| rule.reason);
    match (of(UNSUPPORTED), of(INERT)) {
        (Some(reason), _) => Effect::Unsupported(reason),
        (None, Some(reason)) => Effect::Inert(reason),
        (None, None) => Effect::Works,
    }
}

struct Rule {
    /// `*` for every section.
    scope: &'static str,
    /// Names, each of which may begin or end with `*`.
    options: &'static [&'static str],
    /// Completes the sentence "No effect: ….".
    reason: &'static str,
}

impl Rule {
    fn matches(&self, scope: &str, option: &str) -> bool {
        let is_named = |pattern: &&str| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (Some(end), None) => option.ends_with(end),
            (_, Some(start)) => option.starts_with(start.trim_start_matches('*')),
            (None, None) => option == *pattern,
        };
        (self.scope == "*" || self.scope == scope) && self.options.iter().any(is_named)
    }
}

const fn rule(scope: &'static str, options: &'static [&'static str], reason: &'static str) -> Rule {
    Rule { scope, options, reason }
}

/// Every option of a section.
const fn section(scope: &'static str, reason: &'static str) -> Rule {
    rule(scope, &["*"], reason)
}

const UNSUPPORTED: &[Rule] = &[
    rule(
        "GLOBAL",
        &["enable_target_origin_sources_blocks"],
        "targets are selected by changed files, not by changed lines",
    ),
    rule(
        "GLOBAL",
        &["use_deprecated_directory_cli_args_semantics"],
        "the argument `dir` selects the targets in the directory; write `dir:dir` for one target",
    ),
    rule("dependencies", &["type"], "all dependencies are listed; `filter` selects some of them by type"),
    rule("dependents", &["type"], "all dependents are listed; `filter` selects some of them by type"),
    rule("lint", &["reports_dir"], "reports are written below `lint` in `pants_distdir`"),
    section("preamble", "Waders does not have this check yet"),
    rule("pytest", &["pytest_plugins"], "use `install_from_resolve`, or `extra_requirements` of Pants up to 2.17"),
    rule("python", &["experimental_*"], "use `resolves` and `default_resolve`"),
    rule(
        "python",
        &["default_to_resolve_interpreter_constraints"],
        "set `interpreter_constraints` of the targets, for example with `__defaults__`",
    ),
    rule("python", &["tailor_test_targets"], "use `tailor_source_targets`"),
    section("python-native-code", "source distributions are built without additional flags"),
    rule(
        "shell",
        &["executable_search_paths", "dependency_inference", "tailor", "tailor_*"],
        "use the section `[shell-setup]`",
    ),
    rule("GLOBAL", &["remote_auth_plugin"], "use `remote_oauth_bearer_token_path`, or a client certificate"),
    rule("GLOBAL", &["remote_provider"], "the only provider is the Remote Execution API; remove the option"),
    section("stats", "Waders does not collect these statistics; `--level=debug` logs every step"),
    rule("GLOBAL", &["stats_log"], "Waders does not collect these statistics; `--level=debug` logs every step"),
    rule("update-build-files", &["fix_python_macros"], "only deprecated names are replaced"),
    rule("uv", &["args", "args_for_uv_pip_install"], "Waders runs uv with its own arguments"),
    rule("yamllint", &["config_file_name"], "set `config` to the path of the settings file"),
    rule("*", &["entry_point"], "use `console_script`"),
];

const OWN_TERMINAL: &str = "the program that builds images has the environment and the terminal of the caller";
const OWN_PEX: &str = "Waders runs its own pinned Pex, as a step in the sandbox";
const NO_RESTART: &str = "programs are not restarted; `--loop` repeats the whole command";
const OWN_RESOLVER: &str = "lockfiles are resolved by uv, for Linux and macOS, from the configured indexes";
const NO_GOAL: &str = "this goal is not implemented yet";
const NO_TOOL: &str = "Waders does not run this tool yet";
const PINNED_PROTOC: &str = "the compiler is part of the pinned grpcio-tools";
const NO_DAEMON: &str = "Waders has no daemon";
const NO_PLUGINS: &str = "Waders does not run the code of Pants plugins";
const OWN_STORE: &str = "the section `[store]` sets the place of the store";
const OWN_ENGINE: &str = "it configures the engine of Pants";
const OWN_SANDBOX: &str = "every step runs in the sandbox of Waders, on this machine";
const ONE_PARSER: &str = "Waders has only one parser";
const OWN_LOG: &str = "the variable `WADERS_LOG` sets log levels by module";
const NOT_BY_MEMORY: &str = "steps are not scheduled by memory; the option `memory` of `[sandbox]` limits it";
const PINNED_SYSTEM: &str = "the programs of a step come from the pinned system tree and its requirements";
const LINUX_ONLY: &str = "Waders runs on Linux only";
const LOCKED_TOOLS: &str = "the versions and hashes of tools come from lockfiles";

const INERT: &[Rule] = &[
    rule("export", &["py_generated_sources_in_resolve"], "`export-codegen` writes generated files for editors"),
    rule("publish", &["noninteractive_process_output"], "programs that publish have the terminal"),
    rule("run", &["restartable"], NO_RESTART),
    rule("repl", &["restartable"], NO_RESTART),
    rule(
        "generate-lockfiles",
        &["sync"],
        "locked versions are always kept as far as the requirements permit; `upgrade` replaces them",
    ),
    section("experimental-deploy", NO_GOAL),
    section("python-dump-source-analysis", NO_GOAL),
    rule("GLOBAL", &["pantsd*", "concurrent", "watch_filesystem"], NO_DAEMON),
    rule(
        "GLOBAL",
        &["remote_execution_rpc_concurrency"],
        "`process_execution_remote_parallelism` limits the concurrent steps",
    ),
    rule("GLOBAL", &["remote_execution_append_only_caches_base_path"], "workers keep nothing between steps"),
    rule("GLOBAL", &["remote_store_eager_fetch", "remote_cache_eager_fetch"], "use `cache_content_behavior`"),
    rule(
        "GLOBAL",
        &[
            "remote_cache_rpc_timeout_millis",
            "remote_cache_read_timeout_millis",
            "remote_store_chunk_upload_timeout_seconds",
        ],
        "`remote_store_rpc_timeout_millis` applies to each call and to each part of a transfer",
    ),
    rule(
        "GLOBAL",
        &["remote_store_connection_limit", "remote_store_batch_load_enabled", "remote_require_ca_certs_path"],
        "one connection carries all calls, and batches are used as the server announces",
    ),
    rule("GLOBAL", &["local_store_*", "named_caches_dir", "cache_instructions"], OWN_STORE),
    rule(
        "GLOBAL",
        &["plugins_force_resolve", "plugin_cache_dir", "pants_venv_dir", "bootstrap_interpreter_*"],
        NO_PLUGINS,
    ),
    rule("GLOBAL", &["streaming_workunits_*", "stats_record_option_scopes"], NO_PLUGINS),
    rule("GLOBAL", &["docker_execution", "docker_strategy", "sandboxer"], OWN_SANDBOX),
    rule(
        "GLOBAL",
        &[
            "engine_visualize_to",
            "native_options_validation",
            "process_execution_speculation*",
            "rule_threads_*",
            "process_execution_local_enable_nailgun",
            "session_end_tasks_timeout",
            "use_ng_dependencies",
            "subproject_roots",
            "pants_subprocessdir",
            "pants_physical_workdir_base",
        ],
        OWN_ENGINE,
    ),
    rule("GLOBAL", &["use_rust_parser"], ONE_PARSER),
    rule("GLOBAL", &["lock"], "concurrent runs never wait for each other"),
    rule("GLOBAL", &["log_levels_by_target", "log_show_rust_3rdparty", "show_log_target"], OWN_LOG),
    rule("GLOBAL", &["dynamic_ui_renderer"], "Waders has only one display of progress"),
    rule("GLOBAL", &["process_per_child_memory_usage", "process_total_child_memory_usage"], NOT_BY_MEMORY),
    rule("GLOBAL", &["allow_deprecated_macos_*"], LINUX_ONLY),
    section("anonymous-telemetry", "Waders sends no telemetry"),
    section("adhoc-tool", "Waders has no settings for commands"),
    section("build-files", "`tailor` adds no targets for BUILD files"),
    section("debug-adapter", "the debug adapter is not supported yet"),
    section("environments-preview", OWN_SANDBOX),
    rule("fmt", &["per_file_caching"], "results are cached for each file wherever the tool permits it"),
    rule("lint", &["per_file_caching"], "results are cached for each file wherever the tool permits it"),
    rule("test", &["experimental_report_test_result_info"], "`json` prints the results of tests"),
    rule("visibility", &["skip"], "every goal checks visibility; `enforce` disables the check"),
    rule(
        "docker",
        &[
            "build_verbose",
            "default_context_root_from_source",
            "env_vars",
            "executable_search_paths",
            "optional_tools",
            "publish_noninteractively",
            "push_on_package",
            "suggest_renames",
            "tools",
            "use_buildx",
        ],
        OWN_TERMINAL,
    ),
    section("dockerfile-parser", ONE_PARSER),
    section("pex", OWN_PEX),
    rule("pex-cli", &["version", "known_versions", "url_*", "use_unsupported_version"], OWN_PEX),
    rule(
        "pex-binary-defaults",
        &["resolve_local_platforms"],
        "platforms are described completely, so no interpreter is searched",
    ),
    rule(
        "python",
        &[
            "ipex",
            "lockfile_generator",
            "pip_version",
            "resolve_all_constraints",
            "resolver_jobs",
            "resolves_to_complete_platforms",
            "resolves_to_lock_style",
            "resolves_to_sources",
        ],
        OWN_RESOLVER,
    ),
    rule("python", &["macos_big_sur_compatibility"], LINUX_ONLY),
    rule("python", &["warn_on_python2_usage"], "Python 2 is not supported"),
    section("python-bootstrap", "the option `providers` of `[toolchain]` sets where interpreters come from"),
    rule("python-infer", &["use_rust_parser"], ONE_PARSER),
    rule("shell-setup", &["executable_search_paths"], PINNED_SYSTEM),
    section("system-binaries", PINNED_SYSTEM),
    rule("uv", &["*"], LOCKED_TOOLS),
    rule("*", &["known_versions", "url_template", "url_platform_mapping", "use_unsupported_version"], LOCKED_TOOLS),
    rule("protoc", GENERATOR_OPTIONS, PINNED_PROTOC),
    rule("python-protobuf", GENERATOR_OPTIONS, PINNED_PROTOC),
    rule("python-protobuf", &["version"], PINNED_PROTOC),
    rule("python-protobuf", &["runtime_dependency_resolve"], "`python_resolve` of a target names the resolve"),
    section("apache-thrift", "the compiler is the Debian package `thrift-compiler` of the pinned system tree"),
    section("buildifier", NO_TOOL),
    section("cloc", NO_TOOL),
    section("codespell", NO_TOOL),
    section("debugpy", NO_TOOL),
    section("download-terraform", NO_TOOL),
    section("go-golang", NO_TOOL),
    section("golangci-lint", NO_TOOL),
    section("helm", NO_TOOL),
    section("helm-unittest", NO_TOOL),
    section("kubeconform", NO_TOOL),
    section("lambdex", "cloud functions are packaged without lambdex, as in later versions of Pants"),
    section("makeself", NO_TOOL),
    section("nfpm", NO_TOOL),
    section("pip-audit", NO_TOOL),
    section("prettier", NO_TOOL),
    section("pydeps", NO_TOOL),
    section("pytype", NO_TOOL),
    section("scc", NO_TOOL),
    section("semgrep", NO_TOOL),
    section("shunit2", NO_TOOL),
    section("terraform-tfsec", NO_TOOL),
    rule("towncrier", &["jobs"], "no goal runs this tool; `export` installs it"),
    section("trufflehog", NO_TOOL),
];

/// The options of every tool that Waders reads if it runs the tool, apart from `version`.
const GENERATOR_OPTIONS: &[&str] = &[
    "args",
    "config",
    "config_discovery",
    "console_script",
    "extra_requirements",
    "install_from_resolve",
    "interpreter_constraints",
    "lockfile",
    "requirements",
    "skip",
    "export",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Table;

    #[test]
    fn every_rule_matches_an_option() {
        for rule in UNSUPPORTED.iter().chain(INERT) {
            let matches = Table::get().rows().any(|(section, row)| rule.matches(section.name, row.entry.name));
            assert!(matches, "[{}] {:?}", rule.scope, rule.options);
        }
    }

    #[test]
    fn an_option_without_a_help_text_has_a_reason() {
        for (section, row) in Table::get().rows().filter(|(_, row)| row.entry.inert) {
            assert_ne!(effect(section.name, row.entry.name), Effect::Works, "[{}] {}", section.name, row.entry.name);
        }
    }
}
