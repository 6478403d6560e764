//! One test file to one pytest process.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::{Action, CachePolicy, Source};
use crate::base::RelPath;
use crate::plan::environment;

/// pytest's exit code for "no tests were collected".
pub const NOTHING_COLLECTED: i32 = 5;

/// What is the same for all test files of a run.
#[derive(Clone, Debug, Default)]
pub struct PytestOptions {
    /// `[pytest].args` and then what followed `--`.
    pub args: Vec<String>,
    /// `[pytest].config`.
    pub config: Option<RelPath>,
    /// What coverage is measured of, where it is measured: module names or directories; empty means everything.
    pub coverage: Option<Vec<String>>,
    pub slot_variable: Option<String>,
    /// No tests in a file is no failure.
    pub empty_is_fine: bool,
    /// Earlier results do not count.
    pub force: bool,
    /// In the foreground, with the terminal, without reports.
    pub debug: bool,
}

/// One test file and what it needs.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// The target's address.
    pub label: String,
    pub file: RelPath,
    /// The tree of the file's transitive closure.
    pub sources: Source,
    /// Relative to the build root.
    pub source_roots: Vec<RelPath>,
    /// System tree, interpreter and venv image, by mount point.
    pub images: BTreeMap<String, Source>,
    /// What the user asked to be set, by name.
    pub env: BTreeMap<String, String>,
    pub timeout: Option<Duration>,
    pub attempts: u32,
}

pub fn action(test: &TestFile, options: &PytestOptions) -> Action {
    Action {
        label: test.label.clone(),
        argv: argv(test, options),
        env: env(test, options),
        cwd: RelPath::root(),
        input_root: test.sources,
        images: test.images.clone(),
        outputs_at: outputs_at(),
        network: false,
        timeout: test.timeout.filter(|_| !options.debug),
        attempts: if options.debug { 1 } else { test.attempts },
        cache: cache(options),
        slot_variable: options.slot_variable.clone().filter(|_| !options.debug),
        interactive: options.debug,
    }
}

fn argv(test: &TestFile, options: &PytestOptions) -> Vec<String> {
    let mut argv = vec!["/deps/bin/pytest".to_owned()];
    argv.extend(options.args.iter().cloned());
    if let Some(config) = &options.config {
        argv.extend(["-c".to_owned(), config.to_string()]);
    }
    if !options.debug {
        argv.extend(["--color=yes", "--junit-xml=/out/junit.xml", "-o", "junit_family=xunit2"].map(str::to_owned));
        argv.extend(coverage_args(options));
    }
    argv.push(test.file.to_string());
    argv
}

fn coverage_args(options: &PytestOptions) -> Vec<String> {
    let Some(measured) = &options.coverage else { return Vec::new() };
    let roots = if measured.is_empty() { vec![".".to_owned()] } else { measured.clone() };
    let roots = roots.into_iter().map(|root| format!("--cov={root}"));
    ["--cov-report=".to_owned()].into_iter().chain(roots).collect()
}

fn env(test: &TestFile, options: &PytestOptions) -> BTreeMap<String, String> {
    let mut env = environment::base();
    let roots: Vec<String> = test.source_roots.iter().map(mounted).collect();
    env.insert("WADERS_SOURCE_ROOTS".to_owned(), roots.join(":"));
    if options.coverage.is_some() && !options.debug {
        env.insert("COVERAGE_FILE".to_owned(), "/out/coverage".to_owned());
    }
    env.extend(test.env.clone());
    env
}

fn mounted(path: &RelPath) -> String {
    if path.is_root() { "/src".to_owned() } else { format!("/src/{}", path.as_str()) }
}

/// Files that tests write below `extra-output/` are kept.
fn outputs_at() -> BTreeMap<String, RelPath> {
    let extra = RelPath::parse("extra-output").expect("the path is clean");
    BTreeMap::from([("/src/extra-output".to_owned(), extra)])
}

fn cache(options: &PytestOptions) -> CachePolicy {
    let mut exit_codes = vec![0];
    if options.empty_is_fine {
        exit_codes.push(NOTHING_COLLECTED);
    }
    CachePolicy { read: !options.force, exit_codes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    fn test_file() -> TestFile {
        TestFile {
            label: "src/app_test.py:tests".to_owned(),
            file: RelPath::parse("src/app_test.py").unwrap(),
            sources: Source::Tree(Digest::of(b"")),
            source_roots: vec![RelPath::root(), RelPath::parse("src").unwrap()],
            images: BTreeMap::new(),
            env: BTreeMap::from([("HOME".to_owned(), "/asked/for".to_owned())]),
            timeout: Some(Duration::from_secs(60)),
            attempts: 3,
        }
    }

    #[test]
    fn arguments_come_before_ours_and_the_file_last() {
        let options = PytestOptions { args: vec!["-k".to_owned(), "login".to_owned()], ..PytestOptions::default() };
        let argv = action(&test_file(), &options).argv;
        assert_eq!(argv[..3], ["/deps/bin/pytest", "-k", "login"]);
        assert_eq!(argv.last().unwrap(), "src/app_test.py");
        assert!(argv.contains(&"--junit-xml=/out/junit.xml".to_owned()));
    }

    #[test]
    fn debugging_has_a_terminal_and_no_reports_limits_or_slot() {
        let options = PytestOptions {
            debug: true,
            coverage: Some(Vec::new()),
            slot_variable: Some("SLOT".to_owned()),
            ..PytestOptions::default()
        };
        let action = action(&test_file(), &options);
        assert!(action.interactive);
        assert_eq!((action.timeout, action.attempts, action.slot_variable), (None, 1, None));
        assert_eq!(action.argv, ["/deps/bin/pytest", "src/app_test.py"]);
    }

    #[test]
    fn what_the_user_asked_for_wins_over_the_constants() {
        let env = action(&test_file(), &PytestOptions::default()).env;
        assert_eq!(env["HOME"], "/asked/for");
        assert_eq!(env["TZ"], "UTC");
        assert_eq!(env["WADERS_SOURCE_ROOTS"], "/src:/src/src");
    }

    #[test]
    fn an_empty_file_is_kept_as_a_result_only_where_it_is_fine() {
        let codes = |empty_is_fine| {
            let options = PytestOptions { empty_is_fine, ..PytestOptions::default() };
            action(&test_file(), &options).cache.exit_codes
        };
        assert_eq!(codes(false), [0]);
        assert_eq!(codes(true), [0, NOTHING_COLLECTED]);
    }
}
