//! The output and the summary line of each test file at the end of a run, in the words of Pants. Totals are in `test_totals`.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::base::Severity;
use crate::report::Message;
use crate::report::escapes::without_escapes;
use crate::report::status::{Status, elapsed};
use crate::report::test_result::TestResult;

/// Which tests' output to show: the option `[test] output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// That of every test.
    All,
    /// That of failed tests.
    Failed,
    /// None at all.
    None,
}

impl OutputMode {
    /// Any value other than `all` and `none` is the default, `failed`.
    pub fn parse(text: &str) -> OutputMode {
        match text {
            "all" => OutputMode::All,
            "none" => OutputMode::None,
            _ => OutputMode::Failed,
        }
    }

    /// True if the output of this result is shown.
    pub fn shows(self, result: &TestResult) -> bool {
        match self {
            OutputMode::All => true,
            OutputMode::Failed => result.has_failed(),
            OutputMode::None => false,
        }
    }
}

/// Renders `✓ src/a_test.py:tests succeeded in 1.23s (cached locally).`, without a final newline. `name` is that of the result, perhaps
/// as a link.
pub fn summary_line(name: &str, result: &TestResult, colour: bool) -> String {
    let (mark, mark_colour, verb) = match result.status {
        Status::Passed => ("✓", AnsiColor::Green, "succeeded"),
        Status::Skipped => ("-", AnsiColor::Yellow, "skipped"),
        Status::Interrupted => ("✕", AnsiColor::Red, "was interrupted"),
        Status::Stopped => ("-", AnsiColor::Yellow, "was stopped"),
        _ => ("✕", AnsiColor::Red, "failed"),
    };
    let style = if colour { Style::new().fg_color(Some(mark_colour.into())) } else { Style::new() };
    let attempts = if result.attempts > 1 { format!(" after {} attempts", result.attempts) } else { String::new() };
    let elapsed = elapsed(result.wall, result.origin);
    format!("{style}{mark}{style:#} {name} {verb}{attempts}{elapsed}.")
}

/// Renders the output of one test below a line with its name and status, and above the notes about it.
pub fn output_block(result: &TestResult, colour: bool) -> String {
    let bold = if colour { Style::new().bold() } else { Style::new() };
    let mut out = String::new();
    let reason = result.status.reason();
    let verdict = match result.status {
        Status::Passed => "succeeded".to_owned(),
        Status::Skipped => format!("skipped ({reason})"),
        Status::Interrupted => "was interrupted".to_owned(),
        _ => format!("failed ({reason})"),
    };
    writeln!(out, "{bold}{} {verdict}:{bold:#}", result.name).expect("a String takes all writes");
    push_text(&mut out, &result.stdout, colour);
    push_text(&mut out, &result.stderr, colour);
    out.extend(result.notes.iter().map(|note| Message::new(Severity::Note, note, None).render(colour)));
    out
}

/// Renders a block for each reason why tests were not run: the names of the tests, then the reason.
pub fn not_run_blocks(results: &[TestResult], colour: bool) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for result in results {
        let Status::NotRun(message) = &result.status else { continue };
        match reasons.iter_mut().find(|(reason, _)| reason == message) {
            Some((_, names)) => names.push(&result.name),
            None => reasons.push((message, vec![&result.name])),
        }
    }
    reasons.into_iter().map(|(reason, names)| not_run_block(reason, &names, colour)).collect()
}

/// The number of names that a block lists; the others are counted.
const LISTED_NAMES: usize = 5;

fn not_run_block(reason: &str, names: &[&str], colour: bool) -> String {
    let style = if colour { Style::new().bold().fg_color(Some(AnsiColor::Red.into())) } else { Style::new() };
    let listed = names.iter().take(LISTED_NAMES).copied().collect::<Vec<_>>().join(", ");
    let others = match names.len().saturating_sub(LISTED_NAMES) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    format!("not run: {listed}{others}\n{style}error:{style:#} {reason}")
}

/// Renders the command that reruns the failed tests; `None` if none failed. Tests that were not run are left out, since the
/// reason must be resolved first.
pub fn rerun_text(command: &str, results: &[TestResult]) -> Option<String> {
    let failed = results.iter().filter(|result| result.has_failed() && !result.was_not_run());
    let words: Vec<&str> = failed.flat_map(|result| &result.addresses).map(String::as_str).collect();
    let line = shlex::try_join(words.iter().copied()).ok()?;
    (!words.is_empty()).then(|| format!("To rerun the failing tests, use:\n\n    {command} test {line}\n"))
}

/// Renders the command that opens a shell in the sandbox of the first failed test; `None` if none failed.
pub fn shell_text(command: &str, results: &[TestResult]) -> Option<String> {
    let failed = results.iter().find(|result| result.has_failed() && !result.was_not_run())?;
    let address = shlex::try_quote(failed.addresses.first()?).ok()?;
    Some(format!("To open a shell in the sandbox of a failed test, use:\n\n    {command} shell {address}\n"))
}

/// Tools always print colours, which are removed if the terminal shows none.
fn push_text(out: &mut String, text: &str, colour: bool) {
    let text = if colour { text.into() } else { without_escapes(text) };
    out.push_str(text.trim_end_matches('\n'));
    if !text.trim_end_matches('\n').is_empty() {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Origin;
    use crate::report::test_result::tests::result;
    use std::time::Duration;

    #[test]
    fn summary_lines_are_the_same_as_with_pants() {
        let summary_line = |result: &TestResult, colour| summary_line(&result.name, result, colour);
        let passed = result("src/a_test.py:tests", Status::Passed);
        assert_eq!(summary_line(&passed, false), "✓ src/a_test.py:tests succeeded in 1.23s.");
        let cached = TestResult { origin: Some(Origin::Cached), ..passed.clone() };
        assert_eq!(summary_line(&cached, false), "✓ src/a_test.py:tests succeeded in 1.23s (cached locally).");
        let retried = TestResult { attempts: 3, ..result("a:t", Status::Failed(1)) };
        assert_eq!(summary_line(&retried, false), "✕ a:t failed after 3 attempts in 1.23s.");
        assert_eq!(summary_line(&TestResult::not_run(&["a:t".to_owned()], "x"), false), "✕ a:t failed.");
        assert_eq!(summary_line(&passed, true), "\u{1b}[32m✓\u{1b}[0m src/a_test.py:tests succeeded in 1.23s.");
    }

    #[test]
    fn output_is_shown_only_on_failure_by_default() {
        let (passed, failed) = (result("a", Status::Passed), result("a", Status::Failed(1)));
        let shown = |mode: &str| (OutputMode::parse(mode).shows(&passed), OutputMode::parse(mode).shows(&failed));
        assert_eq!([shown("failed"), shown("all"), shown("none")], [(false, true), (true, true), (false, false)]);
    }

    #[test]
    fn an_output_block_begins_with_the_name_and_the_reason() {
        let failed =
            TestResult { stdout: "\u{1b}[31mE  assert 0\u{1b}[0m\n\n".into(), ..result("a:t", Status::Failed(1)) };
        assert_eq!(output_block(&failed, false), "a:t failed (exit code 1):\nE  assert 0\n");
        let slow = result("a:t", Status::TimedOut { after: Duration::from_secs(60) });
        assert_eq!(output_block(&slow, false), "a:t failed (exceeded its timeout of 60.0 seconds):\n");
    }

    #[test]
    fn an_output_block_ends_with_the_notes() {
        let failed = TestResult {
            stdout: "E  no\n".into(),
            notes: vec!["a".into(), "b".into()],
            ..result("a:t", Status::Failed(1))
        };
        assert_eq!(output_block(&failed, false), "a:t failed (exit code 1):\nE  no\nnote: a\nnote: b\n");
    }

    #[test]
    fn the_shell_command_names_the_first_failed_test() {
        let results = ["a:t", "b:t", "c:t"].map(|name| result(name, Status::Failed(1)));
        let text = shell_text("waders", &results).unwrap();
        assert!(text.ends_with("    waders shell a:t\n"), "{text}");
        assert_eq!(shell_text("waders", &[result("a:t", Status::Passed)]), None);
    }

    #[test]
    fn the_rerun_command_lists_the_failed_tests() {
        let results =
            [result("a.py:t", Status::Failed(1)), result("b", Status::Passed), result("c@k=v w", Status::Interrupted)];
        let text = rerun_text("waders", &results).unwrap();
        assert!(text.ends_with("    waders test a.py:t 'c@k=v w'\n"), "{text}");
        assert_eq!(rerun_text("waders", &results[1..2]), None);
    }

    #[test]
    fn a_reason_that_many_tests_share_is_reported_once() {
        let names: Vec<String> = (0..7).map(|number| format!("t{number}")).collect();
        let mut results: Vec<_> =
            names.iter().map(|name| result(name, Status::NotRun("no network".to_owned()))).collect();
        results.push(result("other", Status::NotRun("no lock\nhint: make one".to_owned())));
        results.push(result("good", Status::Passed));
        assert_eq!(
            not_run_blocks(&results, false),
            [
                "not run: t0, t1, t2, t3, t4 and 2 more\nerror: no network",
                "not run: other\nerror: no lock\nhint: make one"
            ]
        );
    }
}
