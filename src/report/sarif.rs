//! Findings as SARIF 2.1.0 (OASIS), for code hosts and editors. Each tool is one run.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::report::finding::Finding;
use crate::report::tool_result::ToolResult;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Renders the results as one document, with a final newline.
pub fn render(results: &[&ToolResult]) -> String {
    let runs: Vec<Value> = results.iter().map(|result| run(result)).collect();
    let document = json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": runs });
    serde_json::to_string_pretty(&document).expect("a value is JSON") + "\n"
}

fn run(result: &ToolResult) -> Value {
    let findings = result.findings();
    let codes: BTreeSet<&str> = findings.iter().map(|finding| code(result, finding)).collect();
    json!({
        "tool": { "driver": {
            "name": result.name,
            "rules": codes.iter().map(|code| rule(&result.name, code)).collect::<Vec<_>>(),
        } },
        "invocations": [invocation(result)],
        "originalUriBaseIds": { "BUILDROOT": { "description": { "text": "The build root." } } },
        "columnKind": "unicodeCodePoints",
        "results": findings.iter().map(|finding| sarif_result(code(result, finding), finding)).collect::<Vec<_>>(),
    })
}

/// The rule of a finding. GitHub requires one for each result, so a finding without a code has the tool's name as its rule.
fn code<'a>(result: &'a ToolResult, finding: &'a Finding) -> &'a str {
    finding.code.as_deref().unwrap_or(&result.name)
}

/// GitHub requires all of these descriptions.
fn rule(tool: &str, code: &str) -> Value {
    let name = json!({ "text": if tool == code { tool.to_owned() } else { format!("{tool} {code}") } });
    let help = json!({ "text": format!("The documentation of {tool} explains `{code}`.") });
    json!({ "id": code, "shortDescription": name, "fullDescription": name, "help": help })
}

/// A tool that failed has no findings, so the failure itself must be recorded.
fn invocation(result: &ToolResult) -> Value {
    let failed = result.runs.iter().filter(|run| !run.status.is_done());
    let notices: Vec<Value> =
        failed.map(|run| json!({ "level": "error", "message": { "text": run.status.reason() } })).collect();
    json!({ "executionSuccessful": result.is_done(), "toolExecutionNotifications": notices })
}

fn sarif_result(code: &str, finding: &Finding) -> Value {
    let mut location = json!({ "artifactLocation": { "uri": uri(&finding.file), "uriBaseId": "BUILDROOT" } });
    if let Some(line) = finding.line {
        location["region"] = match finding.column {
            Some(column) => json!({ "startLine": line, "startColumn": column }),
            None => json!({ "startLine": line }),
        };
    }
    json!({
        "ruleId": code,
        "level": finding.level.name(),
        "message": { "text": finding.message },
        "locations": [{ "physicalLocation": location }],
    })
}

/// A relative reference (RFC 3986, section 4.2): everything but unreserved characters and `/` is escaped.
fn uri(path: &str) -> String {
    const ESCAPED: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(path, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Status;
    use crate::report::finding::tests::finding;
    use crate::report::tool_result::{ToolRun, tests};

    fn document(result: ToolResult) -> Value {
        serde_json::from_str(&render(&[&result])).unwrap()
    }

    #[test]
    fn a_finding_has_a_location_and_a_rule() {
        let run = ToolRun {
            findings: vec![Finding { column: None, ..finding("src/a b.py", 3, 0, "F401", "unused") }],
            ..tests::run(Status::Found(1))
        };
        let document = document(tests::result("flake8", false, vec![run]));
        let run = &document["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "F401");
        assert_eq!(run["results"][0]["ruleId"], "F401");
        let place = &run["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "src/a%20b.py");
        assert_eq!(place["region"], json!({ "startLine": 3 }));
        assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    }

    #[test]
    fn a_formatters_changes_are_findings_and_a_failure_is_not_a_success() {
        let run = ToolRun { changed: vec!["src/a.py".to_owned()], ..tests::run(Status::Passed) };
        let document = document(tests::result("black", true, vec![run, tests::run(Status::Failed(123))]));
        let run = &document["runs"][0];
        assert_eq!(run["results"][0]["message"]["text"], "`black` would change this file");
        assert_eq!(run["results"][0]["ruleId"], "black");
        assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    }
}
