//! `[test]`, `[pytest]`, `[coverage-py]` and `[subprocess-environment]`: how tests run and what is reported.

use std::time::Duration;

use super::section::Section;
use crate::config::Config;

/// The section `[test]`.
#[derive(Clone, Debug)]
pub struct TestSettings {
    /// Whether cached results are ignored.
    pub force: bool,
    /// Whether the first failure stops the other tests.
    pub fail_fast: bool,
    /// Whether tests run in the foreground, one after another, with the terminal.
    pub debug: bool,
    /// Whether a debug adapter is asked for.
    pub debug_adapter: bool,
    /// `k/N`: the part of the tests that runs.
    pub shard: Option<String>,
    /// How many test files of one batch tag share a process at most.
    pub batch_size: usize,
    /// Whether tests have timeouts.
    pub timeouts: bool,
    /// The timeout of a test file without its own, in seconds.
    pub timeout_default: Option<i64>,
    /// The largest timeout of a test file, in seconds.
    pub timeout_maximum: Option<i64>,
    /// How often a failing test file is run, at least 1.
    pub attempts: u32,
    /// Environment variables of every test, as `NAME=value` or `NAME`.
    pub extra_env_vars: Vec<String>,
    /// Globs of files that every test may read.
    pub extra_inputs: Vec<String>,
    /// Whether a test may read only the extra inputs of its own project.
    pub extra_inputs_by_project: bool,
    /// Whether coverage is measured.
    pub use_coverage: bool,
    /// Whether the path of the coverage report is printed.
    pub open_coverage: bool,
    /// Whose output is shown: one of the words of the option table.
    pub output: String,
    /// Whether the logs of services are kept.
    pub keep_service_logs: bool,
    /// Whether every file of a batch is named.
    pub show_all_batch_targets: bool,
    /// Whether the command that runs failed tests again is shown; by default in CI.
    pub show_rerun_command: Option<bool>,
    /// How many of the slowest tests are named at most.
    pub slowest: usize,
    /// Whether results are printed as JSON.
    pub json: bool,
    /// Whether JUnit reports are written.
    pub report: bool,
    /// The directory for JUnit reports; `{distdir}` stands for the directory for results.
    pub report_dir: String,
}

impl TestSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> TestSettings {
        let section = Section::new(config, "test");
        TestSettings {
            force: section.flag("force"),
            fail_fast: section.flag("fail_fast"),
            debug: section.flag("debug"),
            debug_adapter: section.flag("debug_adapter"),
            shard: section.filled("shard"),
            batch_size: section.count("batch_size").unwrap_or(128),
            timeouts: section.flag_or("timeouts", true),
            timeout_default: section.integer("timeout_default"),
            timeout_maximum: section.integer("timeout_maximum"),
            attempts: section.count("attempts_default").unwrap_or(1).max(1),
            extra_env_vars: section.texts("extra_env_vars"),
            extra_inputs: section.texts("extra_inputs"),
            extra_inputs_by_project: section.flag("extra_inputs_by_project"),
            use_coverage: section.flag("use_coverage"),
            open_coverage: section.flag("open_coverage"),
            output: section.text_or("output", "failed"),
            keep_service_logs: section.flag("keep_service_logs"),
            show_all_batch_targets: section.flag("show_all_batch_targets"),
            show_rerun_command: section.switch("show_rerun_command"),
            slowest: section.count("slowest").unwrap_or(3),
            json: section.flag("json"),
            report: section.flag("report"),
            report_dir: section.text_or("report_dir", "{distdir}/test/reports"),
        }
    }

    /// The timeout of a test file: its own, `seconds`, or else the default, but at most the maximum.
    pub fn timeout(&self, seconds: Option<i64>) -> Option<Duration> {
        if !self.timeouts {
            return None;
        }
        let seconds = seconds.or(self.timeout_default)?;
        let limited = seconds.min(self.timeout_maximum.unwrap_or(i64::MAX));
        u64::try_from(limited).ok().map(Duration::from_secs)
    }
}

/// The section `[pytest]`, as far as other tools do not have its options.
#[derive(Clone, Debug)]
pub struct PytestSettings {
    /// Whether no test runs.
    pub skip: bool,
    /// Arguments of pytest.
    pub args: Vec<String>,
    /// The format of JUnit reports.
    pub junit_family: String,
    /// The environment variable for the number of the slot, counted from 0.
    pub execution_slot_var: Option<String>,
    /// Whether the tests of one file are spread over processes.
    pub xdist_enabled: bool,
    /// Whether a file without tests counts as success.
    pub allow_empty_test_collection: bool,
}

impl PytestSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> PytestSettings {
        let section = Section::new(config, "pytest");
        PytestSettings {
            skip: section.flag("skip"),
            args: section.texts("args"),
            junit_family: section.text_or("junit_family", "xunit2"),
            execution_slot_var: section.text("execution_slot_var"),
            xdist_enabled: section.flag("xdist_enabled"),
            allow_empty_test_collection: section.flag("allow_empty_test_collection"),
        }
    }
}

/// The section `[coverage-py]`, as far as other tools do not have its options.
#[derive(Clone, Debug)]
pub struct CoverageSettings {
    /// Modules or paths that are measured; empty for all.
    pub filter: Vec<String>,
    /// Names of report formats.
    pub report: Vec<String>,
    /// The directory for reports; `{distdir}` stands for the directory for results.
    pub output_dir: String,
    /// Whether sources that no test imports are part of the report.
    pub global_report: bool,
    /// The percentage below which the goal fails.
    pub fail_under: Option<f64>,
}

impl CoverageSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> CoverageSettings {
        let section = Section::new(config, "coverage-py");
        CoverageSettings {
            filter: section.texts("filter"),
            report: section.texts("report"),
            output_dir: section.text_or("output_dir", "{distdir}/coverage/python"),
            global_report: section.flag("global_report"),
            fail_under: config.number(section.name, "fail_under"),
        }
    }
}

/// The section `[subprocess-environment]`.
#[derive(Clone, Debug)]
pub struct SubprocessEnvironmentSettings {
    /// Environment variables of every step, as `NAME=value` or `NAME`.
    pub env_vars: Vec<String>,
}

impl SubprocessEnvironmentSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> SubprocessEnvironmentSettings {
        SubprocessEnvironmentSettings { env_vars: Section::new(config, "subprocess-environment").texts("env_vars") }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_timeout_is_at_most_the_maximum() {
        let check = |options: &[(&'static str, i64)], own: Option<i64>, expected: Option<u64>| {
            let config = Config::of(options.iter().map(|(option, value)| ("test", *option, json!(value))));
            let timeout = TestSettings::parse(&config).timeout(own);
            assert_eq!(timeout, expected.map(Duration::from_secs), "{options:?} {own:?}");
        };
        check(&[], None, None);
        check(&[], Some(5), Some(5));
        check(&[("timeout_default", 60)], None, Some(60));
        check(&[("timeout_default", 60), ("timeout_maximum", 30)], None, Some(30));
        check(&[("timeout_maximum", 30)], Some(300), Some(30));
        check(&[], Some(-1), None);
    }
}
