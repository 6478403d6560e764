//! The results of a tool: of each of its processes, and of all of them together.

use std::time::Duration;

use crate::action::Origin;
use crate::report::Status;
use crate::report::finding::Finding;

/// How a goal runs its tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Findings, and changes that tools would make, are reported (`lint`, `check`).
    Report,
    /// Files are rewritten (`fmt`, `fix`).
    Rewrite,
}

/// The result of one process of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolRun {
    /// The files that it was given, sorted.
    pub files: Vec<String>,
    /// The name of its partition, if the tool's files were divided into several.
    pub partition: Option<String>,
    /// How the process ended.
    pub status: Status,
    /// `None` if nothing ran.
    pub origin: Option<Origin>,
    /// The wall-clock time of the process.
    pub wall: Duration,
    /// Standard output, with paths relative to the build root.
    pub stdout: String,
    /// Standard error, with paths relative to the build root.
    pub stderr: String,
    /// The files that it would change or changed, sorted.
    pub changed: Vec<String>,
    /// The findings in its output.
    pub findings: Vec<Finding>,
}

/// The results of all processes of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// The name that the user sees.
    pub name: String,
    /// What is known of the tool besides its results.
    pub about: About,
    /// True for formatters and fixers, which rewrite files instead of reporting findings.
    pub rewrites: bool,
    /// One for each process.
    pub runs: Vec<ToolRun>,
}

/// What readers of findings may want to know of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The version that ran.
    pub version: Option<String>,
    /// The address of its documentation.
    pub homepage: Option<String>,
    /// The address of the explanation of a code, in which `{code}` stands for the code.
    pub code_help: Option<String>,
}

impl About {
    /// The address where a code of the tool is explained.
    pub fn help_for(&self, code: &str) -> Option<String> {
        // A code can have any character, and no character of it may end the address.
        let escaped = percent_encoding::utf8_percent_encode(code, ESCAPED_IN_URL).to_string();
        Some(self.code_help.as_ref()?.replace("{code}", &escaped))
    }
}

/// All but unreserved characters (RFC 3986, section 2.3).
const ESCAPED_IN_URL: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

impl ToolRun {
    /// Makes the result of a process that did not run, for the reason in `message`.
    pub fn not_run(files: Vec<String>, partition: Option<String>, message: &str) -> ToolRun {
        ToolRun {
            files,
            partition,
            status: Status::NotRun(message.to_owned()),
            origin: None,
            wall: Duration::ZERO,
            stdout: String::new(),
            stderr: String::new(),
            changed: Vec::new(),
            findings: Vec::new(),
        }
    }
}

impl ToolResult {
    /// True if all processes completed, with or without findings.
    pub fn is_done(&self) -> bool {
        self.runs.iter().all(|run| run.status.is_done())
    }

    /// True if the failure of another process stopped one of them.
    pub fn was_stopped(&self) -> bool {
        self.runs.iter().any(|run| run.status == Status::Stopped)
    }

    /// The exit code of the tool. A linter has that of its worst process. A formatter has 1 if a process failed and, in
    /// [`Mode::Report`], if it would change a file.
    pub fn exit_code(&self, mode: Mode) -> i32 {
        let code = |run: &ToolRun| match (self.rewrites, mode) {
            _ if run.status == Status::Stopped => 0,
            (true, Mode::Report) => i32::from(!run.status.is_done() || !run.changed.is_empty()),
            (true, Mode::Rewrite) => i32::from(!run.status.is_done()),
            (false, _) => run.status.exit_code(),
        };
        self.runs.iter().map(code).max_by_key(|code| code.abs()).unwrap_or(0)
    }

    /// Cached if every process that has a result was cached.
    pub fn origin(&self) -> Option<Origin> {
        let mut origins = self.runs.iter().filter_map(|run| run.origin);
        let first = origins.next()?;
        Some(origins.fold(first, |all, one| match (all, one) {
            (all, one) if all == one => all,
            (all, one) if all.is_cached() && one.is_cached() => Origin::Cached,
            _ => Origin::Ran,
        }))
    }

    /// The sum of the processes' times.
    pub fn wall(&self) -> Duration {
        self.runs.iter().map(|run| run.wall).sum()
    }

    /// All findings, including one for each file that a formatter would change.
    pub fn findings(&self) -> Vec<Finding> {
        let would_change = |file: &str| Finding::would_change(file, &self.name);
        let changes = self.changed().into_iter().filter(|_| self.rewrites).map(would_change);
        self.runs.iter().flat_map(|run| run.findings.iter().cloned()).chain(changes).collect()
    }

    /// The files that it would change or changed, sorted.
    pub fn changed(&self) -> Vec<&str> {
        let mut changed: Vec<&str> = self.runs.iter().flat_map(|run| &run.changed).map(String::as_str).collect();
        changed.sort_unstable();
        changed.dedup();
        changed
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn run(status: Status) -> ToolRun {
        let files = vec!["src/a.py".to_owned(), "src/b.py".to_owned()];
        ToolRun {
            status,
            origin: Some(Origin::Ran),
            wall: Duration::from_millis(1234),
            ..ToolRun::not_run(files, None, "")
        }
    }

    pub fn result(name: &str, rewrites: bool, runs: Vec<ToolRun>) -> ToolResult {
        ToolResult { name: name.to_owned(), about: About::default(), rewrites, runs }
    }

    #[test]
    fn a_linter_has_the_exit_code_of_its_worst_process() {
        let code = |runs| result("flake8", false, runs).exit_code(Mode::Report);
        assert_eq!(code(vec![run(Status::Passed)]), 0);
        assert_eq!(code(vec![run(Status::Found(1)), run(Status::Passed), run(Status::Found(30))]), 30);
        assert_eq!(code(vec![run(Status::TimedOut { after: Duration::ZERO })]), -15);
        assert_eq!(code(vec![]), 0);
    }

    #[test]
    fn a_formatter_fails_lint_because_of_changes_and_not_of_its_exit_code() {
        let changing = ToolRun { changed: vec!["src/a.py".to_owned()], ..run(Status::Passed) };
        let check = |runs: &[&ToolRun], mode, expected| {
            let result = result("black", true, runs.iter().copied().cloned().collect());
            assert_eq!(result.exit_code(mode), expected, "{result:?}");
        };
        let (found, failed) = (run(Status::Found(3)), run(Status::Failed(123)));
        check(&[&changing], Mode::Report, 1);
        check(&[&found], Mode::Report, 0);
        check(&[&changing, &found], Mode::Rewrite, 0);
        check(&[&failed], Mode::Rewrite, 1);
    }

    #[test]
    fn a_tool_is_cached_if_all_its_processes_are() {
        let origin = |origins: &[Option<Origin>]| {
            let run = |origin: &Option<Origin>| ToolRun { origin: *origin, ..run(Status::Passed) };
            result("mypy", false, origins.iter().map(run).collect()).origin()
        };
        let (ran, cached) = (Some(Origin::Ran), Some(Origin::Cached));
        assert_eq!([origin(&[cached, None, cached]), origin(&[cached, ran]), origin(&[None])], [cached, ran, None]);
    }
}
