//! What a run of tests reports to people and to CI services: JUnit reports, annotations, the summary of a step, single tests, and how
//! a run ends at the first failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::transcripts::workspace::{Workspace, now_nanos};

const REPOSITORY: &str = "reporting";

fn run(workspace: &Workspace, args: &[&str], vars: &[(&str, &Path)]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        workspace.waders(REPOSITORY, args).envs(vars.iter().copied()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The attributes of all test cases of a report that have this name.
fn case(report: &str, name: &str) -> String {
    let begin = report.find(&format!("name=\"{name}\"")).unwrap_or_else(|| panic!("{name} in {report}"));
    report[begin..].split('>').next().unwrap().to_owned()
}

/// Checks reports against the schema. Prints why it cannot, where the program is missing.
fn validate(reports: &[PathBuf]) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = manifest.join("target/ci/bin/python");
    let script = "import sys\ntry:\n    import xmlschema\nexcept ImportError:\n    sys.exit(77)\n\
                  schema = xmlschema.XMLSchema(sys.argv[1])\nfor path in sys.argv[2:]:\n    schema.validate(path)\n";
    let schema = manifest.join("tests/it/junit.xsd");
    let Ok(output) = Command::new(python).args(["-c", script]).arg(schema).args(reports).output() else {
        return println!("skipped: `target/ci` does not exist, which `.ci/run` makes");
    };
    match output.status.code() {
        Some(77) => println!("skipped: `target/ci` has no package xmlschema"),
        code => assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn failed_tests_are_reported_with_file_and_line() {
    let Some(workspace) = Workspace::running() else { return };
    let summary = workspace.repository(REPOSITORY).join("summary.md");
    fs::write(&summary, "before\n").unwrap();
    let args = ["test", "--report", "--json", "src/a_fails_test.py", "src/c_passes_test.py", "src/d_syntax_test.py"];
    let vars = [("GITHUB_ACTIONS", Path::new("true")), ("GITHUB_STEP_SUMMARY", &summary)];
    let (code, stdout, stderr) = run(&workspace, &args, &vars);
    assert_eq!(code, 2, "{stderr}");
    let totals = "1 file passed, 2 failed: 5 tests passed, 5 failed, 1 skipped, 1 xfailed in ";
    assert!(stderr.contains(totals), "{stderr}");
    assert!(!stderr.contains("x1B"), "{stderr}");
    for annotation in [
        "::error file=src/a_fails_test.py,line=12,title=src/a_fails_test.py%3A%3Atest_with_parameters[a|b <c>]::",
        "::error file=src/a_fails_test.py,title=src/a_fails_test.py%3A%3ATestClass%3A%3Atest_inherited::",
        "::error file=src/a_fails_test.py,line=24,title=src/a_fails_test.py%3A%3Atest_without_setup::failed on setup",
        "::error file=src/d_syntax_test.py,line=1,title=src.d_syntax_test::collection failure",
    ] {
        assert!(stderr.contains(annotation), "{annotation}\n{stderr}");
    }
    let summary = fs::read_to_string(summary).unwrap();
    assert!(summary.starts_with("before\n### ❌ `waders test`\n\n1 file passed, 2 failed"), "{summary}");
    assert!(
        summary.contains("| src/a\\_fails\\_test.py::test\\_with\\_parameters\\[a&#124;b &lt;c&gt;\\] |"),
        "{summary}"
    );
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["totals"]["tests"]["failed"], 5, "{stdout}");
    assert_eq!(document["tests"][1]["counts"]["passed"], 2, "{stdout}");

    let dir = workspace.repository(REPOSITORY).join("dist/test/reports");
    let reports = ["src.a_fails_test.py", "src.c_passes_test.py", "src.d_syntax_test.py"];
    let reports = reports.map(|name| dir.join(format!("{name}.xml")));
    validate(&reports);
    let report = fs::read_to_string(&reports[0]).unwrap();
    assert!(case(&report, "test_passes").contains(r#"file="src/a_fails_test.py" line="6""#), "{report}");
    assert!(case(&report, "test_method").contains(r#"file="src/a_fails_test.py" line="18""#), "{report}");
    let inherited = case(&report, "test_inherited");
    assert!(inherited.contains(r#"file="src/a_fails_test.py""#) && !inherited.contains("line="), "{report}");
}

#[test]
fn a_single_test_runs_alone_and_is_cached_for_itself() {
    let Some(workspace) = Workspace::running() else { return };
    let test = |specs: &[&str]| run(&workspace, &[&["test"], specs].concat(), &[]);
    let method = "src/a_fails_test.py::TestClass::test_method";
    let (code, _, stderr) = test(&[method, "src/a_fails_test.py::test_with_parameters[plain]", "src/c_passes_test.py"]);
    assert!(code == 0 && stderr.contains("\n2 files passed: 4 tests passed in "), "{stderr}");
    let (code, _, stderr) = test(&[method]);
    assert!(code == 0 && stderr.contains("\n1 file passed: 1 test passed in "), "{stderr}");
    let (code, _, stderr) = test(&[method]);
    assert!(code == 0 && stderr.contains("\n1 file passed (1 cached): 1 test passed in "), "{stderr}");
    // The result of a part is not that of the file.
    let (code, _, stderr) = test(&["src/a_fails_test.py"]);
    assert!(code == 1 && stderr.contains(": 3 tests passed, 4 failed"), "{stderr}");
    let (code, _, stderr) = test(&["src/a_fails_test.py::test_with_parameters[[x::y]]"]);
    assert!(code == 1 && stderr.contains("\n1 file failed: 1 test failed in "), "{stderr}");
}

#[test]
fn slow_tests_are_named_when_they_run() {
    let Some(workspace) = Workspace::running() else { return };
    let test = || run(&workspace, &["test", "--slowest=1", "src/e_slow_test.py", "src/c_passes_test.py"], &[]);
    let slow = regex::Regex::new(
        r"\nSlowest tests:\n +\d\.\d\ds src/e_slow_test\.py::TestSlow::test_that_takes_a_second\n2 files",
    )
    .unwrap();
    let (_, _, stderr) = test();
    assert!(slow.is_match(&stderr), "{stderr}");
    let (_, _, stderr) = test();
    assert!(!stderr.contains("Slowest") && stderr.contains("2 files passed (2 cached)"), "{stderr}");
}

#[test]
fn pytest_reports_a_test_that_does_not_exist() {
    let Some(workspace) = Workspace::running() else { return };
    let test = |spec: &str| run(&workspace, &["test", spec], &[]);
    let (code, _, stderr) = test("src/c_passes_test.py::test_three");
    assert!(code == 4 && stderr.contains("not found: /src/src/c_passes_test.py::test_three"), "{code} {stderr}");
    let (code, _, stderr) = test("src/missing_test.py::test_one");
    assert!(code == 1 && stderr.contains("`src/missing_test.py` matches no file"), "{stderr}");
    let (code, _, stderr) = run(&workspace, &["list", "src/c_passes_test.py::test_one"], &[]);
    assert!(code == 1 && stderr.contains("hint: write `src/c_passes_test.py` for the file"), "{stderr}");
}

#[test]
fn the_first_failure_stops_the_other_files() {
    let Some(workspace) = Workspace::running() else { return };
    let test = |args: &[&str]| run(&workspace, &[&["test", "--fail-fast", "--report"], args].concat(), &[]);
    // Which of them begins is not determined.
    let (code, _, stderr) =
        test(&["--process-execution-local-parallelism=1", "src/a_fails_test.py", "src/d_syntax_test.py"]);
    assert!(code == 1 || code == 2, "{code} {stderr}");
    let stopped = "\nStopped after the first failure: 1 file did not run (`--fail-fast`)\n1 file failed, 1 not run";
    assert!(stderr.contains(stopped), "{stderr}");
    let reports = workspace.repository(REPOSITORY).join("dist/test/reports");
    assert_eq!(fs::read_dir(&reports).unwrap().count(), 1, "{stderr}");

    // The other test takes five minutes.
    let begun = Instant::now();
    let (code, _, stderr) =
        test(&["--process-execution-local-parallelism=3", "src/a_fails_test.py", "src/b_long_test.py"]);
    assert!(code == 1 && stderr.contains(stopped) && begun.elapsed() < Duration::from_secs(200), "{stderr}");

    // Without a failure, nothing is stopped.
    let (code, _, stderr) = test(&["src/c_passes_test.py"]);
    assert!(code == 0 && stderr.contains("\n1 file passed: 2 tests passed in "), "{stderr}");
}

#[test]
fn the_first_finding_stops_the_other_processes_of_linters() {
    let Some(workspace) = Workspace::running() else { return };
    let dir = workspace.repository("lint").join("src/app");
    let files: Vec<String> = (0..4).map(|number| format!("src/app/extra_{number}.py")).collect();
    for file in &files {
        let name = file.rsplit('/').next().unwrap();
        fs::write(dir.join(name), format!("import os\n\nRUN = {}\n", now_nanos())).unwrap();
    }
    let lint = |flags: &[&str]| {
        let mut args =
            vec!["--process-execution-local-parallelism=1", "lint", "--only=flake8", "--batch-size=1", "--json"];
        args.extend(flags);
        args.extend(files.iter().map(String::as_str));
        let Output { status, stdout, stderr } = workspace.waders("lint", &args).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&stdout).unwrap_or_else(|_| panic!("{stderr}"));
        let runs = json["tools"][0]["runs"].as_array().unwrap().clone();
        let count = |status: &str| runs.iter().filter(|run| run["status"] == status).count();
        (status.code().unwrap(), count("found"), count("stopped"), stderr)
    };
    let (code, found, stopped, stderr) = lint(&["--fail-fast"]);
    assert_eq!((code, found, stopped), (1, 1, 3), "{stderr}");
    assert!(stderr.contains("✕ flake8 failed in ") && !stderr.contains("not run"), "{stderr}");
    let (code, found, stopped, stderr) = lint(&[]);
    assert_eq!((code, found, stopped), (1, 4, 0), "{stderr}");
}
