//! Test files to one pytest process: usually one file.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::{Action, CachePolicy, Share, Source};
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
    /// `[pytest].junit_family`.
    pub junit_family: String,
    /// Where coverage is measured.
    pub coverage: Option<CoverageOptions>,
    pub slot_variable: Option<String>,
    /// No tests in a file is no failure.
    pub empty_is_fine: bool,
    /// Earlier results do not count.
    pub force: bool,
    /// In the foreground, with the terminal, without reports.
    pub debug: bool,
}

#[derive(Clone, Debug, Default)]
pub struct CoverageOptions {
    /// Module names or directories; empty means everything.
    pub measured: Vec<String>,
    /// `[coverage-py].config`; without it coverage looks for its settings itself.
    pub config: Option<RelPath>,
}

/// How the tests of one process are spread by pytest-xdist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workers {
    /// Not at all.
    None,
    /// Over what the machine has to spare, up to so many.
    Idle(usize),
    Exactly(u32),
}

/// Test files that share a process, and what they need.
#[derive(Clone, Debug)]
pub struct TestFiles {
    /// The target's address, or what stands for several.
    pub label: String,
    pub files: Vec<RelPath>,
    /// The tree of the files' transitive closure.
    pub sources: Source,
    /// Relative to the build root.
    pub source_roots: Vec<RelPath>,
    /// System tree, interpreter and venv image, by mount point.
    pub images: BTreeMap<String, Source>,
    /// What the user asked to be set, by name.
    pub env: BTreeMap<String, String>,
    pub timeout: Option<Duration>,
    pub attempts: u32,
    pub workers: Workers,
    /// With the host's network.
    pub network: bool,
    /// Whether a success may stand for later runs.
    pub keep: bool,
}

pub fn action(test: &TestFiles, options: &PytestOptions) -> Action {
    Action {
        label: test.label.clone(),
        argv: argv(test, options),
        env: env(test, options),
        cwd: RelPath::root(),
        input_root: test.sources,
        images: test.images.clone(),
        outputs_at: outputs_at(),
        network: test.network,
        timeout: test.timeout.filter(|_| !options.debug),
        attempts: if options.debug { 1 } else { test.attempts },
        cache: cache(test, options),
        slot_variable: options.slot_variable.clone().filter(|_| !options.debug),
        share: share(test, options),
        interactive: options.debug,
        warm: None,
        each: None,
    }
}

fn argv(test: &TestFiles, options: &PytestOptions) -> Vec<String> {
    let mut argv = vec!["/deps/bin/pytest".to_owned()];
    argv.extend(options.args.iter().cloned());
    if let Some(config) = &options.config {
        argv.extend(["-c".to_owned(), config.to_string()]);
    }
    if !options.debug {
        argv.extend(["--color=yes", "--junit-xml=/out/junit.xml", "-o"].map(str::to_owned));
        argv.push(format!("junit_family={}", options.junit_family));
        argv.extend(match test.workers {
            Workers::None => Vec::new(),
            Workers::Idle(_) => vec!["-n".to_owned(), "auto".to_owned()],
            Workers::Exactly(count) => vec!["-n".to_owned(), count.to_string()],
        });
        argv.extend(options.coverage.iter().flat_map(coverage_args));
    }
    argv.extend(test.files.iter().map(ToString::to_string));
    argv
}

/// One file's tests cover little: the percentage that the settings ask for is asked of all of them together.
fn coverage_args(options: &CoverageOptions) -> Vec<String> {
    let mut args = ["--cov-report=", "--cov-fail-under=0"].map(str::to_owned).to_vec();
    args.extend(options.config.iter().map(|config| format!("--cov-config={config}")));
    let roots = if options.measured.is_empty() { vec![".".to_owned()] } else { options.measured.clone() };
    args.extend(roots.into_iter().map(|root| format!("--cov={root}")));
    args
}

fn env(test: &TestFiles, options: &PytestOptions) -> BTreeMap<String, String> {
    let mut env = environment::base();
    env.insert("WADERS_SOURCE_ROOTS".to_owned(), environment::source_roots(&test.source_roots));
    if options.coverage.is_some() && !options.debug {
        env.insert("COVERAGE_FILE".to_owned(), "/out/coverage".to_owned());
    }
    env.extend(test.env.clone());
    env
}

/// Files that tests write below `extra-output/` are kept.
fn outputs_at() -> BTreeMap<String, RelPath> {
    let extra = RelPath::parse("extra-output").expect("the path is clean");
    BTreeMap::from([("/src/extra-output".to_owned(), extra)])
}

/// The number that `-n auto` means, so that it is no part of the key.
fn share(test: &TestFiles, options: &PytestOptions) -> Option<Share> {
    match test.workers {
        Workers::Idle(at_most) if !options.debug => {
            Some(Share { variable: "PYTEST_XDIST_AUTO_NUM_WORKERS".to_owned(), at_most })
        }
        _ => None,
    }
}

fn cache(test: &TestFiles, options: &PytestOptions) -> CachePolicy {
    let mut good_codes = vec![0];
    if options.empty_is_fine {
        good_codes.push(NOTHING_COLLECTED);
    }
    CachePolicy { read: test.keep && !options.force, keep: test.keep, good_codes }
}

/// About how many tests a source file has: its functions that are named so. pytest-xdist needs no more workers.
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
            files: vec![RelPath::parse("src/app_test.py").unwrap()],
            sources: Source::Tree(Digest::of(b"")),
            source_roots: vec![RelPath::root(), RelPath::parse("src").unwrap()],
            images: BTreeMap::new(),
            env: BTreeMap::from([("HOME".to_owned(), "/asked/for".to_owned())]),
            timeout: Some(Duration::from_secs(60)),
            attempts: 3,
            workers: Workers::Exactly(2),
            network: false,
            keep: true,
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
            coverage: Some(CoverageOptions::default()),
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
            action(&test_file(), &options).cache.good_codes
        };
        assert_eq!(codes(false), [0]);
        assert_eq!(codes(true), [0, NOTHING_COLLECTED]);
    }

    #[test]
    fn coverage_is_asked_of_all_tests_together() {
        let coverage = CoverageOptions {
            measured: vec!["app".to_owned()],
            config: Some(RelPath::parse("build/coverage.ini").unwrap()),
        };
        let options = PytestOptions { coverage: Some(coverage), ..PytestOptions::default() };
        let action = action(&test_file(), &options);
        for wanted in ["--cov=app", "--cov-fail-under=0", "--cov-config=build/coverage.ini"] {
            assert!(action.argv.contains(&wanted.to_owned()), "{:?}", action.argv);
        }
        assert_eq!(action.env["COVERAGE_FILE"], "/out/coverage");
    }

    #[test]
    fn several_files_share_a_process_and_its_workers() {
        let mut test = test_file();
        test.files.push(RelPath::parse("src/other_test.py").unwrap());
        let argv = action(&test, &PytestOptions::default()).argv;
        assert!(argv.ends_with(&["-n", "2", "src/app_test.py", "src/other_test.py"].map(str::to_owned)), "{argv:?}");
    }

    #[test]
    fn what_the_machine_has_to_spare_is_not_in_the_arguments() {
        let test = TestFiles { workers: Workers::Idle(12), ..test_file() };
        let action = action(&test, &PytestOptions::default());
        assert!(action.argv.ends_with(&["-n", "auto", "src/app_test.py"].map(str::to_owned)), "{:?}", action.argv);
        assert_eq!(action.share.unwrap().at_most, 12);
    }

    #[test]
    fn a_result_that_must_not_be_kept_is_not_looked_for() {
        let cache = action(&TestFiles { keep: false, ..test_file() }, &PytestOptions::default()).cache;
        assert!(!cache.read && !cache.keep);
    }

    #[test]
    fn tests_are_counted_by_their_names() {
        let text = "def test_a(): ...\nclass TestB:\n    async def test_c(self): ...\n    def helper(self): ...\n";
        assert_eq!(count_tests(text), 2);
    }
}
