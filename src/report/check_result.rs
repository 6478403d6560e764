//! One checker and one partition, and how it went: what is shown of it, and the line a checker that sums it up.

use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use crate::action::{Exit, Origin};
use crate::report::summary::without_escapes;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Passed,
    /// It found something, and ended with this code.
    Found(i32),
    /// It could not do its work.
    Failed(Exit),
    /// The step never started or could not be carried out; the message is whole.
    NotRun(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    pub checker: String,
    pub partition: String,
    pub status: Status,
    /// `None` where nothing ran.
    pub origin: Option<Origin>,
    pub wall: Duration,
    /// What is worth showing.
    pub output: String,
}

impl CheckResult {
    /// The process's, where it is a bad one.
    pub fn exit_code(&self) -> Option<i32> {
        match self.status {
            Status::Found(code) | Status::Failed(Exit::Code(code)) => Some(code),
            Status::Failed(_) => Some(1),
            Status::Passed | Status::NotRun(_) => None,
        }
    }
}

/// Its output, under a line that says whose it is where that is not plain.
pub fn block(result: &CheckResult, one_of_several: bool, colour: bool) -> String {
    let red = if colour { Style::new().bold().fg_color(Some(AnsiColor::Red.into())) } else { Style::new() };
    let CheckResult { checker, partition, .. } = result;
    let mut out = String::new();
    match &result.status {
        Status::NotRun(message) => {
            writeln!(out, "not run: {checker} ({partition})\n{red}error:{red:#} {message}").expect(ALWAYS);
        }
        _ if result.output.is_empty() => {}
        _ if one_of_several => writeln!(out, "{checker} ({partition}):").expect(ALWAYS),
        _ => {}
    }
    out.push_str(&result.output);
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// `✓ mypy succeeded in 1.23s (cached locally).`, of all partitions together; `None` where there was nothing to check.
pub fn summary_line(results: &[&CheckResult], colour: bool) -> Option<String> {
    let worst = results.iter().max_by_key(|result| rank(&result.status))?;
    let (mark, mark_colour, verb) = match &worst.status {
        Status::Passed => ("✓", AnsiColor::Green, "succeeded".to_owned()),
        Status::Found(_) => ("✕", AnsiColor::Red, "failed".to_owned()),
        Status::Failed(exit) => ("✕", AnsiColor::Red, format!("could not check ({exit})")),
        Status::NotRun(_) => ("✕", AnsiColor::Red, "was not run".to_owned()),
    };
    let style = if colour { Style::new().fg_color(Some(mark_colour.into())) } else { Style::new() };
    let wall: Duration = results.iter().map(|result| result.wall).sum();
    let elapsed = match results.iter().any(|result| result.origin.is_some()) {
        true => format!(" in {:.2}s", wall.as_secs_f64()),
        false => String::new(),
    };
    let all_cached = results.iter().all(|result| result.origin == Some(Origin::Cached));
    let cached = if all_cached { " (cached locally)" } else { "" };
    Some(format!("{style}{mark}{style:#} {} {verb}{elapsed}{cached}.", worst.checker))
}

fn rank(status: &Status) -> u8 {
    match status {
        Status::Passed => 0,
        Status::Found(_) => 1,
        Status::Failed(_) => 2,
        Status::NotRun(_) => 3,
    }
}

/// Paths from the build root, and no colours.
pub fn readable(output: &str) -> String {
    let plain = without_escapes(output);
    let mut out = String::new();
    for line in plain.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let (indent, text) = line.split_at(indent);
        out.push_str(indent);
        out.push_str(text.strip_prefix("/src/").unwrap_or(text));
    }
    out
}

/// The plugin that mypy could not import, if that is why it stopped.
pub fn missing_plugin(output: &str) -> Option<&str> {
    let (_, rest) = output.split_once("Error importing plugin \"")?;
    rest.split('"').next()
}

/// Lines that only one of two outputs has, and where they stand.
pub fn differences(found: &str, truth: &str, endings: [Exit; 2]) -> String {
    let lines = [found, truth].map(|text| text.lines().collect::<Vec<_>>());
    let mut out = format!("--- with what it remembered ({})\n+++ from nothing ({})\n", endings[0], endings[1]);
    let only = |one: &[&str], other: &[&str], sign: char, out: &mut String| {
        for line in one.iter().filter(|line| !other.contains(line)) {
            writeln!(out, "{sign}{line}").expect(ALWAYS);
        }
    };
    only(&lines[0], &lines[1], '-', &mut out);
    only(&lines[1], &lines[0], '+', &mut out);
    out
}

const ALWAYS: &str = "a String takes all writes";

#[cfg(test)]
mod tests {
    use super::*;

    fn result(status: Status, origin: Option<Origin>) -> CheckResult {
        CheckResult {
            checker: "mypy".to_owned(),
            partition: "default, >=3.9".to_owned(),
            status,
            origin,
            wall: Duration::from_millis(1500),
            output: "a.py:1: error: no\n".to_owned(),
        }
    }

    #[test]
    fn one_line_sums_up_all_partitions() {
        let check = |results: &[CheckResult], expected: &str| {
            assert_eq!(summary_line(&results.iter().collect::<Vec<_>>(), false).unwrap(), expected);
        };
        let (ran, cached) = (Some(Origin::Ran), Some(Origin::Cached));
        check(&[result(Status::Passed, cached)], "✓ mypy succeeded in 1.50s (cached locally).");
        check(&[result(Status::Passed, cached), result(Status::Found(1), ran)], "✕ mypy failed in 3.00s.");
        check(&[result(Status::Failed(Exit::Code(2)), ran)], "✕ mypy could not check (exit code 2) in 1.50s.");
        let not_run = CheckResult { wall: Duration::ZERO, ..result(Status::NotRun("no".to_owned()), None) };
        check(&[not_run], "✕ mypy was not run.");
        assert_eq!(summary_line(&[], false), None);
    }

    #[test]
    fn paths_are_shown_from_the_build_root_and_without_colour() {
        assert_eq!(
            readable("/src/src/a.py\n  /src/src/a.py:1:2 - error\n\x1b[31mred\x1b[0m\n"),
            "src/a.py\n  src/a.py:1:2 - error\nred\n"
        );
        assert_eq!(readable("see /src/ here"), "see /src/ here");
    }

    #[test]
    fn a_plugin_that_is_not_there_is_named() {
        let output = "pyproject.toml:1: error: Error importing plugin \"pydantic.mypy\": No module named 'pydantic'";
        assert_eq!(missing_plugin(output), Some("pydantic.mypy"));
        assert_eq!(missing_plugin("a.py:1: error: no"), None);
    }

    #[test]
    fn differences_name_the_lines_of_either_side() {
        let text = differences("a\nb\n", "b\nc\n", [Exit::Code(1), Exit::Code(1)]);
        assert!(text.ends_with("-a\n+c\n"), "{text}");
    }
}
