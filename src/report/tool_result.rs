//! What became of a tool: of each of its processes, and of all of them together.

use std::time::Duration;

use crate::action::Origin;
use crate::report::Status;
use crate::report::finding::Finding;

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To be told what is found, and what would be changed.
    Tell,
    /// To have it changed.
    Rewrite,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolRun {
    /// Sorted.
    pub files: Vec<String>,
    /// What sets its files apart from those of the tool's other processes.
    pub partition: Option<String>,
    pub status: Status,
    /// `None` where nothing ran.
    pub origin: Option<Origin>,
    pub wall: Duration,
    /// With paths from the build root.
    pub stdout: String,
    pub stderr: String,
    /// The files that it would change, or changed, sorted.
    pub changed: Vec<String>,
    pub findings: Vec<Finding>,
}

/// All processes of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    pub name: String,
    /// It rewrites files rather than to complain of them.
    pub rewrites: bool,
    pub runs: Vec<ToolRun>,
}

impl ToolRun {
    /// Of a process that came to nothing.
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
    /// Whether all processes did their work.
    pub fn is_done(&self) -> bool {
        self.runs.iter().all(|run| run.status.is_done())
    }

    /// To tell: a linter's own code, and 1 for a formatter that would change something or could not say. To rewrite:
    /// changes are what was asked for.
    pub fn exit_code(&self, asked: Asked) -> i32 {
        let code = |run: &ToolRun| match (self.rewrites, asked) {
            (true, Asked::Tell) => i32::from(!run.status.is_done() || !run.changed.is_empty()),
            (true, Asked::Rewrite) => i32::from(!run.status.is_done()),
            (false, _) => run.status.exit_code(),
        };
        self.runs.iter().map(code).max_by_key(|code| code.abs()).unwrap_or(0)
    }

    /// Cached where nothing ran anew.
    pub fn origin(&self) -> Option<Origin> {
        let mut origins = self.runs.iter().filter_map(|run| run.origin);
        let first = origins.next()?;
        Some(origins.fold(first, |all, one| if one == all { all } else { Origin::Ran }))
    }

    /// What its processes took together.
    pub fn wall(&self) -> Duration {
        self.runs.iter().map(|run| run.wall).sum()
    }

    /// What it complains of; what a formatter would change is a finding too.
    pub fn findings(&self) -> Vec<Finding> {
        let would_change = |file: &str| Finding::would_change(file, &self.name);
        let changes = self.changed().into_iter().filter(|_| self.rewrites).map(would_change);
        self.runs.iter().flat_map(|run| run.findings.iter().cloned()).chain(changes).collect()
    }

    /// Sorted.
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
        ToolResult { name: name.to_owned(), rewrites, runs }
    }

    #[test]
    fn a_linter_ends_with_the_code_of_its_worst_process() {
        let code = |runs| result("flake8", false, runs).exit_code(Asked::Tell);
        assert_eq!(code(vec![run(Status::Passed)]), 0);
        assert_eq!(code(vec![run(Status::Found(1)), run(Status::Passed), run(Status::Found(30))]), 30);
        assert_eq!(code(vec![run(Status::TimedOut { after: Duration::ZERO })]), -15);
        assert_eq!(code(vec![]), 0);
    }

    #[test]
    fn a_formatter_fails_lint_by_what_it_would_change_and_not_by_its_code() {
        let changing = ToolRun { changed: vec!["src/a.py".to_owned()], ..run(Status::Passed) };
        let check = |runs: &[&ToolRun], asked, expected| {
            let result = result("black", true, runs.iter().copied().cloned().collect());
            assert_eq!(result.exit_code(asked), expected, "{result:?}");
        };
        let (found, failed) = (run(Status::Found(3)), run(Status::Failed(123)));
        check(&[&changing], Asked::Tell, 1);
        check(&[&found], Asked::Tell, 0);
        check(&[&changing, &found], Asked::Rewrite, 0);
        check(&[&failed], Asked::Rewrite, 1);
    }

    #[test]
    fn a_tool_is_cached_where_all_its_processes_are() {
        let of = |origins: &[Option<Origin>]| {
            let run = |origin: &Option<Origin>| ToolRun { origin: *origin, ..run(Status::Passed) };
            result("mypy", false, origins.iter().map(run).collect()).origin()
        };
        let (ran, cached) = (Some(Origin::Ran), Some(Origin::Cached));
        assert_eq!([of(&[cached, None, cached]), of(&[cached, ran]), of(&[None])], [cached, ran, None]);
    }
}
