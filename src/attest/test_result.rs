//! The result of tests, linters and checkers as an in-toto predicate. The format is
//! <https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md>, version 0.1.

use serde_json::{Value, json};

use crate::attest::material::{Material, SETTINGS};
use crate::attest::statement::{Statement, Subject};

/// The type of the predicate.
pub const PREDICATE: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// How tests ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestOutcome {
    /// Whether the process succeeded.
    pub passed: bool,
    /// The names of the tests that passed, in the order of the report.
    pub passed_tests: Vec<String>,
    /// Those that were skipped or expected to fail.
    pub warned_tests: Vec<String>,
    /// Those that failed.
    pub failed_tests: Vec<String>,
}

/// The statement on how these reports came out. The configuration is the settings files among the materials.
pub fn statement(subjects: Vec<Subject>, outcome: &TestOutcome, materials: &[Material]) -> Statement {
    let settings = materials.iter().map(Material::descriptor);
    let settings: Vec<Value> = settings.filter(|one| one["annotations"]["kind"] == SETTINGS).collect();
    let predicate = json!({
        "result": if outcome.passed { "PASSED" } else { "FAILED" },
        "configuration": settings,
        "passedTests": outcome.passed_tests,
        "warnedTests": outcome.warned_tests,
        "failedTests": outcome.failed_tests,
    });
    Statement::new(subjects, PREDICATE, predicate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attest::material::tests::material;
    use crate::attest::{MaterialKind, Role};

    #[test]
    fn a_failed_result_names_the_tests_that_failed() {
        let outcome = TestOutcome { failed_tests: vec!["a::b".to_owned()], ..TestOutcome::default() };
        let settings = material(MaterialKind::Settings, "pants.toml", Role::Environment);
        let source = material(MaterialKind::Source { executable: false }, "a.py", Role::Content);
        let statement = statement(vec![Subject::new("junit.xml", "11")], &outcome, &[settings.clone(), source]);
        assert_eq!(statement.predicate["result"], json!("FAILED"));
        assert_eq!(statement.predicate["failedTests"], json!(["a::b"]));
        assert_eq!(statement.predicate["configuration"], json!([settings.descriptor()]));
    }
}
