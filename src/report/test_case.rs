//! The single tests of a JUnit report of pytest: their names, how they ended, and where they are. What a file's process did as a
//! whole is in `test_result`.

use std::ops::AddAssign;
use std::time::Duration;

use quick_junit::{Report, TestCaseStatus, XmlString};
use serde::Serialize;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseStatus {
    /// It passed.
    Passed,
    /// It, its setup or its teardown failed.
    Failed,
    /// It was skipped.
    Skipped,
    /// It failed as expected (`pytest.mark.xfail`).
    ExpectedlyFailed,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCase {
    /// The dotted module and the classes; empty if the report has none.
    pub class: String,
    /// The name of the function, with its parameters in brackets.
    pub name: String,
    /// How it ended.
    pub status: CaseStatus,
    /// The time of setup, call and teardown.
    pub wall: Duration,
    /// The file relative to the build root, if the report has it.
    pub file: Option<String>,
    /// The line of the test in the file, from 1.
    pub line: Option<usize>,
    /// The exception of a failure, usually one line; the reason why a test was skipped.
    pub message: String,
    /// The traceback of a failure as pytest prints it.
    pub details: String,
}

/// The type of a skipped test in reports of pytest that failed as expected.
const EXPECTED_FAILURE: &str = "pytest.xfail";

/// The tests of a report, in its order. `None` if it cannot be read.
pub fn parse(xml: &[u8]) -> Option<Vec<TestCase>> {
    let report = read(xml)?;
    Some(report.test_suites.iter().flat_map(|suite| &suite.test_cases).map(TestCase::new).collect())
}

/// Reads a report of pytest. `None` if it cannot be read.
pub(in crate::report) fn read(xml: &[u8]) -> Option<Report> {
    let text = String::from_utf8_lossy(xml);
    // Old versions of pytest write times without a time zone, which the reader refuses.
    let mut parts = text.split(SUITE);
    let mut without_times = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (tag, rest) = part.split_at(part.find('>')?);
        let (before, after) = match tag.split_once(TIMESTAMP) {
            Some((before, after)) => (before, after.split_once('"')?.1),
            None => (tag, ""),
        };
        without_times.extend([SUITE, before, after, rest]);
    }
    Report::deserialize(without_times.as_bytes()).ok()
}

const SUITE: &str = "<testsuite ";
const TIMESTAMP: &str = " timestamp=\"";

impl TestCase {
    fn new(case: &quick_junit::TestCase) -> TestCase {
        let (status, message, details) = match &case.status {
            TestCaseStatus::Success { .. } => (CaseStatus::Passed, &None, &None),
            TestCaseStatus::NonSuccess { message, description, .. } => (CaseStatus::Failed, message, description),
            TestCaseStatus::Skipped { ty, message, .. } => match ty.as_ref().map(|ty| ty.as_str()) {
                Some(EXPECTED_FAILURE) => (CaseStatus::ExpectedlyFailed, message, &None),
                _ => (CaseStatus::Skipped, message, &None),
            },
        };
        let text = |text: &Option<XmlString>| text.as_ref().map(|text| text.as_str().to_owned()).unwrap_or_default();
        let extra = |name: &str| case.extra.get(name).map(|value| value.as_str().to_owned());
        TestCase {
            class: text(&case.classname),
            name: case.name.as_str().to_owned(),
            status,
            wall: case.time.unwrap_or_default(),
            file: extra("file"),
            line: extra("line").and_then(|line| line.parse().ok()),
            message: without_colours(&text(message)),
            details: without_colours(&text(details)),
        }
    }

    /// The name that pytest accepts on its command line, `a/b_test.py::TestC::test_d[1]`, if the report has the file; otherwise
    /// `a.b_test.TestC::test_d[1]`.
    pub fn id(&self) -> String {
        let by_class = || match self.class.is_empty() {
            true => self.name.clone(),
            false => format!("{}::{}", self.class, self.name),
        };
        let Some(file) = &self.file else { return by_class() };
        // The root directory of pytest can be below the build root, so the module can have fewer parts than the path.
        let module = file.trim_end_matches(".py").replace('/', ".");
        let parts: Vec<&str> = self.class.split('.').collect();
        let is_module = |length: &usize| {
            let name = parts[..*length].join(".");
            module.strip_suffix(name.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        match (1..=parts.len()).rev().find(is_module) {
            Some(length) => [&[file.as_str()], &parts[length..], &[&self.name]].concat().join("::"),
            None => by_class(),
        }
    }

    /// The line where the test failed in its own file, or else where the test begins.
    pub fn failed_line(&self) -> Option<usize> {
        let file = self.file.as_deref()?;
        // The last line of each entry of a traceback, `a/b_test.py:12: AssertionError`. The last one is the innermost.
        let in_file = |line: &str| line.strip_prefix(file)?.strip_prefix(':')?.split(':').next()?.parse().ok();
        self.details.lines().rev().find_map(in_file).or(self.line)
    }
}

/// Removes the colours of pytest, which writes the escape character as `#x1B` because XML cannot contain it.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("#x1B[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('m').filter(|(code, _)| code.chars().all(|c| c.is_ascii_digit() || c == ';')) {
            Some((_, rest)) => out.push_str(rest),
            None => out.extend(["#x1B[", part]),
        }
    }
    out
}

/// How many tests ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CaseCounts {
    /// The tests that passed.
    pub passed: usize,
    /// Those that failed, or whose setup or teardown failed.
    pub failed: usize,
    /// Those that were skipped.
    pub skipped: usize,
    /// Those that failed as expected.
    pub xfailed: usize,
}

impl CaseCounts {
    /// Counts these tests.
    pub fn of(cases: &[TestCase]) -> CaseCounts {
        let count = |status| cases.iter().filter(|case| case.status == status).count();
        CaseCounts {
            passed: count(CaseStatus::Passed),
            failed: count(CaseStatus::Failed),
            skipped: count(CaseStatus::Skipped),
            xfailed: count(CaseStatus::ExpectedlyFailed),
        }
    }
}

impl AddAssign for CaseCounts {
    fn add_assign(&mut self, other: CaseCounts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.xfailed += other.xfailed;
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    const REPORT: &str = r#"<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="2" tests="5" time="0.042" timestamp="2026-11-29T21:00:00.000000+00:00" hostname="waders"><testcase classname="a.b_test" name="test_c[x &amp; y]" time="1.500" file="src/a/b_test.py" line="3" /><testcase classname="a.b_test.TestD" name="test_d" time="0.001" file="src/a/b_test.py" line="7"><failure message="assert False">def test_d
src/a/b_test.py:9: 
src/a/lib.py:2: AssertionError</failure></testcase><testcase classname="a.b_test" name="test_e" time="0.000"><skipped type="pytest.skip" message="no">no</skipped></testcase><testcase classname="a.b_test" name="test_f" time="0.000"><skipped type="pytest.xfail" message="known" /></testcase><testcase classname="" name="a.c_test" time="0.000"><error message="collection failure">E</error></testcase></testsuite></testsuites>"#;

    #[test]
    fn tests_have_a_status_a_place_and_a_time() {
        let cases = parse(REPORT.as_bytes()).unwrap();
        assert_eq!(CaseCounts::of(&cases), CaseCounts { passed: 1, failed: 2, skipped: 1, xfailed: 1 });
        assert_eq!((cases[0].wall, cases[0].line), (Duration::from_millis(1500), Some(3)));
        assert_eq!((cases[1].message.as_str(), cases[4].message.as_str()), ("assert False", "collection failure"));
        assert_eq!(parse(b"<testsuites><testsuite"), None);
    }

    #[test]
    fn the_id_is_what_pytest_accepts() {
        let ids: Vec<String> = parse(REPORT.as_bytes()).unwrap().iter().map(TestCase::id).collect();
        let expected = [
            "src/a/b_test.py::test_c[x & y]",
            "src/a/b_test.py::TestD::test_d",
            "a.b_test::test_e",
            "a.b_test::test_f",
        ];
        assert_eq!(ids[..4], expected);
        assert_eq!(ids[4], "a.c_test");
    }

    #[test]
    fn a_test_of_another_module_keeps_its_class() {
        let case = TestCase { class: "xb_test.T".into(), ..parse(REPORT.as_bytes()).unwrap().swap_remove(0) };
        assert_eq!(case.id(), "xb_test.T::test_c[x & y]");
    }

    #[test]
    fn reports_of_old_versions_have_times_without_a_zone() {
        let old = REPORT.replace("+00:00", "").replace("E</error>", " timestamp=\"x\" &lt;testsuite </error>");
        assert_eq!(parse(old.as_bytes()).unwrap().len(), 5);
        for text in ["", "<testsuite ", "<testsuite timestamp=\"", "<testsuites><testsuite name=\"a\" timestamp=\"1>"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn colours_of_pytest_are_removed() {
        let check = |text: &str, expected: &str| assert_eq!(without_colours(text), expected);
        check("#x1B[0m#x1B[91m- plain#x1B[39;49;00m#x1B[90m\nx", "- plain\nx");
        check("#x1B[", "#x1B[");
        check("a #x1B[2J b m #x1B", "a #x1B[2J b m #x1B");
        check("", "");
    }

    #[test]
    fn a_failure_is_at_the_innermost_line_of_the_file_of_the_test() {
        let mut case = parse(REPORT.as_bytes()).unwrap().swap_remove(1);
        assert_eq!(case.failed_line(), Some(9));
        case.details.clear();
        assert_eq!(case.failed_line(), Some(7));
    }
}
