//! The lines at the end of `lint`, `fmt` and `fix`: what tools said, then one line for each, in the words of Pants.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::report::summary::without_escapes;
use crate::report::tool_result::{RunStatus, ToolResult, ToolRun};

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To be told.
    Lint,
    /// To have it done.
    Rewrite,
}

/// `✓ black succeeded.`, `✕ flake8 failed.`, `+ isort made changes.`, without a line end.
pub fn summary_line(result: &ToolResult, asked: Asked, colour: bool) -> String {
    let good = match asked {
        Asked::Lint => result.lint_code() == 0 && result.is_done(),
        Asked::Rewrite => result.is_done(),
    };
    let has_changed = asked == Asked::Rewrite && !result.changed().is_empty();
    let (mark, mark_colour) = match (good, has_changed) {
        (false, _) => ("✕", AnsiColor::Red),
        (true, true) => ("+", AnsiColor::Yellow),
        (true, false) => ("✓", AnsiColor::Green),
    };
    let verb = match (good, asked) {
        (false, _) => "failed",
        (true, Asked::Lint) => "succeeded",
        (true, Asked::Rewrite) if has_changed => "made changes",
        (true, Asked::Rewrite) => "made no changes",
    };
    let style = if colour { Style::new().fg_color(Some(mark_colour.into())) } else { Style::new() };
    format!("{style}{mark}{style:#} {} {verb}.", result.name)
}

/// What each process said that has something to say, under a line that tells whose it is. Processes that ended alike are
/// told together.
pub fn blocks(result: &ToolResult, asked: Asked, colour: bool) -> Vec<String> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    for run in &result.runs {
        let Some((head, body)) = told(result, run, asked, colour) else { continue };
        match blocks.iter_mut().find(|(known, _)| *known == head) {
            Some((_, text)) if matches!(run.status, RunStatus::NotRun(_)) => debug_assert_eq!(*text, body),
            Some((_, text)) => text.push_str(&body),
            None => blocks.push((head, body)),
        }
    }
    let bold = if colour { Style::new().bold() } else { Style::new() };
    blocks.into_iter().map(|(head, body)| format!("{bold}{head}{bold:#}\n{body}")).collect()
}

fn told(result: &ToolResult, run: &ToolRun, asked: Asked, colour: bool) -> Option<(String, String)> {
    let name = &result.name;
    let partition = run.partition.as_ref().map(|text| format!(" for {text}")).unwrap_or_default();
    match &run.status {
        RunStatus::NotRun(message) => Some((format!("{name}{partition} was not run: {message}"), String::new())),
        status if status.is_done() && result.rewrites => {
            let verb = if asked == Asked::Lint { "would change" } else { "changed" };
            let changed: String = run.changed.iter().map(|file| format!("  {file}\n")).collect();
            (!changed.is_empty()).then(|| (format!("{name}{partition} {verb}:"), changed))
        }
        RunStatus::Succeeded => None,
        status => {
            let mut body = String::new();
            push_text(&mut body, &run.stdout, colour);
            push_text(&mut body, &run.stderr, colour);
            Some((format!("{name}{partition} failed ({}):", status.reason()), body))
        }
    }
}

/// What to do about results of `lint`, if there is a goal that does it.
pub fn advice(results: &[ToolResult], formatters: &[&str], command: &str) -> Option<String> {
    let changing = results.iter().filter(|result| result.rewrites && !result.changed().is_empty());
    let changing: Vec<&str> = changing.map(|result| result.name.as_str()).collect();
    let goal = if changing.iter().all(|name| formatters.contains(name)) { "fmt" } else { "fix" };
    (!changing.is_empty()).then(|| format!("hint: `{command} {goal}` with the same arguments makes these changes"))
}

fn push_text(out: &mut String, text: &str, colour: bool) {
    let text = if colour { text.to_owned() } else { without_escapes(text) };
    let text = text.trim_matches('\n');
    if !text.is_empty() {
        writeln!(out, "{text}").expect("a String takes all writes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tool_result::tests::{result, run};

    fn changing() -> ToolRun {
        ToolRun { changed: vec!["src/a.py".to_owned()], ..run(RunStatus::Succeeded) }
    }

    #[test]
    fn summary_lines_are_those_of_pants() {
        let check = |result: &ToolResult, asked, expected| assert_eq!(summary_line(result, asked, false), expected);
        let formatter = |runs| result("black", true, runs);
        check(&result("flake8", false, vec![run(RunStatus::Succeeded)]), Asked::Lint, "✓ flake8 succeeded.");
        check(&result("flake8", false, vec![run(RunStatus::Found(1))]), Asked::Lint, "✕ flake8 failed.");
        check(&formatter(vec![changing()]), Asked::Lint, "✕ black failed.");
        check(&formatter(vec![changing()]), Asked::Rewrite, "+ black made changes.");
        check(&formatter(vec![run(RunStatus::Succeeded)]), Asked::Rewrite, "✓ black made no changes.");
        check(&formatter(vec![changing(), run(RunStatus::Failed(123))]), Asked::Rewrite, "✕ black failed.");
    }

    #[test]
    fn processes_that_ended_alike_are_told_together() {
        let found = |text: &str| ToolRun { stdout: text.to_owned(), ..run(RunStatus::Found(1)) };
        let runs = vec![found("a:1: x\n"), run(RunStatus::Succeeded), found("\u{1b}[31mb:2: y\u{1b}[0m\n\n")];
        let blocks = blocks(&result("flake8", false, runs), Asked::Lint, false);
        assert_eq!(blocks, ["flake8 failed (exit code 1):\na:1: x\nb:2: y\n"]);
    }

    #[test]
    fn one_reason_is_told_once() {
        let not_run = || ToolRun::not_run(Vec::new(), None, "no such package");
        let blocks = blocks(&result("flake8", false, vec![not_run(), not_run()]), Asked::Lint, false);
        assert_eq!(blocks, ["flake8 was not run: no such package\n"]);
    }

    #[test]
    fn advice_names_the_goal_that_makes_the_changes() {
        let results =
            [result("black", true, vec![changing()]), result("flake8", false, vec![run(RunStatus::Found(1))])];
        assert!(advice(&results, &["black"], "waders").unwrap().contains("`waders fmt`"));
        assert!(advice(&results, &[], "waders").unwrap().contains("`waders fix`"));
        assert_eq!(advice(&results[1..], &["black"], "waders"), None);
    }
}
