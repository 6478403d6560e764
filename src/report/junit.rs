//! JUnit reports: the test runner's own report if it wrote one, otherwise a generated report that gives the reason.

use std::path::{Path, PathBuf};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::base::replace_report;
use crate::report::summary::without_escapes;
use crate::report::{Status, TestResult};

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
pub fn write(dir: &Path, results: &[TestResult]) -> Result<(), Error> {
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

/// The bytes of the report on a result.
pub fn xml(result: &TestResult) -> Vec<u8> {
    match &result.junit {
        Some(bytes) => bytes.clone(),
        None => synthesized(result).into_bytes(),
    }
}

/// Contains neither a time stamp nor a host name, so that equal results give equal bytes.
fn synthesized(result: &TestResult) -> String {
    let mut status = match result.status {
        Status::Passed => TestCaseStatus::success(),
        Status::Skipped => TestCaseStatus::skipped(),
        Status::Failed(_) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        _ => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let reason = result.status.reason();
    if !reason.is_empty() {
        status.set_message(reason).set_type(result.status.name());
    }
    let mut case = TestCase::new(result.name.clone(), status);
    case.set_classname("waders").set_time(result.wall);
    case.set_system_out(without_escapes(&result.stdout));
    case.set_system_err(without_escapes(&result.stderr));
    let mut suite = TestSuite::new(result.name.clone());
    suite.add_test_case(case);
    let mut report = Report::new("waders");
    report.add_test_suite(suite);
    report.to_string().expect("a report in memory can be written")
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

    #[test]
    fn the_report_of_the_test_runner_is_copied_byte_for_byte() {
        let dir = tempfile::tempdir().unwrap();
        let failed = TestResult { junit: Some(b"<x/>".to_vec()), ..result("a:t", Status::Failed(1)) };
        let reports = dir.path().join("dist/test/reports");
        write(&reports, &[failed]).unwrap();
        assert_eq!(std::fs::read(reports.join("a.t.xml")).unwrap(), b"<x/>");
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
    fn a_report_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let error = write(&dir.path().join("file"), &[result("a:t", Status::Passed)]).unwrap_err();
        assert!(error.to_string().contains("a.t.xml"), "{error}");
    }
}
