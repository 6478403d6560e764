//! Results as JSON. The format is stable: new fields keep the schema version, any other change raises it.

use std::borrow::Cow;

use serde::Serialize;

use crate::report::escapes::without_escapes;
use crate::report::finding::Finding;
use crate::report::packages::WrittenPackage;
use crate::report::status::StatusFields;
use crate::report::test_case::CaseCounts;
use crate::report::test_result::TestResult;
use crate::report::test_totals::TestTotals;
use crate::report::tool_result::{ToolResult, ToolRun};

/// The version of the format.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a, R> {
    schema_version: u32,
    goal: &'a str,
    exit_code: u8,
    #[serde(flatten)]
    results: R,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Results<'a> {
    Tools(Vec<Tool<'a>>),
    Packages(&'a [WrittenPackage]),
    #[serde(untagged)]
    Tests {
        tests: Vec<Test<'a>>,
        totals: TestTotals,
    },
}

#[derive(Serialize)]
struct Test<'a> {
    name: &'a str,
    addresses: &'a [String],
    #[serde(flatten)]
    status: StatusFields,
    attempts: u32,
    /// Null if the process wrote no report.
    counts: Option<CaseCounts>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    /// The files that it would change or changed.
    changed: Vec<&'a str>,
    runs: Vec<Run<'a>>,
}

#[derive(Serialize)]
struct Run<'a> {
    files: &'a [String],
    partition: Option<&'a str>,
    #[serde(flatten)]
    status: StatusFields,
    findings: &'a [Finding],
    stdout: Cow<'a, str>,
    stderr: Cow<'a, str>,
}

/// Renders the results of tests as one document, sorted by name, with a final newline.
pub fn render_tests(results: &[TestResult], exit_code: u8) -> String {
    let mut sorted: Vec<&TestResult> = results.iter().collect();
    sorted.sort_by_key(|result| &result.name);
    let tests = sorted.into_iter().map(test).collect();
    render("test", exit_code, Results::Tests { tests, totals: TestTotals::of(results) })
}

/// Renders the results of tools as one document, with a final newline.
pub fn render_tools(goal: &str, results: &[&ToolResult], exit_code: u8) -> String {
    render(goal, exit_code, Results::Tools(results.iter().map(|result| tool(result)).collect()))
}

/// Renders the packages that were written as one document, with a final newline.
pub fn render_packages(written: &[WrittenPackage], exit_code: u8) -> String {
    render("package", exit_code, Results::Packages(written))
}

/// Renders the results of a goal as one document with the fields that all documents have, with a final newline. `results` is an object.
pub(in crate::report) fn render(goal: &str, exit_code: u8, results: impl Serialize) -> String {
    let document = Document { schema_version: SCHEMA_VERSION, goal, exit_code, results };
    serde_json::to_string_pretty(&document).expect("texts and numbers are JSON") + "\n"
}

fn test(result: &TestResult) -> Test<'_> {
    Test {
        name: &result.name,
        addresses: &result.addresses,
        status: StatusFields::new(&result.status, result.wall, result.origin),
        attempts: result.attempts,
        counts: result.cases.as_deref().map(CaseCounts::of),
        notes: &result.notes,
    }
}

fn tool(result: &ToolResult) -> Tool<'_> {
    Tool { name: &result.name, changed: result.changed(), runs: result.runs.iter().map(run).collect() }
}

fn run(run: &ToolRun) -> Run<'_> {
    Run {
        files: &run.files,
        partition: run.partition.as_deref(),
        status: StatusFields::new(&run.status, run.wall, run.origin),
        findings: &run.findings,
        stdout: without_escapes(&run.stdout),
        stderr: without_escapes(&run.stderr),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::Status;
    use crate::report::{test_result, tool_result};

    #[test]
    fn test_results_are_sorted_and_versioned() {
        let results =
            [test_result::tests::result("b", Status::Failed(1)), test_result::tests::result("a", Status::Passed)];
        let document: Value = serde_json::from_str(&render_tests(&results, 1)).unwrap();
        assert_eq!((&document["schema_version"], &document["goal"]), (&json!(1), &json!("test")));
        assert_eq!(document["tests"][0]["name"], "a");
        assert_eq!(
            (&document["totals"]["files"]["failed"], &document["totals"]["tests"]["passed"]),
            (&json!(1), &json!(0))
        );
        assert_eq!(
            document["tests"][1],
            json!({
                "name": "b", "addresses": ["b"], "status": "failed", "exit_code": 1, "reason": "exit code 1",
                "seconds": 1.234, "origin": "ran", "attempts": 1, "counts": null, "notes": [],
            })
        );
    }

    #[test]
    fn tool_results_are_versioned_and_complete() {
        let found = ToolRun { stdout: "a:1: x\n".to_owned(), ..tool_result::tests::run(Status::Found(1)) };
        let result = tool_result::tests::result("flake8", false, vec![found]);
        let document: Value = serde_json::from_str(&render_tools("lint", &[&result], 1)).unwrap();
        assert_eq!((&document["schema_version"], &document["exit_code"]), (&json!(1), &json!(1)));
        assert_eq!(
            document["tools"][0]["runs"][0],
            json!({
                "files": ["src/a.py", "src/b.py"], "partition": null, "status": "found", "exit_code": 1,
                "reason": "exit code 1", "seconds": 1.234, "origin": "ran", "findings": [], "stdout": "a:1: x\n",
                "stderr": "",
            })
        );
    }
}
