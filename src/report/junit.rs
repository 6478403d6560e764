//! JUnit reports: the test runner's own report if it wrote one, otherwise a generated report that gives the reason. A report
//! never shows success for a process that failed.

use std::path::{Path, PathBuf};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::base::replace_report;
use crate::report::escapes::without_escapes;
use crate::report::{Status, TestResult, test_case};

/// Why reports could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A report file cannot be written.
    #[error("cannot write the report `{path}`", path = path.display())]
    Write {
        /// The report's file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// Writes one file for each result below `dir`, which is created if it is missing. Each file is replaced in one step.
pub fn write<'r>(dir: &Path, results: impl IntoIterator<Item = &'r TestResult>) -> Result<(), Error> {
    for result in results {
        let path = dir.join(file_name(&result.addresses));
        write_file(dir, &path, &xml(result)).map_err(|source| Error::Write { path, source })?;
    }
    Ok(())
}

/// The file name of the report on these addresses, the same as with Pants: `a.b_test.py.t.xml`, and for a batch
/// `batch-of-a.b_test.py.t+2-files.xml`.
pub fn file_name(addresses: &[String]) -> String {
    match addresses {
        [] => "nothing.xml".to_owned(),
        [one] => format!("{}.xml", path_safe(one)),
        [first, others @ ..] => format!("batch-of-{}+{}-files.xml", path_safe(first), others.len()),
    }
}

/// Converts an address to a single path component that is distinct for each address: `a/b_test.py:../t` is `a.b_test.py@t`.
pub fn path_safe(address: &str) -> String {
    let address = address.trim_start_matches('/').replacen('@', "@@", 1).replace('#', "@");
    let (path, target) = address.split_once(':').unwrap_or((&address, ""));
    let name = target.trim_start_matches("../");
    let climbs = (target.len() - name.len()) / "../".len();
    let separator = if climbs > 0 { "@".repeat(climbs) } else { ".".to_owned() };
    let joined = if target.is_empty() { path.to_owned() } else { format!("{path}{separator}{name}") };
    let keep = |c: char| if c.is_alphanumeric() || "._-@=,+".contains(c) { c } else { '.' };
    let safe: String = joined.chars().map(keep).collect();
    // A leading dot would make the report of a target in the build root a hidden file.
    safe.trim_start_matches('.').to_owned()
}

/// The bytes of the report on a result. The test runner's report is copied byte for byte unless the process failed and the
/// report contains neither a failure nor an error: pytest ends so if it is interrupted at a timeout. A test suite with the
/// error is then appended.
pub fn xml(result: &TestResult) -> Vec<u8> {
    let generated = || generate(result).into_bytes();
    match &result.junit {
        None => generated(),
        Some(bytes) if !result.has_failed() => bytes.clone(),
        Some(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            match text.trim_end().strip_suffix(ROOT_END) {
                Some(_) if ["<failure", "<error"].iter().any(|element| text.contains(element)) => bytes.clone(),
                Some(suites) => format!("{suites}{}{ROOT_END}\n", generated_suites(result)).into_bytes(),
                // The process was killed while it wrote the report.
                None => generated(),
            }
        }
    }
}

/// The names of the tests of a report, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestNames {
    /// Those that passed.
    pub passed: Vec<String>,
    /// Those that were skipped.
    pub skipped: Vec<String>,
    /// Those with a failure or an error.
    pub failed: Vec<String>,
}

/// The names of the tests of a report of pytest, as `class::name`. `None` if it cannot be read.
pub fn test_names(xml: &[u8]) -> Option<TestNames> {
    let report = test_case::read(xml)?;
    let mut names = TestNames::default();
    for case in report.test_suites.iter().flat_map(|suite| &suite.test_cases) {
        let list = match case.status {
            TestCaseStatus::Success { .. } => &mut names.passed,
            TestCaseStatus::NonSuccess { .. } => &mut names.failed,
            TestCaseStatus::Skipped { .. } => &mut names.skipped,
        };
        let class = case.classname.as_ref().map(|class| format!("{}::", class.as_str())).unwrap_or_default();
        list.push(format!("{class}{}", case.name.as_str()));
    }
    Some(names)
}

/// The end of the root element of a report.
const ROOT_END: &str = "</testsuites>";

/// A report with one test case for each file. It contains neither a time stamp nor a host name, so that equal results give
/// equal bytes.
fn generate(result: &TestResult) -> String {
    let mut suite = TestSuite::new(result.name.clone());
    for (index, address) in result.addresses.iter().enumerate() {
        let mut case = TestCase::new(address.clone(), case_status(&result.status));
        case.set_classname("waders");
        if let Some(file) = result.files.get(index) {
            case.extra.insert("file".into(), file.as_str().into());
        }
        // The files of a batch share the time and the output of one process.
        if index == 0 {
            case.set_time(result.wall);
            case.set_system_out(without_escapes(&result.stdout).as_ref());
            case.set_system_err(without_escapes(&result.stderr).as_ref());
        }
        suite.add_test_case(case);
    }
    let mut report = Report::new("waders");
    report.add_test_suite(suite);
    report.to_string().expect("a report in memory can be written")
}

/// The elements below the root of the generated report.
fn generated_suites(result: &TestResult) -> String {
    let report = generate(result);
    let begin = report.find("<testsuite ").unwrap_or(0);
    report[begin..].trim_end().trim_end_matches(ROOT_END).to_owned()
}

fn case_status(status: &Status) -> TestCaseStatus {
    let mut case = match status {
        Status::Passed => TestCaseStatus::success(),
        Status::Skipped => TestCaseStatus::skipped(),
        _ => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let reason = status.reason();
    if !reason.is_empty() {
        case.set_message(reason).set_type(status.name());
    }
    case
}

fn write_file(dir: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    replace_report(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_result::tests::result;
    use std::time::Duration;

    #[test]
    fn file_names_are_the_same_as_with_pants() {
        for (address, expected) in [
            ("tests/a/test_x.py:tests", "tests.a.test_x.py.tests"),
            ("tests/a/test_x.py", "tests.a.test_x.py"),
            ("tests/a/test_x.py:../../tests", "tests.a.test_x.py@@tests"),
            ("//:root", "root"),
            ("a:t@b=c,k=v", "a.t@@b=c,k=v"),
            ("a:t#g/h", "a.t@g.h"),
            ("a:t@k=/../b c", "a.t@@k=....b.c"),
        ] {
            assert_eq!(path_safe(address), expected, "{address}");
        }
        let addresses = ["a/b_test.py:t".to_owned(), "a/c_test.py:t".to_owned()];
        assert_eq!(file_name(&addresses[..1]), "a.b_test.py.t.xml");
        assert_eq!(file_name(&addresses), "batch-of-a.b_test.py.t+1-files.xml");
    }

    const FAILED: &str = "<testsuites><testsuite><testcase><failure/></testcase></testsuite></testsuites>";
    const GREEN: &str = r#"<testsuites><testsuite errors="0"><testcase name="a"/></testsuite></testsuites>"#;

    fn with_junit(status: Status, junit: &str) -> TestResult {
        TestResult { junit: Some(junit.into()), files: vec!["a/a_test.py".to_owned()], ..result("a:t", status) }
    }

    #[test]
    fn the_report_of_the_test_runner_is_copied_byte_for_byte() {
        for (status, junit) in [(Status::Failed(1), FAILED), (Status::Passed, GREEN), (Status::Passed, "<x/>")] {
            assert_eq!(xml(&with_junit(status, junit)), junit.as_bytes());
        }
        let dir = tempfile::tempdir().unwrap();
        let reports = dir.path().join("dist/test/reports");
        write(&reports, &[with_junit(Status::Failed(1), FAILED)]).unwrap();
        assert_eq!(std::fs::read(reports.join("a.t.xml")).unwrap(), FAILED.as_bytes());
        assert_eq!(std::fs::read_dir(&reports).unwrap().count(), 1);
    }

    #[test]
    fn a_timeout_without_a_report_gets_a_generated_one() {
        let slow = TestResult {
            stdout: "so far\u{1b}[0m \u{0} & <".into(),
            ..result("a:t", Status::TimedOut { after: Duration::from_secs(60) })
        };
        let text = String::from_utf8(xml(&slow)).unwrap();
        let wanted = r#"<testcase name="a:t" classname="waders" time="1.234">"#;
        assert!(text.contains(wanted) && text.contains(r#"errors="1""#), "{text}");
        assert!(text.contains(r#"message="exceeded its timeout of 60.0 seconds" type="timed-out""#), "{text}");
        assert!(text.contains("so far") && text.contains("&amp; &lt;"), "{text}");
        assert_eq!(xml(&slow), xml(&slow));
    }

    #[test]
    fn a_failed_process_is_an_error_also_if_the_report_shows_only_success() {
        let error = r#"<error message="exceeded its timeout of 5.0 seconds" type="timed-out"/>"#;
        let case = r#"<testcase name="a:t" classname="waders" time="1.234" file="a/a_test.py">"#;
        for junit in [GREEN, "<testsuites><testsuite><testcase"] {
            let slow = with_junit(Status::TimedOut { after: Duration::from_secs(5) }, junit);
            let text = String::from_utf8(xml(&slow)).unwrap();
            assert!(text.contains(error) && text.contains(case), "{text}");
            assert_eq!((text.matches(ROOT_END).count(), text.matches("<testsuites").count()), (1, 1), "{text}");
            assert_eq!(text.contains(r#"<testcase name="a"/>"#), junit == GREEN, "{text}");
        }
    }

    #[test]
    fn the_tests_in_a_report_of_pytest_are_listed() {
        let xml = r#"<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="1" skipped="1" tests="3" time="0.042" timestamp="2026-11-29T21:00:00.000000+00:00" hostname="waders"><testcase classname="a.b_test" name="test_c[x &amp; y]" time="0.001" /><testcase classname="a.b_test" name="test_d" time="0.001"><failure message="assert False">def test_d</failure></testcase><testcase classname="" name="test_e" time="0.000"><skipped type="pytest.skip" message="no">no</skipped></testcase></testsuite></testsuites>"#;
        let names = test_names(xml.as_bytes()).unwrap();
        assert_eq!(names.passed, ["a.b_test::test_c[x & y]"]);
        assert_eq!(names.failed, ["a.b_test::test_d"]);
        assert_eq!(names.skipped.len(), 1, "{names:?}");
        assert_eq!(test_names(b"<testsuites><testsuite"), None);
    }

    #[test]
    fn every_file_of_a_batch_that_did_not_run_is_an_error() {
        let addresses = ["a.py:t".to_owned(), "b.py:t".to_owned()];
        let text = String::from_utf8(xml(&TestResult::not_run(&addresses, "no interpreter"))).unwrap();
        for wanted in [r#"errors="2""#, r#"name="a.py:t""#, r#"name="b.py:t""#, r#"message="no interpreter""#] {
            assert!(text.contains(wanted), "{text}");
        }
    }

    #[test]
    fn a_report_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let error = write(&dir.path().join("file"), &[result("a:t", Status::Passed)]).unwrap_err();
        assert!(error.to_string().contains("a.t.xml"), "{error}");
    }
}
