//! The lines at the end of `lint`, `check`, `fmt` and `fix`: what tools said, then one line for each, in the words of
//! Pants.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::report::Status;
use crate::report::status::elapsed;
use crate::report::summary::without_escapes;
use crate::report::tool_result::{Asked, ToolResult, ToolRun};

/// `✓ black succeeded in 0.31s.`, `✕ flake8 failed in 1.23s (cached locally).`, `+ isort made changes.`, without a line
/// end.
pub fn summary_line(result: &ToolResult, asked: Asked, colour: bool) -> String {
    let has_changed = !result.changed().is_empty();
    let (mark, mark_colour, verb) = match asked {
        _ if result.exit_code(asked) != 0 => ("✕", AnsiColor::Red, "failed"),
        Asked::Tell => ("✓", AnsiColor::Green, "succeeded"),
        Asked::Rewrite if has_changed => ("+", AnsiColor::Yellow, "made changes"),
        Asked::Rewrite => ("✓", AnsiColor::Green, "made no changes"),
    };
    let style = if colour { Style::new().fg_color(Some(mark_colour.into())) } else { Style::new() };
    let elapsed = elapsed(result.wall(), result.origin());
    format!("{style}{mark}{style:#} {} {verb}{elapsed}.", result.name)
}

/// What each process said that has something to say, under a line that tells whose it is. Processes that ended alike are
/// told together.
pub fn blocks(result: &ToolResult, asked: Asked, colour: bool) -> Vec<String> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    for (head, body) in result.runs.iter().filter_map(|run| told(result, run, asked, colour)) {
        match blocks.iter_mut().find(|(known, _)| *known == head) {
            Some((_, text)) => text.push_str(&body),
            None => blocks.push((head, body)),
        }
    }
    let bold = if colour { Style::new().bold() } else { Style::new() };
    blocks.into_iter().map(|(head, body)| format!("{bold}{head}{bold:#}\n{body}")).collect()
}

fn told(result: &ToolResult, run: &ToolRun, asked: Asked, colour: bool) -> Option<(String, String)> {
    let name = match &run.partition {
        Some(partition) => format!("{} for {partition}", result.name),
        None => result.name.clone(),
    };
    match &run.status {
        Status::NotRun(message) => Some((format!("{name} was not run: {message}"), String::new())),
        status if status.is_done() && result.rewrites => {
            let verb = if asked == Asked::Tell { "would change" } else { "changed" };
            let changed: String = run.changed.iter().map(|file| format!("  {file}\n")).collect();
            (!changed.is_empty()).then(|| (format!("{name} {verb}:"), changed))
        }
        // That all is well is told in one line. Warnings are told in the tool's words.
        Status::Passed => {
            let said = said([&run.stderr, if run.findings.is_empty() { "" } else { &run.stdout }], colour);
            (!said.is_empty()).then(|| (format!("{name} succeeded:"), said))
        }
        status => Some((format!("{name} failed ({}):", status.reason()), said([&run.stderr, &run.stdout], colour))),
    }
}

/// What could not be done at all comes before what was found.
fn said(texts: [&str; 2], colour: bool) -> String {
    let mut out = String::new();
    for text in texts {
        let text = if colour { text.to_owned() } else { without_escapes(text) };
        let text = text.trim_matches('\n');
        if !text.is_empty() {
            writeln!(out, "{text}").expect("a String takes all writes");
        }
    }
    out
}

/// What to do about results of `lint`, if there is a goal that does it.
pub fn advice(results: &[&ToolResult], formatters: &[&str], command: &str) -> Option<String> {
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
    fn summary_lines_are_those_of_pants_and_tell_what_it_took() {
        let check = |rewrites, runs: &[ToolRun], asked, expected| {
            assert_eq!(summary_line(&result("tool", rewrites, runs.to_vec()), asked, false), expected);
        };
        let (passed, found) = (run(Status::Passed), run(Status::Found(1)));
        let cached = ToolRun { origin: Some(Origin::Cached), ..passed.clone() };
        check(false, std::slice::from_ref(&passed), Asked::Tell, "✓ tool succeeded in 1.23s.");
        check(false, std::slice::from_ref(&cached), Asked::Tell, "✓ tool succeeded in 1.23s (cached locally).");
        check(false, &[cached, found], Asked::Tell, "✕ tool failed in 2.47s.");
        check(false, &[ToolRun::not_run(Vec::new(), None, "no")], Asked::Tell, "✕ tool failed.");
        check(true, &[changing()], Asked::Tell, "✕ tool failed in 1.23s.");
        check(true, &[changing()], Asked::Rewrite, "+ tool made changes in 1.23s.");
        check(true, &[passed], Asked::Rewrite, "✓ tool made no changes in 1.23s.");
        check(true, &[changing(), run(Status::Failed(123))], Asked::Rewrite, "✕ tool failed in 2.47s.");
    }

    fn told(runs: Vec<ToolRun>) -> Vec<String> {
        blocks(&result("flake8", false, runs), Asked::Tell, false)
    }

    #[test]
    fn processes_that_ended_alike_are_told_together() {
        let found = |text: &str| ToolRun { stdout: text.to_owned(), ..run(Status::Found(1)) };
        let runs = vec![found("a:1: x\n"), run(Status::Passed), found("\u{1b}[31mb:2: y\u{1b}[0m\n\n")];
        assert_eq!(told(runs), ["flake8 failed (exit code 1):\na:1: x\nb:2: y\n"]);
    }

    #[test]
    fn warnings_are_told_and_praise_is_not() {
        let passed = ToolRun { stdout: "all is well\n".to_owned(), ..run(Status::Passed) };
        assert!(told(vec![passed.clone()]).is_empty());
        let warned = ToolRun { stderr: "old settings\n".to_owned(), ..passed.clone() };
        assert_eq!(told(vec![warned]), ["flake8 succeeded:\nold settings\n"]);
        let finding = Finding::would_change("a.py", "flake8");
        let found = ToolRun { findings: vec![finding], stdout: "a.py: hm\n".to_owned(), ..passed };
        assert_eq!(told(vec![found]), ["flake8 succeeded:\na.py: hm\n"]);
    }

    #[test]
    fn one_reason_is_told_once() {
        let not_run = || ToolRun::not_run(Vec::new(), None, "no such package");
        assert_eq!(told(vec![not_run(), not_run()]), ["flake8 was not run: no such package\n"]);
    }

    #[test]
    fn advice_names_the_goal_that_makes_the_changes() {
        let (black, flake8) =
            (result("black", true, vec![changing()]), result("flake8", false, vec![run(Status::Found(1))]));
        let advice = |results: &[&ToolResult], formatters: &[&str]| super::advice(results, formatters, "waders");
        assert!(advice(&[&black, &flake8], &["black"]).unwrap().contains("`waders fmt`"));
        assert!(advice(&[&black, &flake8], &[]).unwrap().contains("`waders fix`"));
        assert_eq!(advice(&[&flake8], &["black"]), None);
    }
}
