//! Findings and failed tests as GitHub workflow commands: GitHub annotates the lines with them.

use crate::report::finding::{Finding, Level};
use crate::report::test_case::CaseStatus;
use crate::report::test_result::TestResult;

/// Renders `::error file=a.py,line=3,col=1,title=flake8 F401::unused`, without a final newline.
pub fn annotation(tool: &str, finding: &Finding) -> String {
    let title = finding.code.as_ref().map_or_else(|| tool.to_owned(), |code| format!("{tool} {code}"));
    command(finding, &title)
}

/// Renders an annotation for each failed test of a process, at the line where it failed. If the process failed without a failed test, it
/// has one for each of its files; if it passed only when it was repeated, a warning.
pub fn test_annotations(result: &TestResult) -> Vec<String> {
    let of_files = |level, message: &str| {
        let finding = |file: &String| Finding { level, ..Finding::for_file(file, message.to_owned()) };
        result.files.iter().map(|file| command(&finding(file), &result.name)).collect()
    };
    if result.is_flaky() {
        return of_files(Level::Warning, &format!("flaky: passed at attempt {}", result.attempts));
    }
    let failed = result.cases.iter().flatten().filter(|case| case.status == CaseStatus::Failed);
    let annotations: Vec<String> = failed
        .map(|case| {
            let file = case.file.as_ref().or(result.files.first()).cloned().unwrap_or_default();
            let line = case.failed_line().and_then(|line| u32::try_from(line).ok());
            command(&Finding { line, ..Finding::for_file(&file, case.message.clone()) }, &case.id())
        })
        .collect();
    match annotations.is_empty() && result.has_failed() {
        true => of_files(Level::Error, &result.status.reason()),
        false => annotations,
    }
}

fn command(finding: &Finding, title: &str) -> String {
    let mut properties = vec![format!("file={}", property(&finding.file))];
    properties.extend(finding.line.map(|line| format!("line={line}")));
    properties.extend(finding.column.map(|column| format!("col={column}")));
    properties.push(format!("title={}", property(title)));
    let command = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    format!("::{command} {}::{}", properties.join(","), data(&finding.message))
}

/// Escapes what would end a line (documented in "Workflow commands for GitHub Actions").
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes what would end a property, too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Status;
    use crate::report::finding::tests::finding;
    use crate::report::test_case;
    use crate::report::test_result::tests::result;

    const JUNIT: &[u8] = br#"<testsuites name="p"><testsuite name="p" tests="2" errors="0" failures="1"><testcase classname="a_test.T" name="test_b" time="0.001" file="src/a_test.py" line="7"><failure message="assert 1, 2&#10;x">src/a_test.py:9: AssertionError</failure></testcase><testcase classname="a_test" name="test_c" time="0.001" file="src/a_test.py" line="20"/></testsuite></testsuites>"#;

    #[test]
    fn a_failed_test_is_annotated_at_the_line_where_it_failed() {
        let cases = test_case::parse(JUNIT);
        let files = vec!["src/a_test.py".to_owned()];
        let failed = TestResult { cases, files, ..result("src/a_test.py:t", Status::Failed(1)) };
        assert_eq!(
            test_annotations(&failed),
            ["::error file=src/a_test.py,line=9,title=src/a_test.py%3A%3AT%3A%3Atest_b::assert 1, 2%0Ax"]
        );
        let slow = TestResult { cases: None, status: Status::OutOfMemory, ..failed.clone() };
        let expected =
            "::error file=src/a_test.py,title=src/a_test.py%3At::killed because its memory limit was reached";
        assert_eq!(test_annotations(&slow), [expected]);
        let flaky = TestResult { attempts: 2, status: Status::Passed, ..failed.clone() };
        let expected = "::warning file=src/a_test.py,title=src/a_test.py%3At::flaky: passed at attempt 2";
        assert_eq!(test_annotations(&flaky), [expected]);
        for status in [Status::Passed, Status::Skipped, Status::Stopped] {
            assert_eq!(test_annotations(&TestResult { cases: None, status, ..failed.clone() }), Vec::<String>::new());
        }
    }

    #[test]
    fn an_annotation_is_always_one_line() {
        let finding = finding("src/a,b.py", 3, 1, "F401", "100% unused\n::stop");
        assert_eq!(
            annotation("flake8", &finding),
            "::error file=src/a%2Cb.py,line=3,col=1,title=flake8 F401::100%25 unused%0A::stop"
        );
        let whole = Finding::for_file("src/a.py", "hm".to_owned());
        assert_eq!(annotation("black", &whole), "::error file=src/a.py,title=black::hm");
        let note = Finding { level: Level::Note, ..whole };
        assert_eq!(annotation("mypy", &note), "::notice file=src/a.py,title=mypy::hm");
    }
}
