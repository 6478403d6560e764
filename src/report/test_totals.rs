//! The last lines of a test run: how many files and tests ended in which way, which tests were the slowest, and which files
//! passed only when they were repeated. The lines about single files are in `summary`.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::action::Origin;
use crate::report::Status;
use crate::report::test_case::{CaseCounts, TestCase};
use crate::report::test_result::TestResult;

/// A test is listed among the slowest if it took at least this long.
const SLOW: Duration = Duration::from_secs(1);

/// How many files and tests ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TestTotals {
    /// The processes, usually one for each file.
    pub files: FileCounts,
    /// The tests of all reports. The tests of a file without a report are not known.
    pub tests: CaseCounts,
}

/// How many processes ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileCounts {
    /// Those that passed, the cached ones included.
    pub passed: usize,
    /// Those that passed and did not run now.
    pub cached: usize,
    /// Those that passed after a repetition.
    pub flaky: usize,
    /// Those that failed, were killed, or wrote no report.
    pub failed: usize,
    /// Those without tests.
    pub skipped: usize,
    /// Those that the user interrupted.
    pub interrupted: usize,
    /// Those that did not start, and those that the failure of another one ended.
    pub not_run: usize,
}

impl TestTotals {
    /// Counts these results.
    pub fn of(results: &[TestResult]) -> TestTotals {
        let count = |wanted: &dyn Fn(&TestResult) -> bool| results.iter().filter(|result| wanted(result)).count();
        let has_passed = |result: &TestResult| result.status == Status::Passed;
        let was_interrupted = |result: &TestResult| result.status == Status::Interrupted;
        let mut tests = CaseCounts::default();
        for cases in results.iter().filter_map(|result| result.cases.as_ref()) {
            tests += CaseCounts::of(cases);
        }
        let files = FileCounts {
            passed: count(&has_passed),
            cached: count(&|result| has_passed(result) && result.origin.is_some_and(Origin::is_cached)),
            flaky: count(&TestResult::is_flaky),
            failed: count(&|result| result.has_failed() && !result.was_not_run() && !was_interrupted(result)),
            skipped: count(&|result| result.status == Status::Skipped),
            interrupted: count(&was_interrupted),
            not_run: count(&|result| result.was_not_run() || result.was_stopped()),
        };
        TestTotals { files, tests }
    }

    /// The line in green if everything passed, in red if something failed, and otherwise in yellow.
    pub fn coloured_line(&self, elapsed: Duration, colour: bool) -> String {
        let FileCounts { passed, failed, interrupted, not_run, .. } = self.files;
        let shown = match (failed + interrupted + not_run, passed) {
            (0, 1..) => AnsiColor::Green,
            (0, 0) => AnsiColor::Yellow,
            _ => AnsiColor::Red,
        };
        let style = if colour { Style::new().bold().fg_color(Some(shown.into())) } else { Style::new() };
        format!("{style}{}{style:#}", self.line(elapsed))
    }

    /// Renders `57 files passed (55 cached), 1 failed: 640 tests passed, 2 failed, 3 skipped in 4.31s`.
    pub fn line(&self, elapsed: Duration) -> String {
        let TestTotals { files, tests } = self;
        let cached = if files.cached > 0 { format!("passed ({} cached)", files.cached) } else { "passed".to_owned() };
        let of_files = counted(
            "file",
            &[
                (files.passed, &cached),
                (files.failed, "failed"),
                (files.skipped, "skipped"),
                (files.interrupted, "interrupted"),
                (files.not_run, "not run"),
            ],
        );
        let of_tests = counted(
            "test",
            &[
                (tests.passed, "passed"),
                (tests.failed, "failed"),
                (tests.skipped, "skipped"),
                (tests.xfailed, "xfailed"),
            ],
        );
        let separator = if of_tests.is_empty() { "" } else { ": " };
        format!("{of_files}{separator}{of_tests} in {:.2}s", elapsed.as_secs_f64())
    }
}

/// Renders `2 files passed, 1 failed`: the first number has the noun, and numbers that are 0 are left out.
fn counted(noun: &str, numbers: &[(usize, &str)]) -> String {
    let positive: Vec<&(usize, &str)> = numbers.iter().filter(|(number, _)| *number > 0).collect();
    let phrase = |(index, (number, words)): (usize, &&(usize, &str))| match index {
        0 => format!("{number} {noun}{} {words}", if *number == 1 { "" } else { "s" }),
        _ => format!("{number} {words}"),
    };
    positive.iter().enumerate().map(phrase).collect::<Vec<_>>().join(", ")
}

/// Renders the slowest tests of the processes that ran now, at most `limit`; `None` if no test was slow.
pub fn slowest_block(results: &[TestResult], limit: usize) -> Option<String> {
    let ran = results.iter().filter(|result| result.origin.is_some_and(|origin| !origin.is_cached()));
    let cases = ran.filter_map(|result| result.cases.as_ref()).flatten();
    let mut slow: Vec<&TestCase> = cases.filter(|case| case.wall >= SLOW).collect();
    slow.sort_by(|a, b| b.wall.cmp(&a.wall).then_with(|| a.id().cmp(&b.id())));
    slow.truncate(limit);
    let lines = slow.iter().map(|case| format!("\n{:>8.2}s {}", case.wall.as_secs_f64(), case.id()));
    (!slow.is_empty()).then(|| format!("Slowest tests:{}", lines.collect::<String>()))
}

/// Renders the files that passed only when they were repeated; `None` if there are none.
pub fn flaky_block(results: &[TestResult]) -> Option<String> {
    let flaky = results.iter().filter(|result| result.is_flaky());
    let lines: String = flaky.map(|result| format!("\n    {} (attempt {})", result.name, result.attempts)).collect();
    (!lines.is_empty()).then(|| format!("Flaky tests, which passed only when they were repeated:{lines}"))
}

/// Renders how many processes the first failure stopped; `None` if it stopped none.
pub fn stopped_line(results: &[TestResult]) -> Option<String> {
    match results.iter().filter(|result| result.was_stopped()).count() {
        0 => None,
        1 => Some("Stopped after the first failure: 1 file did not run (`--fail-fast`)".to_owned()),
        count => Some(format!("Stopped after the first failure: {count} files did not run (`--fail-fast`)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_case::CaseStatus;
    use crate::report::test_result::tests::result;

    fn case(name: &str, seconds: f64, status: CaseStatus) -> TestCase {
        TestCase {
            class: "a_test".to_owned(),
            name: name.to_owned(),
            status,
            wall: Duration::from_secs_f64(seconds),
            file: Some("src/a_test.py".to_owned()),
            line: Some(1),
            message: String::new(),
            details: String::new(),
        }
    }

    fn with_cases(status: Status, cases: &[TestCase]) -> TestResult {
        TestResult { cases: Some(cases.to_vec()), ..result("src/a_test.py", status) }
    }

    fn check(results: &[TestResult], expected: &str) {
        assert_eq!(TestTotals::of(results).line(Duration::from_millis(4312)), expected);
    }

    #[test]
    fn totals_mention_only_what_occurred() {
        let cached = TestResult { origin: Some(Origin::Cached), ..result("a", Status::Passed) };
        let [passed, failed, skipped] =
            [Status::Passed, Status::Failed(1), Status::Skipped].map(|status| result("b", status));
        check(
            &[cached, passed.clone(), failed.clone(), skipped],
            "2 files passed (1 cached), 1 failed, 1 skipped in 4.31s",
        );
        check(std::slice::from_ref(&failed), "1 file failed in 4.31s");
        check(
            &[result("a", Status::Interrupted), TestResult::not_run(&["b".to_owned()], "x")],
            "1 file interrupted, 1 not run in 4.31s",
        );
        check(&[failed.clone(), result("c", Status::Stopped)], "1 file failed, 1 not run in 4.31s");
        let tests = [CaseStatus::Passed, CaseStatus::Failed, CaseStatus::Skipped, CaseStatus::ExpectedlyFailed]
            .map(|status| case("t", 0.1, status));
        let results = [with_cases(Status::Failed(1), &tests), with_cases(Status::Passed, &tests[..1]), failed];
        check(&results, "1 file passed, 2 failed: 2 tests passed, 1 failed, 1 skipped, 1 xfailed in 4.31s");
        check(&[with_cases(Status::Failed(1), &tests[1..2])], "1 file failed: 1 test failed in 4.31s");
        check(&[with_cases(Status::Passed, &tests[2..3])], "1 file passed: 1 test skipped in 4.31s");
        check(&[with_cases(Status::Skipped, &[])], "1 file skipped in 4.31s");
    }

    #[test]
    fn the_line_has_the_colour_of_the_worst_result() {
        let check = |statuses: &[Status], code: &str| {
            let results: Vec<TestResult> = statuses.iter().map(|status| result("a", status.clone())).collect();
            let line = TestTotals::of(&results).coloured_line(Duration::ZERO, true);
            assert!(line.starts_with(code) && line.ends_with("0.00s\u{1b}[0m"), "{line:?}");
        };
        check(&[Status::Passed, Status::Skipped], "\u{1b}[1m\u{1b}[32m1 file passed");
        check(&[Status::Skipped], "\u{1b}[1m\u{1b}[33m1 file skipped");
        check(&[Status::Passed, Status::Failed(1)], "\u{1b}[1m\u{1b}[31m1 file passed");
    }

    #[test]
    fn only_slow_tests_that_ran_now_are_listed() {
        let slow = [
            case("b", 1.5, CaseStatus::Passed),
            case("a", 12.345, CaseStatus::Failed),
            case("c", 0.99, CaseStatus::Passed),
        ];
        let ran = with_cases(Status::Failed(1), &slow);
        let cached = TestResult { origin: Some(Origin::CachedRemotely), ..ran.clone() };
        let block = slowest_block(&[ran.clone(), cached.clone()], 3).unwrap();
        assert_eq!(block, "Slowest tests:\n   12.35s src/a_test.py::a\n    1.50s src/a_test.py::b");
        assert_eq!(slowest_block(std::slice::from_ref(&ran), 1).unwrap().lines().count(), 2);
        assert_eq!((slowest_block(&[cached], 3), slowest_block(&[ran], 0)), (None, None));
    }

    #[test]
    fn a_test_that_passed_at_a_later_attempt_is_flaky() {
        let again = |status| TestResult { attempts: 2, ..result("a.py:t", status) };
        let block =
            flaky_block(&[again(Status::Passed), again(Status::Failed(1)), result("b", Status::Passed)]).unwrap();
        assert_eq!(block, "Flaky tests, which passed only when they were repeated:\n    a.py:t (attempt 2)");
        assert_eq!(flaky_block(&[again(Status::Failed(1))]), None);
    }
}
