//! Findings in the format of GitLab's Code Quality reports, which are a subset of Code Climate's: a list of issues. GitLab shows them
//! in the changes of a merge request.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::Digest;
use crate::report::finding::{Finding, Level};
use crate::report::tool_result::ToolResult;

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: String,
    /// The same for the same problem in another revision, and different for each issue of a report.
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// Renders the findings of all tools as one document, with a final newline. A tool that failed is an issue of each of its files, so that
/// its findings do not seem to be resolved.
pub fn render(results: &[&ToolResult]) -> String {
    let mut seen = BTreeMap::new();
    let mut issues = Vec::new();
    let results: Vec<(&str, Vec<Finding>)> = results.iter().map(|result| (result.name.as_str(), all(result))).collect();
    for (tool, findings) in &results {
        issues.extend(findings.iter().map(|finding| issue(tool, finding, &mut seen)));
    }
    serde_json::to_string_pretty(&issues).expect("texts and numbers are JSON") + "\n"
}

fn all(result: &ToolResult) -> Vec<Finding> {
    let failed = result.runs.iter().filter(|run| !run.status.is_done());
    let failures = failed.flat_map(|run| {
        let message = format!("`{}` failed: {}", result.name, run.status.reason());
        run.files.iter().map(move |file| Finding::for_file(file, message.clone()))
    });
    result.findings().into_iter().chain(failures).collect()
}

/// `seen` counts equal problems of a file. The line is no part of the fingerprint: a problem that moves is not a new one.
fn issue<'a>(tool: &str, finding: &'a Finding, seen: &mut BTreeMap<String, usize>) -> Issue<'a> {
    let check_name = finding.code.as_ref().map_or_else(|| tool.to_owned(), |code| format!("{tool} {code}"));
    let problem = [tool, &finding.file, finding.code.as_deref().unwrap_or_default(), &finding.message].join("\n");
    let number = seen.entry(problem.clone()).or_default();
    *number += 1;
    Issue {
        description: finding.message.clone(),
        check_name,
        fingerprint: Digest::of(format!("{problem}\n{number}").as_bytes()).hex(),
        severity: match finding.level {
            Level::Error => "major",
            Level::Warning => "minor",
            Level::Note => "info",
        },
        location: Location { path: &finding.file, lines: Lines { begin: finding.line.unwrap_or(1) } },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::report::Status;
    use crate::report::finding::tests::finding;
    use crate::report::tool_result::{ToolRun, tests};

    fn issues(findings: Vec<Finding>) -> Vec<Value> {
        let run = ToolRun { findings, ..tests::run(Status::Found(1)) };
        let text = render(&[&tests::result("flake8", false, vec![run])]);
        serde_json::from_str::<Vec<Value>>(&text).unwrap()
    }

    #[test]
    fn an_issue_has_everything_that_gitlab_requires() {
        let mut issues = issues(vec![finding("src/a.py", 3, 1, "F401", "unused")]);
        let fingerprint = issues[0]["fingerprint"].take();
        assert_eq!(fingerprint.as_str().unwrap().len(), 64);
        assert_eq!(
            issues,
            [json!({
                "description": "unused", "check_name": "flake8 F401", "fingerprint": null, "severity": "major",
                "location": { "path": "src/a.py", "lines": { "begin": 3 } },
            })]
        );
        assert_eq!(render(&[]), "[]\n");
    }

    #[test]
    fn fingerprints_are_distinct_and_independent_of_lines() {
        let prints = |lines: [u32; 3]| -> Vec<String> {
            let found = lines.map(|line| finding("a.py", line, 1, "F401", "unused")).to_vec();
            let found = found.into_iter().chain([finding("b.py", 1, 1, "F401", "unused")]).collect();
            issues(found).iter().map(|issue| issue["fingerprint"].to_string()).collect()
        };
        assert_eq!(prints([1, 2, 3]), prints([11, 12, 13]));
        assert_eq!(prints([1, 2, 3]).into_iter().collect::<BTreeSet<_>>().len(), 4);
    }

    #[test]
    fn a_tool_that_failed_is_an_issue() {
        let text = render(&[&tests::result("mypy", false, vec![tests::run(Status::Failed(2))])]);
        let issues: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!((issues.len(), &issues[0]["description"]), (2, &json!("`mypy` failed: exit code 2")), "{text}");
    }
}
