//! `verify`: results that differ from run to run are found and named, and a reproducible repository passes under all conditions.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::transcripts::workspace::Workspace;

const REPOSITORY: &str = "verifying";

/// The exit code for results that differ.
const DIFFERENT: i32 = 79;

/// Runs `verify` and returns its exit code and its JSON.
fn verify(workspace: &Workspace, args: &[&str]) -> (i32, Value) {
    let args: Vec<&str> = ["verify", "--json"].iter().chain(args).copied().collect();
    let output = workspace.waders(REPOSITORY, &args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    (output.status.code().unwrap(), json)
}

/// `place: kind` of every described file, with the name of its step.
fn described(json: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of_step = |step: &Value| {
        let files = step["files"].as_array().unwrap().clone();
        let name = text(&step["step"]);
        files.into_iter().map(move |file| (name.clone(), format!("{}: {}", text(&file["place"]), text(&file["kind"]))))
    };
    json["differences"].as_array().unwrap().iter().flat_map(of_step).collect()
}

#[test]
fn each_kind_of_difference_is_found_and_named() {
    let Some(workspace) = Workspace::running() else { return };
    let (code, json) = verify(&workspace, &["--vary", "wrong::"]);
    let mut found = described(&json);
    found.sort();
    let expected = [
        ("build wrong/dated:dist", "fixture_dated-1.0-py3-none-any.whl!fixture_dated-1.0.dist-info/METADATA: time"),
        ("generate wrong/generated:token", "wrong/generated/token.txt: random"),
        ("wrong/bytecode_test.py:tests", "extra-output/module.pyc: bytecode"),
        ("wrong/order_test.py:tests", "extra-output/listing.txt: order"),
        ("wrong/path_test.py:tests", "extra-output/store.txt: path"),
        ("wrong/random_test.py:tests", "extra-output/token.txt: random"),
        ("wrong/time_test.py:tests", "extra-output/built.txt: time"),
    ];
    assert_eq!(found, expected.map(|(step, file)| (step.to_owned(), file.to_owned())), "{json:#}");
    assert_eq!((code, json["exit_code"].as_i64()), (DIFFERENT, Some(DIFFERENT.into())));
}

#[test]
fn a_reproducible_repository_passes_under_all_conditions() {
    let Some(workspace) = Workspace::running() else { return };
    let goals = ["lint", "check", "test", "package", "export"];
    let (code, json) = verify(&workspace, &[&["--vary"], &goals[..], &["sound::"]].concat());
    // The failed test fails the same way in both runs.
    assert_eq!((code, &json["counts"]["different"]), (1, &Value::from(0)), "{json:#}");
    assert_eq!(json["goals"], serde_json::json!(goals));
    if std::thread::available_parallelism().unwrap().get() == 1 {
        return println!("skipped: the documented matrix needs two processors");
    }
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reproducibility.md")).unwrap();
    let matrix = matrix(&json, &goals);
    assert!(document.contains(&matrix), "docs/reproducibility.md should contain:\n{matrix}");
}

/// A row for each condition and a column for each goal.
fn matrix(json: &Value, goals: &[&str]) -> String {
    let mut table = format!("| condition | {} |\n|---|{}\n", goals.join(" | "), "---|".repeat(goals.len()));
    for condition in json["conditions"].as_array().unwrap() {
        let result = |goal: &&str| {
            let counts = &json["counts_by_goal"][goal];
            let is_compared =
                ["identical", "measured", "relocated"].iter().any(|kind| counts[kind].as_u64().unwrap() > 0);
            match (condition["skipped"].is_null(), is_compared && counts["different"] == 0) {
                (false, _) => "not varied",
                (true, true) => "identical",
                (true, false) => "different",
            }
        };
        let cells: Vec<&str> = goals.iter().map(result).collect();
        table += &format!("| `{}` | {} |\n", condition["name"].as_str().unwrap(), cells.join(" | "));
    }
    table
}

#[test]
fn results_are_compared_with_those_of_another_machine() {
    let Some(workspace) = Workspace::running() else { return };
    let root = workspace.repository(REPOSITORY);
    let package = |dir: &str| verify(&workspace, &[&format!("--against={dir}"), "package", "sound/lib:dist"]);
    let run = workspace.waders(REPOSITORY, &["package", "sound/lib:dist"]).output().unwrap();
    assert!(run.status.success());
    let other = root.join("other");
    fs::rename(root.join("dist"), &other).unwrap();
    let (code, json) = package("other");
    assert_eq!((code, &json["counts"]["identical"], &json["counts"]["absent"]), (0, &1.into(), &0.into()), "{json:#}");
    fs::write(other.join("fixture_numbers-1.0-py3-none-any.whl"), "not a wheel").unwrap();
    let (code, json) = package("other");
    assert_eq!((code, &json["counts"]["different"]), (DIFFERENT, &1.into()), "{json:#}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let Some(workspace) = Workspace::running() else { return };
    for (args, message) in [
        (&["verify", "fmt", "::"][..], "`verify` cannot compare the steps of `fmt`"),
        (&["verify", "--vary=moon", "::"], "unknown condition `moon`"),
        (
            &["verify", "--against=sound", "package", "sound/lib:dist"],
            "it contains neither a store nor any of the packages",
        ),
    ] {
        let output = workspace.waders(REPOSITORY, args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(message), "{args:?}: {stderr}");
        assert_eq!(output.status.code(), Some(1));
    }
}
