//! Findings as SARIF 2.1.0 (OASIS): what code hosts and editors read. One run a tool.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::report::finding::Finding;
use crate::report::tool_result::ToolResult;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One document, with a line end.
pub fn render(results: &[&ToolResult]) -> String {
    let runs: Vec<Value> = results.iter().map(|result| run(result)).collect();
    let document = json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": runs });
    serde_json::to_string_pretty(&document).expect("a value is JSON") + "\n"
}

fn run(result: &ToolResult) -> Value {
    let findings = result.findings();
    let codes: BTreeSet<&str> = findings.iter().filter_map(|finding| finding.code.as_deref()).collect();
    let rules: Vec<Value> = codes.iter().map(|code| json!({ "id": code })).collect();
    json!({
        "tool": { "driver": { "name": result.name, "rules": rules } },
        "invocations": [invocation(result)],
        "originalUriBaseIds": { "BUILDROOT": { "description": { "text": "The build root." } } },
        "columnKind": "unicodeCodePoints",
        "results": findings.iter().map(sarif_result).collect::<Vec<_>>(),
    })
}

/// A tool that did not do its work has no findings, and must not look clean.
fn invocation(result: &ToolResult) -> Value {
    let failed = result.runs.iter().filter(|run| !run.status.is_done());
    let notices: Vec<Value> =
        failed.map(|run| json!({ "level": "error", "message": { "text": run.status.reason() } })).collect();
    json!({ "executionSuccessful": result.is_done(), "toolExecutionNotifications": notices })
}

fn sarif_result(finding: &Finding) -> Value {
    let mut place = json!({ "artifactLocation": { "uri": uri(&finding.file), "uriBaseId": "BUILDROOT" } });
    // The standard counts lines and columns from 1; tools say 0 for the file as a whole.
    if let Some(line) = finding.line.filter(|line| *line > 0) {
        place["region"] = match finding.column.filter(|column| *column > 0) {
            Some(column) => json!({ "startLine": line, "startColumn": column }),
            None => json!({ "startLine": line }),
        };
    }
    let mut result = json!({
        "level": "error",
        "message": { "text": finding.message },
        "locations": [{ "physicalLocation": place }],
    });
    if let Some(code) = &finding.code {
        result["ruleId"] = json!(code);
    }
    result
}

/// A relative reference: only what a path may not hold is escaped.
fn uri(path: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(path, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Status;
    use crate::report::tool_result::{ToolRun, tests};

    fn finding() -> Finding {
        Finding {
            file: "src/a b.py".to_owned(),
            line: Some(3),
            column: Some(0),
            code: Some("F401".to_owned()),
            message: "unused".to_owned(),
        }
    }

    fn document(result: ToolResult) -> Value {
        serde_json::from_str(&render(&[&result])).unwrap()
    }

    #[test]
    fn a_finding_has_its_place_and_its_rule() {
        let run = ToolRun { findings: vec![finding()], ..tests::run(Status::Found(1)) };
        let document = document(tests::result("flake8", false, vec![run]));
        let run = &document["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"], json!([{ "id": "F401" }]));
        assert_eq!(run["results"][0]["ruleId"], "F401");
        let place = &run["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "src/a%20b.py");
        assert_eq!(place["region"], json!({ "startLine": 3 }));
        assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    }

    #[test]
    fn what_a_formatter_would_change_is_found_and_what_failed_is_no_success() {
        let run = ToolRun { changed: vec!["src/a.py".to_owned()], ..tests::run(Status::Passed) };
        let document = document(tests::result("black", true, vec![run, tests::run(Status::Failed(123))]));
        let run = &document["runs"][0];
        assert_eq!(run["results"][0]["message"]["text"], "`black` would change this file");
        assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    }
}
