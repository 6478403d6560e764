//! The output and summary lines at the end of `lint`, `check`, `fmt` and `fix`, in the words of Pants.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::action::Origin;
use crate::report::Status;
use crate::report::escapes::without_escapes;
use crate::report::status::elapsed;
use crate::report::tool_result::{Mode, ToolResult, ToolRun};

/// Renders `✓ black succeeded in 0.31s.`, `✕ flake8 failed in 1.23s (cached locally).` or `+ isort made changes.`, without a
/// final newline.
pub fn summary_line(result: &ToolResult, mode: Mode, colour: bool) -> String {
    let has_changed = !result.changed().is_empty();
    let (mark, mark_colour, verb) = match mode {
        _ if result.exit_code(mode) != 0 => ("✕", AnsiColor::Red, "failed"),
        _ if result.was_stopped() => ("-", AnsiColor::Yellow, "was stopped after the first failure"),
        Mode::Report => ("✓", AnsiColor::Green, "succeeded"),
        Mode::Rewrite if has_changed => ("+", AnsiColor::Yellow, "made changes"),
        Mode::Rewrite => ("✓", AnsiColor::Green, "made no changes"),
    };
    let style = if colour { Style::new().fg_color(Some(mark_colour.into())) } else { Style::new() };
    let elapsed = elapsed(result.wall(), result.origin());
    format!("{style}{mark}{style:#} {} {verb}{elapsed}.", result.name)
}

/// Renders the output of each process that has any, below a line with the tool's name and status. Processes with the same
/// first line share a block.
pub fn output_blocks(result: &ToolResult, mode: Mode, colour: bool) -> Vec<String> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    for (head, body) in result.runs.iter().filter_map(|run| output_block(result, run, mode, colour)) {
        match blocks.iter_mut().find(|(known, _)| *known == head) {
            Some((_, text)) => text.push_str(&body),
            None => blocks.push((head, body)),
        }
    }
    let bold = if colour { Style::new().bold() } else { Style::new() };
    blocks.into_iter().map(|(head, body)| format!("{bold}{head}{bold:#}\n{body}")).collect()
}

/// The first line and the rest of a block; `None` if there is nothing to show.
fn output_block(result: &ToolResult, run: &ToolRun, mode: Mode, colour: bool) -> Option<(String, String)> {
    let name = match &run.partition {
        Some(partition) => format!("{} for {partition}", result.name),
        None => result.name.clone(),
    };
    match &run.status {
        Status::NotRun(message) => Some((format!("{name} was not run: {message}"), String::new())),
        Status::Stopped => None,
        status if status.is_done() && result.rewrites => {
            let verb = if mode == Mode::Report { "would change" } else { "changed" };
            let changed: String = run.changed.iter().map(|file| format!("  {file}\n")).collect();
            (!changed.is_empty()).then(|| (format!("{name} {verb}:"), changed))
        }
        // The summary line reports success. Only warnings and findings are shown here, and warnings only when the tool ran:
        // on every cached run they would hide what is new.
        Status::Passed if run.findings.is_empty() && run.origin.is_some_and(Origin::is_cached) => None,
        Status::Passed => {
            let output = joined([&run.stderr, if run.findings.is_empty() { "" } else { &run.stdout }], colour);
            (!output.is_empty()).then(|| (format!("{name} succeeded:"), output))
        }
        status => Some((format!("{name} failed ({}):", status.reason()), joined([&run.stderr, &run.stdout], colour))),
    }
}

/// Standard error comes first, since it explains what the tool could not do.
fn joined(texts: [&str; 2], colour: bool) -> String {
    let mut out = String::new();
    for text in texts {
        let text = if colour { text.into() } else { without_escapes(text) };
        let text = text.trim_matches('\n');
        if !text.is_empty() {
            writeln!(out, "{text}").expect("a String takes all writes");
        }
    }
    out
}

/// The hint after `lint` to run the goal that makes the changes; `None` if no tool would change a file.
pub fn rewrite_hint(results: &[&ToolResult], formatters: &[&str], command: &str) -> Option<String> {
    let changing = results.iter().filter(|result| result.rewrites && !result.changed().is_empty());
    let changing: Vec<&str> = changing.map(|result| result.name.as_str()).collect();
    let goal = if changing.iter().all(|name| formatters.contains(name)) { "fmt" } else { "fix" };
    (!changing.is_empty()).then(|| format!("hint: `{command} {goal}` with the same arguments makes these changes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Origin;
    use crate::report::finding::Finding;
    use crate::report::tool_result::tests::{result, run};

    fn changing() -> ToolRun {
        ToolRun { changed: vec!["src/a.py".to_owned()], ..run(Status::Passed) }
    }

    #[test]
    fn summary_lines_are_the_same_as_with_pants() {
        let check = |rewrites, runs: &[ToolRun], mode, expected| {
            assert_eq!(summary_line(&result("tool", rewrites, runs.to_vec()), mode, false), expected);
        };
        let (passed, found) = (run(Status::Passed), run(Status::Found(1)));
        let cached = ToolRun { origin: Some(Origin::Cached), ..passed.clone() };
        check(false, std::slice::from_ref(&passed), Mode::Report, "✓ tool succeeded in 1.23s.");
        check(false, std::slice::from_ref(&cached), Mode::Report, "✓ tool succeeded in 1.23s (cached locally).");
        check(false, &[cached, found], Mode::Report, "✕ tool failed in 2.47s.");
        check(false, &[ToolRun::not_run(Vec::new(), None, "no")], Mode::Report, "✕ tool failed.");
        let stopped = ToolRun { status: Status::Stopped, ..ToolRun::not_run(Vec::new(), None, "") };
        for rewrites in [false, true] {
            check(
                rewrites,
                std::slice::from_ref(&stopped),
                Mode::Report,
                "- tool was stopped after the first failure.",
            );
        }
        check(false, &[stopped, run(Status::Found(1))], Mode::Report, "✕ tool failed in 1.23s.");
        check(true, &[changing()], Mode::Report, "✕ tool failed in 1.23s.");
        check(true, &[changing()], Mode::Rewrite, "+ tool made changes in 1.23s.");
        check(true, &[passed], Mode::Rewrite, "✓ tool made no changes in 1.23s.");
        check(true, &[changing(), run(Status::Failed(123))], Mode::Rewrite, "✕ tool failed in 2.47s.");
    }

    fn blocks(runs: Vec<ToolRun>) -> Vec<String> {
        output_blocks(&result("flake8", false, runs), Mode::Report, false)
    }

    #[test]
    fn processes_with_the_same_status_share_a_block() {
        let found = |text: &str| ToolRun { stdout: text.to_owned(), ..run(Status::Found(1)) };
        let runs = vec![found("a:1: x\n"), run(Status::Passed), found("\u{1b}[31mb:2: y\u{1b}[0m\n\n")];
        assert_eq!(blocks(runs), ["flake8 failed (exit code 1):\na:1: x\nb:2: y\n"]);
    }

    #[test]
    fn warnings_are_shown_and_messages_of_success_are_not() {
        let passed = ToolRun { stdout: "all is well\n".to_owned(), ..run(Status::Passed) };
        assert!(blocks(vec![passed.clone()]).is_empty());
        let warned = ToolRun { stderr: "old settings\n".to_owned(), ..passed.clone() };
        assert_eq!(blocks(vec![warned.clone()]), ["flake8 succeeded:\nold settings\n"]);
        let finding = Finding::would_change("a.py", "flake8");
        let found = ToolRun { findings: vec![finding], stdout: "a.py: hm\n".to_owned(), ..passed };
        assert_eq!(blocks(vec![found.clone()]), ["flake8 succeeded:\na.py: hm\n"]);
        let cached = |run| ToolRun { origin: Some(Origin::Cached), ..run };
        assert!(blocks(vec![cached(warned)]).is_empty());
        assert_eq!(blocks(vec![cached(found)]), ["flake8 succeeded:\na.py: hm\n"]);
    }

    #[test]
    fn a_shared_reason_is_reported_once() {
        let not_run = || ToolRun::not_run(Vec::new(), None, "no such package");
        assert_eq!(blocks(vec![not_run(), not_run()]), ["flake8 was not run: no such package\n"]);
    }

    #[test]
    fn the_hint_names_the_goal_that_makes_the_changes() {
        let (black, flake8) =
            (result("black", true, vec![changing()]), result("flake8", false, vec![run(Status::Found(1))]));
        let hint = |results: &[&ToolResult], formatters: &[&str]| rewrite_hint(results, formatters, "waders");
        assert!(hint(&[&black, &flake8], &["black"]).unwrap().contains("`waders fmt`"));
        assert!(hint(&[&black, &flake8], &[]).unwrap().contains("`waders fix`"));
        assert_eq!(hint(&[&flake8], &["black"]), None);
    }
}
