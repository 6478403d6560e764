//! `[GLOBAL]`: the backends in use, which files are read, where results go.

use std::path::PathBuf;
use std::time::Duration;

use super::section::Section;
use crate::config::Config;

/// The section `[GLOBAL]`.
#[derive(Clone, Debug)]
pub struct GlobalSettings {
    /// The Pants backends in use.
    pub backend_packages: Vec<String>,
    /// The directories of plugins in the repository.
    pub plugin_dirs: Vec<String>,
    /// The release of Pants that the repository expects, such as `2.21.0`.
    pub pants_version: Option<String>,
    /// The name of the command in messages.
    pub bin_name: String,
    /// Whether locks must not be changed. They must not in CI either.
    pub frozen: bool,
    /// Whether progress is displayed; the default depends on the terminal.
    pub dynamic_ui: Option<bool>,
    /// Whether output is coloured; the default depends on the terminal.
    pub colors: Option<bool>,
    /// The directory for results, relative to the build root unless it is absolute.
    pub dist_dir: String,
    /// The directory for working files, relative to the build root unless it is absolute.
    pub work_dir: String,
    /// The directory of the log file, relative to the build root unless it is absolute.
    pub log_dir: Option<String>,
    /// The level of the log: `trace`, `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The file of certificates that the user trusts.
    pub ca_certs_path: Option<PathBuf>,
    /// How many steps run at the same time; by default as many as there are cores.
    pub parallelism: Option<usize>,
    /// How long a step may take to clean up after an interrupt or a timeout; by default as `[sandbox]` sets it.
    pub grace: Option<Duration>,
    /// The name that separates cached results.
    pub cache_namespace: Option<String>,
    /// Whether cached results are used and stored.
    pub use_cache: bool,
    /// Whether what steps print is shown while they run.
    pub shows_output: bool,
    /// The steps whose sandboxes are preserved.
    pub keep_sandboxes: KeepSandboxes,
    /// The directory for preserved sandboxes, relative to the build root unless it is absolute.
    pub kept_sandboxes_dir: Option<String>,
    /// Warnings that are not shown.
    pub ignore_warnings: Vec<String>,
    /// Whether an internal error is reported with a stack trace.
    pub print_stacktrace: bool,
    /// The file for the timeline of the run, relative to the build root unless it is absolute.
    pub trace_file: Option<String>,
    /// Whether the timeline is one of OpenTelemetry.
    pub trace_is_otlp: bool,
    /// Whether the goals run again when files change.
    pub is_loop: bool,
    /// How often they run at most.
    pub loop_max: Option<u64>,
    /// How often a download is attempted at most, at least 1.
    pub download_attempts: u32,
    /// The delay before the second attempt.
    pub download_retry_delay: Duration,
    /// Names of BUILD files, as globs.
    pub build_patterns: Vec<String>,
    /// BUILD files to ignore, in gitignore syntax.
    pub build_ignore: Vec<String>,
    /// Files to ignore, in gitignore syntax.
    pub pants_ignore: Vec<String>,
    /// Whether `.gitignore` files are respected.
    pub use_gitignore: bool,
    /// Files with macros for BUILD files, as globs.
    pub prelude_globs: Vec<String>,
    /// Files that list more specs, a line each.
    pub spec_files: Vec<String>,
    /// Filters by tag.
    pub tag: Vec<String>,
    /// Regular expressions of addresses to leave out.
    pub exclude_target_regexp: Vec<String>,
    /// How to treat a spec that matches nothing.
    pub unmatched_specs: UnmatchedGlobs,
    /// How to treat a glob in a BUILD file that matches nothing.
    pub unmatched_sources: UnmatchedGlobs,
}

/// The steps whose sandboxes are preserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepSandboxes {
    /// None.
    Never,
    /// Those that failed.
    OnFailure,
    /// All that ran.
    Always,
}

/// How to treat a glob that matches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnmatchedGlobs {
    /// Accept it.
    Ignore,
    /// Report a warning.
    Warn,
    /// Report an error.
    Error,
}

impl GlobalSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> GlobalSettings {
        let section = Section::new(config, "GLOBAL");
        let unmatched = |old, option, default| {
            UnmatchedGlobs::parse(section.word(old).or_else(|| section.word(option))).unwrap_or(default)
        };
        GlobalSettings {
            backend_packages: section.texts("backend_packages"),
            plugin_dirs: section.texts("pythonpath"),
            pants_version: section.text("pants_version"),
            bin_name: section.text_or("pants_bin_name", "waders"),
            frozen: section.flag("frozen"),
            dynamic_ui: section.switch("dynamic_ui"),
            colors: section.switch("colors"),
            dist_dir: section.text_or("pants_distdir", "dist"),
            work_dir: section.text_or("pants_workdir", ".pants.d"),
            log_dir: section.text("logdir"),
            level: section.text_or("level", "info"),
            ca_certs_path: section.text("ca_certs_path").map(PathBuf::from),
            parallelism: section.count("process_execution_local_parallelism"),
            grace: section.seconds("process_execution_graceful_shutdown_timeout"),
            cache_namespace: section.filled("process_execution_cache_namespace"),
            use_cache: section.flag_or("local_cache", true),
            shows_output: section.flag("stream_output"),
            keep_sandboxes: match section.word("keep_sandboxes") {
                Some("always") => KeepSandboxes::Always,
                Some("on_failure") => KeepSandboxes::OnFailure,
                _ => KeepSandboxes::Never,
            },
            kept_sandboxes_dir: section.filled("local_execution_root_dir"),
            ignore_warnings: section.texts("ignore_warnings"),
            print_stacktrace: section.flag("print_stacktrace"),
            trace_file: section.filled("trace"),
            trace_is_otlp: section.text("trace_format").as_deref() == Some("otlp"),
            is_loop: section.flag("loop"),
            loop_max: section.count("loop_max"),
            download_attempts: section.count("file_downloads_max_attempts").unwrap_or(1).max(1),
            download_retry_delay: Duration::try_from_secs_f64(
                section.number("file_downloads_retry_delay").unwrap_or(0.2),
            )
            .unwrap_or_default(),
            build_patterns: section.texts("build_patterns"),
            build_ignore: section.texts("build_ignore"),
            pants_ignore: section.texts("pants_ignore"),
            use_gitignore: section.flag_or("pants_ignore_use_gitignore", true),
            prelude_globs: section.texts("build_file_prelude_globs"),
            spec_files: section.texts("spec_files"),
            tag: section.texts("tag"),
            exclude_target_regexp: section.texts("exclude_target_regexp"),
            unmatched_specs: unmatched("owners_not_found_behavior", "unmatched_cli_globs", UnmatchedGlobs::Error),
            unmatched_sources: unmatched(
                "files_not_found_behavior",
                "unmatched_build_file_globs",
                UnmatchedGlobs::Warn,
            ),
        }
    }
}

impl UnmatchedGlobs {
    fn parse(word: Option<&str>) -> Option<UnmatchedGlobs> {
        match word? {
            "ignore" => Some(UnmatchedGlobs::Ignore),
            "warn" => Some(UnmatchedGlobs::Warn),
            "error" => Some(UnmatchedGlobs::Error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn old_names_of_policies_win_over_new_ones() {
        let check = |values: &[(&'static str, &str)], specs, sources| {
            let settings = values.iter().map(|(option, value)| ("GLOBAL", *option, json!(value)));
            let global = GlobalSettings::parse(&Config::of(settings));
            assert_eq!((global.unmatched_specs, global.unmatched_sources), (specs, sources), "{values:?}");
        };
        check(&[], UnmatchedGlobs::Error, UnmatchedGlobs::Warn);
        let old_and_new = [("owners_not_found_behavior", "ignore"), ("unmatched_cli_globs", "warn")];
        check(&old_and_new, UnmatchedGlobs::Ignore, UnmatchedGlobs::Warn);
        check(&[("unmatched_build_file_globs", "error")], UnmatchedGlobs::Error, UnmatchedGlobs::Error);
    }
}
