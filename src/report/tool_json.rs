//! Results of `lint`, `fmt` and `fix` for machines. The shape is a promise: additions raise nothing, any other change
//! raises the version.

use serde::Serialize;

use crate::action::Origin;
use crate::report::finding::Finding;
use crate::report::tool_result::{RunStatus, ToolResult, ToolRun};

pub const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    goal: &'a str,
    exit_code: i32,
    tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    /// What it would change, or changed.
    changed: Vec<&'a str>,
    runs: Vec<Run<'a>>,
}

#[derive(Serialize)]
struct Run<'a> {
    files: &'a [String],
    partition: Option<&'a str>,
    /// `succeeded`, `found`, `failed`, `killed`, `timed-out`, `out-of-memory`, `interrupted`, `not-run`.
    status: &'static str,
    exit_code: i32,
    reason: Option<String>,
    seconds: f64,
    /// `ran`, `cached`, or null where nothing ran.
    origin: Option<Origin>,
    findings: &'a [Finding],
    stdout: &'a str,
    stderr: &'a str,
}

/// One document, with a line end.
pub fn render(goal: &str, results: &[ToolResult], exit_code: i32) -> String {
    let tool = |result| -> Tool<'_> {
        let result: &ToolResult = result;
        Tool { name: &result.name, changed: result.changed(), runs: result.runs.iter().map(run).collect() }
    };
    let tools = results.iter().map(tool).collect();
    let document = Document { schema_version: SCHEMA_VERSION, goal, exit_code, tools };
    serde_json::to_string_pretty(&document).expect("texts and numbers are JSON") + "\n"
}

fn run(run: &ToolRun) -> Run<'_> {
    Run {
        files: &run.files,
        partition: run.partition.as_deref(),
        status: run.status.word(),
        exit_code: run.status.exit_code(),
        reason: (run.status != RunStatus::Succeeded).then(|| run.status.reason()),
        seconds: (run.wall.as_secs_f64() * 1000.0).round() / 1000.0,
        origin: run.origin,
        findings: &run.findings,
        stdout: &run.stdout,
        stderr: &run.stderr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tool_result::tests;

    #[test]
    fn results_are_versioned_and_whole() {
        let found = ToolRun { stdout: "a:1: x\n".to_owned(), ..tests::run(RunStatus::Found(1)) };
        let text = render("lint", &[tests::result("flake8", false, vec![found])], 1);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&document["schema_version"], &document["exit_code"]), (&1.into(), &1.into()));
        assert_eq!(
            document["tools"][0]["runs"][0],
            serde_json::json!({
                "files": ["src/a.py", "src/b.py"], "partition": null, "status": "found", "exit_code": 1,
                "reason": "exit code 1", "seconds": 1.234, "origin": "ran", "findings": [], "stdout": "a:1: x\n",
                "stderr": "",
            })
        );
    }
}
