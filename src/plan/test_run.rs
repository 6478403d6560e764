//! The action that runs pytest on test files, usually one file. Which files share a process is decided in `prepare`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::{Action, CachePolicy, Command, Measurement, Policy, Source};
use crate::base::{RelPath, sandbox_paths};
use crate::packaging::venv;
use crate::plan::environment;

/// pytest's exit code for "no tests were collected".
pub const NOTHING_COLLECTED: i32 = 5;

/// The JUnit report that pytest writes, below the output root.
pub const JUNIT: &str = "junit.xml";

/// Arguments with which pytest prints information, runs no tests and writes no report.
const WITHOUT_TESTS: [&str; 5] = ["--help", "--markers", "--version", "-V", "-h"];

/// The directory for files that tests produce, below the build root and below the output root.
pub const EXTRA_OUTPUT: &str = "extra-output";

/// The settings that all test files of a run share.
#[derive(Clone, Debug, Default)]
pub struct PytestOptions {
    /// `[pytest].args`, then the arguments after `--`.
    pub args: Vec<String>,
    /// `[pytest].config`.
    pub config: Option<RelPath>,
    /// `[pytest].junit_family`.
    pub junit_family: String,
    /// Set if coverage is measured.
    pub coverage: Option<CoverageOptions>,
    /// The environment variable that receives the number of the execution slot.
    pub slot_variable: Option<String>,
    /// Whether a file without tests is a success.
    pub empty_is_fine: bool,
    /// Run again even if a result is cached.
    pub force: bool,
    /// Run in the foreground with the terminal, without reports.
    pub debug: bool,
}

/// How coverage is measured.
#[derive(Clone, Debug, Default)]
pub struct CoverageOptions {
    /// Module names or directories; empty means everything.
    pub measured: Vec<String>,
    /// `[coverage-py].config`. If it is `None`, coverage discovers its settings itself.
    pub config: Option<RelPath>,
}

/// The largest number of pytest-xdist workers of a process whose targets do not set `xdist_concurrency`.
const DEFAULT_MAX_WORKERS: usize = 4;

/// The number of tests for which a worker is worth its start. Each worker imports everything that the tests import, which
/// often takes longer than ten unit tests.
const TESTS_PER_WORKER: usize = 10;

/// Test files that share a process, and its inputs.
#[derive(Clone, Debug)]
pub struct TestFiles {
    /// The address of the target, or a name for several.
    pub label: String,
    /// The addresses of the targets.
    pub subjects: Vec<String>,
    /// At least one file.
    pub files: Vec<RelPath>,
    /// The single tests of these files that run, such as `TestA::test_b`; all tests of a file that has no entry.
    pub named_tests: BTreeMap<RelPath, Vec<String>>,
    /// The tree of everything that the files depend on, transitively.
    pub sources: Source,
    /// The system tree, the interpreter and the venv image, by mount point.
    pub images: BTreeMap<String, Source>,
    /// Variables that the user requested.
    pub env: BTreeMap<String, String>,
    /// Wall clock time of one attempt.
    pub timeout: Option<Duration>,
    /// The number of attempts until the tests pass, at least 1.
    pub attempts: u32,
    /// The number of pytest-xdist workers. If it is 0, the tests run in pytest itself.
    pub workers: u32,
    /// Whether the tests may use the host's network.
    pub network: bool,
    /// Whether a success may be cached.
    pub cacheable: bool,
}

/// The action that runs test files in one process.
pub fn action(test: &TestFiles, options: &PytestOptions) -> Action {
    let mut command = Command::new(argv(test, options), env(test, options), test.sources, test.images.clone());
    command.outputs_at = outputs_at();
    command.network = test.network;
    command.terminal = options.debug;
    let mut policy = Policy::new(test.label.clone());
    policy.remote = true;
    policy.subjects = test.subjects.clone();
    policy.timeout = test.timeout.filter(|_| !options.debug);
    policy.attempts = if options.debug { 1 } else { test.attempts };
    policy.cache = cache(test, options);
    policy.measurements = measurements();
    policy.slot_variable = options.slot_variable.clone().filter(|_| !options.debug);
    if !options.debug {
        policy.slots = test.workers.max(1);
        // A test can end the process with exit code 0 before the other tests have run. pytest writes the report at its end.
        let runs_tests = !options.args.iter().any(|arg| WITHOUT_TESTS.contains(&arg.as_str()));
        policy.required_output = runs_tests.then(|| RelPath::parse(JUNIT).expect("the path is clean"));
    }
    Action { command, policy }
}

/// The durations that pytest and Hypothesis print and report. The width of pytest's rules depends on the length of the line with the
/// duration. Hypothesis adds its statistics to the report, most of which are run times, in base64.
pub fn measurements() -> Vec<Measurement> {
    let measurement =
        |file: Option<&str>, pattern: &str| Measurement { file: file.map(str::to_owned), pattern: pattern.to_owned() };
    vec![
        measurement(None, r" in \d+\.\d+s(?: \(\d+:\d\d:\d\d\))?"),
        measurement(None, r"(?m)^\d+\.\d+s (?:call|setup|teardown)"),
        measurement(None, "={2,}"),
        measurement(Some(JUNIT), r#" (?:time|timestamp)="[^"]*""#),
        measurement(Some(JUNIT), r#"<property name="hypothesis-statistics-[^>]*>"#),
    ]
}

fn argv(test: &TestFiles, options: &PytestOptions) -> Vec<String> {
    let mut argv = vec![sandbox_paths::in_deps_bin("pytest")];
    argv.extend(options.args.iter().cloned());
    if let Some(config) = &options.config {
        argv.extend(["-c".to_owned(), config.to_string()]);
    }
    if !options.debug {
        argv.push("--color=yes".to_owned());
        argv.push(format!("--junit-xml={}", sandbox_paths::in_out(JUNIT)));
        argv.push("-o".to_owned());
        argv.push(format!("junit_family={}", options.junit_family));
        if test.workers > 0 {
            argv.extend(["-n".to_owned(), test.workers.to_string()]);
        }
        argv.extend(options.coverage.iter().flat_map(coverage_args));
        argv.extend(["-p", venv::TEST_RESULTS].map(str::to_owned));
    }
    argv.extend(test.files.iter().flat_map(|file| match test.named_tests.get(file) {
        Some(names) => names.iter().map(|names| format!("{file}::{names}")).collect(),
        None => vec![file.to_string()],
    }));
    argv
}

/// The required percentage applies to all tests together, so it is switched off for a single process.
fn coverage_args(options: &CoverageOptions) -> Vec<String> {
    let mut args = ["--cov-report=", "--cov-fail-under=0"].map(str::to_owned).to_vec();
    args.extend(options.config.iter().map(|config| format!("--cov-config={config}")));
    let roots = if options.measured.is_empty() { vec![".".to_owned()] } else { options.measured.clone() };
    args.extend(roots.into_iter().map(|root| format!("--cov={root}")));
    args
}

fn env(test: &TestFiles, options: &PytestOptions) -> BTreeMap<String, String> {
    let mut env = environment::base();
    if options.coverage.is_some() && !options.debug {
        env.insert("COVERAGE_FILE".to_owned(), sandbox_paths::in_out("coverage"));
    }
    environment::add_requested(&mut env, &test.env);
    env
}

/// Files that tests write below `extra-output/` are captured.
fn outputs_at() -> BTreeMap<String, RelPath> {
    let extra = RelPath::parse(EXTRA_OUTPUT).expect("the path is clean");
    BTreeMap::from([(sandbox_paths::in_src(EXTRA_OUTPUT), extra)])
}

fn cache(test: &TestFiles, options: &PytestOptions) -> CachePolicy {
    let mut success_codes = vec![0];
    if options.empty_is_fine {
        success_codes.push(NOTHING_COLLECTED);
    }
    let write = test.cacheable && !options.debug;
    CachePolicy { read: write && !options.force, write, success_codes }
}

/// The number of pytest-xdist workers of a process whose targets do not set `xdist_concurrency`. It is part of the action key,
/// so it depends neither on the machine nor on its load. There is at least one, because a test may require a worker.
pub fn default_workers(tests: usize) -> u32 {
    let workers = tests.div_ceil(TESTS_PER_WORKER).clamp(1, DEFAULT_MAX_WORKERS);
    u32::try_from(workers).expect("at most `DEFAULT_MAX_WORKERS`")
}

/// The approximate number of tests in a source file: its functions whose names begin with `test`.
pub fn count_tests(text: &str) -> usize {
    let is_test = |line: &&str| {
        let line = line.trim_start();
        line.strip_prefix("async ").unwrap_or(line).starts_with("def test")
    };
    text.lines().filter(is_test).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    fn test_file() -> TestFiles {
        TestFiles {
            label: "src/app_test.py:tests".to_owned(),
            subjects: Vec::new(),
            files: vec![RelPath::parse("src/app_test.py").unwrap()],
            named_tests: BTreeMap::new(),
            sources: Source::Tree(Digest::of(b"")),
            images: BTreeMap::new(),
            env: BTreeMap::from([("HOME".to_owned(), "/requested".to_owned())]),
            timeout: Some(Duration::from_secs(60)),
            attempts: 3,
            workers: 2,
            network: false,
            cacheable: true,
        }
    }

    #[test]
    fn user_arguments_come_first_and_the_file_last() {
        let options = PytestOptions { args: vec!["-k".to_owned(), "login".to_owned()], ..PytestOptions::default() };
        let argv = action(&test_file(), &options).command.argv;
        assert_eq!(argv[..3], ["/deps/bin/pytest", "-k", "login"]);
        assert_eq!(argv.last().unwrap(), "src/app_test.py");
        assert!(argv.contains(&"--junit-xml=/out/junit.xml".to_owned()));
    }

    #[test]
    fn a_debugged_test_has_a_terminal_and_neither_reports_nor_a_timeout_nor_a_slot() {
        let options = PytestOptions {
            debug: true,
            coverage: Some(CoverageOptions::default()),
            slot_variable: Some("SLOT".to_owned()),
            ..PytestOptions::default()
        };
        let Action { command, policy } = action(&test_file(), &options);
        assert!(command.terminal && !policy.cache.read && !policy.cache.write);
        assert_eq!((policy.timeout, policy.attempts, policy.slot_variable), (None, 1, None));
        assert_eq!(command.argv, ["/deps/bin/pytest", "src/app_test.py"]);
    }

    #[test]
    fn requested_variables_win_over_constants() {
        let env = action(&test_file(), &PytestOptions::default()).command.env;
        assert_eq!(env["HOME"], "/requested");
        assert_eq!(env["TZ"], "UTC");
    }

    #[test]
    fn a_file_without_tests_is_a_success_only_where_that_is_allowed() {
        let codes = |empty_is_fine| {
            let options = PytestOptions { empty_is_fine, ..PytestOptions::default() };
            action(&test_file(), &options).policy.cache.success_codes
        };
        assert_eq!(codes(false), [0]);
        assert_eq!(codes(true), [0, NOTHING_COLLECTED]);
    }

    #[test]
    fn the_required_coverage_is_switched_off_for_one_process() {
        let coverage = CoverageOptions {
            measured: vec!["app".to_owned()],
            config: Some(RelPath::parse("build/coverage.ini").unwrap()),
        };
        let options = PytestOptions { coverage: Some(coverage), ..PytestOptions::default() };
        let command = action(&test_file(), &options).command;
        for wanted in ["--cov=app", "--cov-fail-under=0", "--cov-config=build/coverage.ini"] {
            assert!(command.argv.contains(&wanted.to_owned()), "{:?}", command.argv);
        }
        assert_eq!(command.env["COVERAGE_FILE"], "/out/coverage");
    }

    #[test]
    fn several_files_share_a_process_and_its_workers() {
        let mut test = test_file();
        test.files.push(RelPath::parse("src/other_test.py").unwrap());
        let argv = action(&test, &PytestOptions::default()).command.argv;
        let expected = ["-n", "2", "-p", venv::TEST_RESULTS, "src/app_test.py", "src/other_test.py"];
        assert!(argv.ends_with(&expected.map(str::to_owned)), "{argv:?}");
    }

    #[test]
    fn single_tests_of_a_file_are_named_instead_of_the_file() {
        let mut test = test_file();
        test.files.push(RelPath::parse("src/other_test.py").unwrap());
        test.named_tests =
            BTreeMap::from([(test.files[0].clone(), ["T::test_b[1 2]", "test_a"].map(str::to_owned).into())]);
        let argv = action(&test, &PytestOptions::default()).command.argv;
        let expected = ["src/app_test.py::T::test_b[1 2]", "src/app_test.py::test_a", "src/other_test.py"];
        assert!(argv.ends_with(&expected.map(str::to_owned)), "{argv:?}");
    }

    #[test]
    fn a_process_with_workers_occupies_a_slot_for_each() {
        let slots = |workers| action(&TestFiles { workers, ..test_file() }, &PytestOptions::default()).policy.slots;
        assert_eq!([slots(0), slots(1), slots(3)], [1, 1, 3]);
    }

    #[test]
    fn a_success_requires_the_report_unless_pytest_writes_none() {
        let required = |debug, arg: &str| {
            let options = PytestOptions { debug, args: vec![arg.to_owned()], ..PytestOptions::default() };
            action(&test_file(), &options).policy.required_output
        };
        assert_eq!(required(false, "-v").unwrap().as_str(), JUNIT);
        assert_eq!((required(true, "-v"), required(false, "--markers")), (None, None));
    }

    #[test]
    fn a_requested_path_follows_the_scripts_of_requirements() {
        let mut test = test_file();
        test.env.insert("PATH".to_owned(), "/opt/bin:/usr/bin".to_owned());
        let env = action(&test, &PytestOptions::default()).command.env;
        assert_eq!(env["PATH"], "/deps/bin:/opt/bin:/usr/bin");
    }

    #[test]
    fn a_result_that_must_not_be_cached_is_not_read_from_the_cache() {
        let cache = action(&TestFiles { cacheable: false, ..test_file() }, &PytestOptions::default()).policy.cache;
        assert!(!cache.read && !cache.write);
    }

    #[test]
    fn tests_are_counted_by_their_names() {
        let text = "def test_a(): ...\nclass TestB:\n    async def test_c(self): ...\n    def helper(self): ...\n";
        assert_eq!(count_tests(text), 2);
    }

    #[test]
    fn a_file_with_few_tests_has_one_worker() {
        let workers = [0, 1, 10, 11, 40, 1000].map(default_workers);
        assert_eq!(workers, [1, 1, 1, 2, 4, 4]);
    }
}
