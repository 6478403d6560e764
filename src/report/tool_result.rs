//! What became of a tool: of each of its processes, and of all of them together.

use std::time::Duration;

use crate::action::{Exit, Origin};
use crate::report::finding::Finding;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunStatus {
    Succeeded,
    /// It did its work and found something.
    Found(i32),
    /// It did not do its work: it could not read a file, say, or its settings.
    Failed(i32),
    Killed {
        signal: i32,
    },
    TimedOut {
        after: Duration,
    },
    OutOfMemory,
    Interrupted,
    /// The process never started or could not be carried out; the message is whole.
    NotRun(String),
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolRun {
    /// Sorted.
    pub files: Vec<String>,
    /// What sets its files apart from those of the tool's other processes.
    pub partition: Option<String>,
    pub status: RunStatus,
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

impl RunStatus {
    /// `finding_codes` are those of a run that did its work and found something.
    pub fn of(exit: Exit, finding_codes: &[i32], timeout: Duration) -> RunStatus {
        match exit {
            Exit::Code(0) => RunStatus::Succeeded,
            Exit::Code(code) if finding_codes.contains(&code) => RunStatus::Found(code),
            Exit::Code(code) => RunStatus::Failed(code),
            Exit::Signal(signal) => RunStatus::Killed { signal },
            Exit::TimedOut => RunStatus::TimedOut { after: timeout },
            Exit::OutOfMemory => RunStatus::OutOfMemory,
            Exit::Interrupted => RunStatus::Interrupted,
        }
    }

    /// Whether the tool did its work, whatever it found.
    pub fn is_done(&self) -> bool {
        matches!(self, RunStatus::Succeeded | RunStatus::Found(_))
    }

    pub fn exit_code(&self) -> i32 {
        match self {
            RunStatus::Succeeded => 0,
            RunStatus::Found(code) | RunStatus::Failed(code) => *code,
            _ => 1,
        }
    }

    /// One word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            RunStatus::Succeeded => "succeeded",
            RunStatus::Found(_) => "found",
            RunStatus::Failed(_) => "failed",
            RunStatus::Killed { .. } => "killed",
            RunStatus::TimedOut { .. } => "timed-out",
            RunStatus::OutOfMemory => "out-of-memory",
            RunStatus::Interrupted => "interrupted",
            RunStatus::NotRun(_) => "not-run",
        }
    }

    /// In words for people; empty where it succeeded.
    pub fn reason(&self) -> String {
        match self {
            RunStatus::Succeeded => String::new(),
            RunStatus::Found(code) | RunStatus::Failed(code) => format!("exit code {code}"),
            RunStatus::Killed { signal } => format!("killed by signal {signal}"),
            RunStatus::TimedOut { after } => format!("exceeded its timeout of {:.1} seconds", after.as_secs_f64()),
            RunStatus::OutOfMemory => "killed because its memory limit was reached".to_owned(),
            RunStatus::Interrupted => "interrupted".to_owned(),
            RunStatus::NotRun(message) => message.clone(),
        }
    }
}

impl ToolRun {
    /// Of a process that came to nothing.
    pub fn not_run(files: Vec<String>, partition: Option<String>, message: &str) -> ToolRun {
        ToolRun {
            files,
            partition,
            status: RunStatus::NotRun(message.to_owned()),
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

    /// What `lint` makes of it: a linter's own code; 1 for a formatter that would change something or could not tell.
    pub fn lint_code(&self) -> i32 {
        let code = |run: &ToolRun| match self.rewrites {
            true => i32::from(!run.status.is_done() || !run.changed.is_empty()),
            false => run.status.exit_code(),
        };
        self.runs.iter().map(code).max_by_key(|code| code.abs()).unwrap_or(0)
    }

    /// What `fmt` and `fix` make of it: changes are what was asked for.
    pub fn rewrite_code(&self) -> i32 {
        i32::from(!self.is_done())
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

    pub fn run(status: RunStatus) -> ToolRun {
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
        let code = |runs| result("flake8", false, runs).lint_code();
        assert_eq!(code(vec![run(RunStatus::Succeeded)]), 0);
        assert_eq!(code(vec![run(RunStatus::Found(1)), run(RunStatus::Succeeded), run(RunStatus::Found(30))]), 30);
        assert_eq!(code(vec![run(RunStatus::TimedOut { after: Duration::ZERO })]), 1);
        assert_eq!(code(vec![]), 0);
    }

    #[test]
    fn a_formatter_fails_lint_by_what_it_would_change_and_not_by_its_code() {
        let changing = ToolRun { changed: vec!["src/a.py".to_owned()], ..run(RunStatus::Succeeded) };
        let found = run(RunStatus::Found(3));
        assert_eq!(result("black", true, vec![changing.clone()]).lint_code(), 1);
        assert_eq!(result("black", true, vec![found.clone()]).lint_code(), 0);
        assert_eq!(result("black", true, vec![changing, found]).rewrite_code(), 0);
        assert_eq!(result("black", true, vec![run(RunStatus::Failed(123))]).rewrite_code(), 1);
    }

    #[test]
    fn which_codes_mean_findings_the_tool_says() {
        let of = |code| RunStatus::of(Exit::Code(code), &[1], Duration::ZERO);
        assert_eq!([of(0), of(1), of(2)], [RunStatus::Succeeded, RunStatus::Found(1), RunStatus::Failed(2)]);
    }
}
