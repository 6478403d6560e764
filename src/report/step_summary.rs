//! The summary of a test run in Markdown, which GitHub Actions shows on the page of a run. Annotations are in `github`.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use crate::report::escapes::without_escapes;
use crate::report::test_case::CaseStatus;
use crate::report::test_result::TestResult;
use crate::report::test_totals::TestTotals;

/// GitHub shows no summary of a step that has more bytes than 1 MiB. This much is for details.
const DETAILS_BYTES: usize = 512 << 10;

/// The largest part of one traceback that is shown: its end, where the assertion is.
const TRACEBACK_BYTES: usize = 16 << 10;

/// The number of failures that are listed; the others are counted.
const LISTED: usize = 100;

/// A failed test, or a process that failed without a failed test.
struct Failed<'r> {
    name: String,
    message: Cow<'r, str>,
    details: &'r str,
}

/// Renders the summary, with a final newline.
pub fn render(command: &str, results: &[TestResult], elapsed: Duration) -> String {
    let failed: Vec<Failed<'_>> = results.iter().flat_map(failures).collect();
    let mark = if failed.is_empty() { "✅" } else { "❌" };
    let mut text = format!("### {mark} `{command} test`\n\n{}\n", TestTotals::of(results).line(elapsed));
    if !failed.is_empty() {
        text.push_str("\n| failed | reason |\n|---|---|\n");
        for Failed { name, message, .. } in failed.iter().take(LISTED) {
            let reason = message.lines().next().unwrap_or_default();
            writeln!(text, "| {} | {} |", cell(name), cell(reason)).expect("a String takes all writes");
        }
        if failed.len() > LISTED {
            writeln!(text, "\n{} more tests failed.", failed.len() - LISTED).expect("a String takes all writes");
        }
        push_details(&mut text, &failed);
    }
    let flaky: Vec<&TestResult> = results.iter().filter(|result| result.is_flaky()).collect();
    if !flaky.is_empty() {
        text.push_str("\n| flaky | attempts |\n|---|---|\n");
        for result in flaky {
            writeln!(text, "| {} | {} |", cell(&result.name), result.attempts).expect("a String takes all writes");
        }
    }
    text
}

/// The failed tests of a process. If none failed, but the process did, it is the process.
fn failures(result: &TestResult) -> Vec<Failed<'_>> {
    let cases = result.cases.iter().flatten().filter(|case| case.status == CaseStatus::Failed);
    let failed: Vec<Failed<'_>> = cases
        .map(|case| Failed { name: case.id(), message: Cow::from(&case.message), details: &case.details })
        .collect();
    match failed.is_empty() && result.has_failed() {
        true => {
            vec![Failed { name: result.name.clone(), message: result.status.reason().into(), details: &result.stdout }]
        }
        false => failed,
    }
}

/// Appends the tracebacks, each below a heading that opens it, as long as there is room.
fn push_details(text: &mut String, failed: &[Failed<'_>]) {
    let limit = text.len() + DETAILS_BYTES;
    for Failed { name, details, .. } in failed.iter().filter(|failed| !failed.details.trim().is_empty()).take(LISTED) {
        let details = without_escapes(details);
        let mut begin = details.len().saturating_sub(TRACEBACK_BYTES);
        while !details.is_char_boundary(begin) {
            begin += 1;
        }
        let details = details[begin..].trim_end();
        if text.len() + details.len() > limit {
            text.push_str("\nFurther details are in the log.\n");
            return;
        }
        let fence = fence(details);
        write!(text, "\n<details><summary>{}</summary>\n\n{fence}\n{details}\n{fence}\n\n</details>\n", html(name))
            .expect("a String takes all writes");
    }
}

/// More backticks than any line of the text begins with.
fn fence(text: &str) -> String {
    let longest = text.lines().map(|line| line.trim_start().chars().take_while(|c| *c == '`').count()).max();
    "`".repeat(longest.unwrap_or(0).max(2) + 1)
}

/// A text as a cell of a table: in one line, without markup.
fn cell(text: &str) -> String {
    let escaped: String = html(&without_escapes(text)).replace('|', "&#124;").replace('\n', " ");
    escaped.chars().fold(String::new(), |mut out, c| {
        if matches!(c, '*' | '_' | '`' | '[' | ']' | '\\' | '~') {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Status;
    use crate::report::test_case::TestCase;
    use crate::report::test_result::tests::result;

    fn failed(name: &str, details: &str) -> TestResult {
        let case = TestCase {
            class: "a_test".to_owned(),
            name: name.to_owned(),
            status: CaseStatus::Failed,
            wall: Duration::ZERO,
            file: Some("src/a_test.py".to_owned()),
            line: Some(3),
            message: "assert 1 == 2\n + where 1".to_owned(),
            details: details.to_owned(),
        };
        TestResult { cases: Some(vec![case]), ..result("src/a_test.py", Status::Failed(1)) }
    }

    #[test]
    fn failed_tests_are_listed_with_their_reason_and_traceback() {
        let results = [failed("test_a[x|y]", "E  assert 1\n"), result("src/b_test.py", Status::Passed)];
        let expected = "### ❌ `waders test`\n\n1 file passed, 1 failed: 1 test failed in 2.00s\n\n\
                        | failed | reason |\n|---|---|\n\
                        | src/a\\_test.py::test\\_a\\[x&#124;y\\] | assert 1 == 2 |\n\n\
                        <details><summary>src/a_test.py::test_a[x|y]</summary>\n\n```\nE  assert 1\n```\n\n</details>\n";
        assert_eq!(render("waders", &results, Duration::from_secs(2)), expected);
    }

    #[test]
    fn a_process_without_a_failed_test_is_listed_itself() {
        let slow = TestResult {
            attempts: 2,
            ..result("src/a_test.py:tests", Status::TimedOut { after: Duration::from_secs(5) })
        };
        let again = TestResult { attempts: 3, ..result("b", Status::Passed) };
        let text = render("waders", &[slow, again], Duration::ZERO);
        assert!(text.contains("| src/a\\_test.py:tests | exceeded its timeout of 5.0 seconds |"), "{text}");
        assert!(text.ends_with("| flaky | attempts |\n|---|---|\n| b | 3 |\n"), "{text}");
        let text = render("waders", &[result("b", Status::Passed)], Duration::ZERO);
        assert_eq!(text, "### ✅ `waders test`\n\n1 file passed in 0.00s\n");
    }

    #[test]
    fn output_of_tests_ends_no_block_and_stays_below_the_limit() {
        let text = render("waders", &[failed("t", "````\n</details><script>\n")], Duration::ZERO);
        assert!(text.contains("\n`````\n````\n</details><script>\n`````\n"), "{text}");
        let huge = "é".repeat(1 << 20);
        let results: Vec<TestResult> = (0..200).map(|_| failed("t", &huge)).collect();
        let text = render("waders", &results, Duration::ZERO);
        assert!(text.len() < 1 << 20 && text.contains("100 more tests failed."), "{}", text.len());
        assert!(text.contains("Further details are in the log."));
    }
}
