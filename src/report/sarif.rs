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
    let rules: Vec<Value> = codes.iter().map(|code| rule(result, code)).collect();
    let mut driver = json!({ "name": result.name, "rules": rules });
    if let Some(version) = &result.about.version {
        driver["version"] = json!(version);
    }
    if let Some(homepage) = &result.about.homepage {
        driver["informationUri"] = json!(homepage);
    }
    json!({
        "tool": { "driver": driver },
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
fn rule(result: &ToolResult, code: &str) -> Value {
    let tool = &result.name;
    let name = json!({ "text": if tool == code { tool.to_owned() } else { format!("{tool} {code}") } });
    let help = json!({ "text": format!("The documentation of {tool} explains `{code}`.") });
    let mut rule = json!({ "id": code, "shortDescription": name, "fullDescription": name, "help": help });
    let address = if tool == code { None } else { result.about.help_for(code) };
    if let Some(address) = address.or_else(|| result.about.homepage.clone()) {
        rule["helpUri"] = json!(address);
    }
    rule
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
    use crate::report::finding::{Level, tests::finding};
    use crate::report::tool_result::{About, ToolRun, tests};
    use std::time::Duration;

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
    fn a_tool_has_its_version_and_a_rule_the_address_of_its_explanation() {
        let about = About {
            version: Some("1.2.3".to_owned()),
            homepage: Some("https://example.invalid/".to_owned()),
            code_help: Some("https://example.invalid/codes#{code}".to_owned()),
        };
        let findings =
            vec![finding("a.py", 1, 1, "no-any return", "x"), Finding { code: None, ..finding("a.py", 2, 1, "", "y") }];
        let run = ToolRun { findings, ..tests::run(Status::Found(1)) };
        let document = document(ToolResult { about, ..tests::result("mypy", false, vec![run]) });
        let driver = &document["runs"][0]["tool"]["driver"];
        assert_eq!(
            (&driver["version"], &driver["informationUri"]),
            (&json!("1.2.3"), &json!("https://example.invalid/"))
        );
        let addresses: Vec<&Value> = driver["rules"].as_array().unwrap().iter().map(|rule| &rule["helpUri"]).collect();
        assert_eq!(addresses, ["https://example.invalid/", "https://example.invalid/codes#no-any%20return"]);
    }

    #[test]
    fn documents_follow_the_rules_of_the_schema() {
        let odd = Finding { level: Level::Note, ..finding("src/ü b.py", 3, 7, "F401", "two\nlines") };
        let whole = Finding::for_file("a.py", "m".to_owned());
        let found = ToolRun { findings: vec![odd, whole], ..tests::run(Status::Found(1)) };
        let failed = ToolRun { findings: Vec::new(), ..tests::run(Status::TimedOut { after: Duration::ZERO }) };
        let about = About { version: Some("1".to_owned()), ..About::default() };
        let results = [
            ToolResult { about, ..tests::result("flake8", false, vec![found]) },
            tests::result("mypy", false, vec![failed]),
            tests::result("black", true, Vec::new()),
        ];
        let results: Vec<&ToolResult> = results.iter().collect();
        for document in [render(&results), render(&[])] {
            check_log(&serde_json::from_str(&document).unwrap());
        }
    }

    /// The rules of the schema of SARIF 2.1.0 for the properties that are used here: required and allowed properties, types and ranges.
    fn check_log(log: &Value) {
        only(log, &["$schema", "version", "runs"]);
        assert_eq!(log["version"], "2.1.0");
        for run in log["runs"].as_array().unwrap() {
            only(run, &["tool", "invocations", "originalUriBaseIds", "columnKind", "results"]);
            let driver = &run["tool"]["driver"];
            only(driver, &["name", "version", "informationUri", "rules"]);
            assert!(driver["name"].is_string() && driver.get("version").is_none_or(Value::is_string), "{driver}");
            let rules = driver["rules"].as_array().unwrap();
            for rule in rules {
                only(rule, &["id", "shortDescription", "fullDescription", "help", "helpUri"]);
                assert!(rules.iter().filter(|other| *other == rule).count() == 1 && rule["help"]["text"].is_string());
            }
            assert!(["utf16CodeUnits", "unicodeCodePoints"].contains(&run["columnKind"].as_str().unwrap()));
            for invocation in run["invocations"].as_array().unwrap() {
                only(invocation, &["executionSuccessful", "toolExecutionNotifications"]);
                assert!(invocation["executionSuccessful"].is_boolean());
            }
            for result in run["results"].as_array().unwrap() {
                only(result, &["ruleId", "level", "message", "locations"]);
                assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]), "{result}");
                assert!(["none", "note", "warning", "error"].contains(&result["level"].as_str().unwrap()));
                check_place(&result["locations"][0]["physicalLocation"], &run["originalUriBaseIds"]);
            }
        }
    }

    fn check_place(place: &Value, bases: &Value) {
        only(place, &["artifactLocation", "region"]);
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.is_ascii() && !uri.contains([' ', '\\']) && !uri.starts_with('/'), "{uri}");
        assert!(bases.get(place["artifactLocation"]["uriBaseId"].as_str().unwrap()).is_some());
        let region = place["region"].as_object();
        assert!(region.is_none_or(|region| region.values().all(|number| number.as_u64().is_some_and(|n| n >= 1))));
    }

    /// The schema allows no other properties.
    fn only(object: &Value, allowed: &[&str]) {
        let known = |key: &String| allowed.contains(&key.as_str());
        assert!(object.as_object().unwrap().keys().all(known), "{object}");
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
