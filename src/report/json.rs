//! Test results for machines. The shape is a promise: additions raise nothing, any other change raises the version.

use serde::Serialize;

use crate::action::Origin;
use crate::report::test_result::{Status, TestResult};

pub const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    goal: &'static str,
    exit_code: i32,
    tests: Vec<Test<'a>>,
}

#[derive(Serialize)]
struct Test<'a> {
    name: &'a str,
    addresses: &'a [String],
    /// `passed`, `skipped`, `failed`, `killed`, `timed-out`, `out-of-memory`, `interrupted`, `not-run`.
    status: &'static str,
    exit_code: i32,
    reason: Option<String>,
    seconds: f64,
    attempts: u32,
    /// `ran`, `cached`, or null where nothing ran.
    origin: Option<Origin>,
}

/// One document, sorted by name, with a line end.
pub fn render(results: &[TestResult], exit_code: i32) -> String {
    let mut sorted: Vec<&TestResult> = results.iter().collect();
    sorted.sort_by_key(|result| &result.name);
    let tests = sorted.into_iter().map(test).collect();
    let document = Document { schema_version: SCHEMA_VERSION, goal: "test", exit_code, tests };
    serde_json::to_string_pretty(&document).expect("texts and numbers are JSON") + "\n"
}

fn test(result: &TestResult) -> Test<'_> {
    Test {
        name: &result.name,
        addresses: &result.addresses,
        status: result.status.word(),
        exit_code: result.status.exit_code(),
        reason: (result.status != Status::Passed).then(|| result.status.reason()),
        seconds: (result.wall.as_secs_f64() * 1000.0).round() / 1000.0,
        attempts: result.attempts,
        origin: result.origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_result::tests::result;

    #[test]
    fn results_are_sorted_and_versioned() {
        let text = render(&[result("b", Status::Failed(1)), result("a", Status::Passed)], 1);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["schema_version"], 1);
        assert_eq!(document["tests"][0]["name"], "a");
        assert_eq!(
            document["tests"][1],
            serde_json::json!({
                "name": "b", "addresses": ["b"], "status": "failed", "exit_code": 1, "reason": "exit code 1",
                "seconds": 1.234, "attempts": 1, "origin": "ran",
            })
        );
    }
}
