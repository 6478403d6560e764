//! Traces: a run reuses the results of an earlier run if none of the files and variables in its trace changed, and only then.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::transcripts::workspace::{Workspace, store};

/// The directory `src/traced` of the repository `lint`, which a test edits and lints.
struct TracedLint {
    workspace: Workspace,
    root: PathBuf,
    args: Vec<&'static str>,
    vars: Vec<(&'static str, &'static str)>,
}

impl TracedLint {
    fn new() -> Option<TracedLint> {
        let workspace = Workspace::running()?;
        let root = fs::canonicalize(workspace.repository("lint")).unwrap();
        let traced = TracedLint { workspace, root, args: vec!["src/traced::"], vars: Vec::new() };
        traced.write("src/traced/BUILD", "python_sources()\n");
        traced.write("src/traced/one.py", "import os\n");
        traced.write(".hidden/config", "[flake8]\nextend-ignore = F401\n");
        traced.write(".hidden/source.py", "FIRST = 1\n");
        Some(traced)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The standard error of `lint`.
    fn lint(&self) -> String {
        let mut command = self.workspace.waders("lint", &["lint", "--only=flake8"]);
        let output = command.args(&self.args).envs(self.vars.iter().copied()).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn traces(&self) -> Vec<(PathBuf, u64)> {
        traces(&self.root)
    }

    /// Checks that `lint` reports these files twice: first without a trace, since `change` invalidated it, then from the new
    /// trace.
    fn check(&self, change: &str, files: &[&str]) {
        // Longer than the granularity of any file system's time stamps.
        std::thread::sleep(Duration::from_millis(300));
        let before = self.traces();
        let output = self.lint();
        let all = ["one.py", "two.py", "link.py"];
        let found: Vec<&str> =
            all.into_iter().filter(|file| output.contains(&format!("src/traced/{file}:1:"))).collect();
        assert_eq!(found, files, "{change}: {output}");
        let after = self.traces();
        assert_ne!(before, after, "{change}: a new trace is written");
        assert_eq!(self.lint().replace(" (cached locally)", ""), without_progress(&output), "{change}");
        assert_eq!(self.traces(), after, "{change}: the trace is reused");
    }
}

/// The traces of a repository with their inodes, which change whenever a trace is written.
fn traces(root: &Path) -> Vec<(PathBuf, u64)> {
    let name = blake3::hash(root.as_os_str().as_encoded_bytes()).to_hex();
    let paths = fs::read_dir(store().join("waders/repository")).unwrap().map(|entry| entry.unwrap().path());
    let is_trace = |path: &PathBuf| path.to_string_lossy().contains(&format!("{name}-trace-"));
    let inode = |path: &PathBuf| fs::metadata(path).unwrap().ino();
    let mut traces: Vec<_> = paths.filter(is_trace).map(|path| (path.clone(), inode(&path))).collect();
    traces.sort();
    traces
}

/// Removes the lines about steps that ran.
fn without_progress(output: &str) -> String {
    let lines = output.lines().filter(|line| !line.starts_with("Completed: "));
    lines.map(|line| format!("{}\n", line.replace(" (cached locally)", ""))).collect()
}

#[test]
fn any_change_of_a_tracked_file_or_variable_invalidates_the_trace() {
    let Some(mut traced) = TracedLint::new() else { return };
    traced.check("no trace", &["one.py"]);
    traced.write("src/traced/one.py", "FIRST = 1\n");
    traced.check("an edited source", &[]);
    traced.write("src/traced/two.py", "import os\n");
    traced.check("a new source", &["two.py"]);
    fs::remove_file(traced.root.join("src/traced/two.py")).unwrap();
    traced.check("a deleted source", &[]);

    let one = traced.root.join("src/traced/one.py");
    let time = fs::metadata(&one).unwrap().modified().unwrap();
    traced.write("src/traced/one.py", "import os\n");
    fs::File::options().write(true).open(&one).unwrap().set_modified(time).unwrap();
    traced.check("an edit that preserves size and modification time", &["one.py"]);

    std::os::unix::fs::symlink("../../.hidden/source.py", traced.root.join("src/traced/link.py")).unwrap();
    traced.check("a link to an ignored file", &["one.py"]);
    traced.write(".hidden/source.py", "import os\n");
    traced.check("the target of a link", &["one.py", "link.py"]);
    traced.write(".gitignore", "link.py\n");
    traced.check("ignore rules", &["one.py"]);

    traced.write("setup.cfg", "[flake8]\nextend-ignore = F401\n");
    traced.check("a new settings file", &[]);
    fs::remove_file(traced.root.join("setup.cfg")).unwrap();
    traced.check("a deleted settings file", &["one.py"]);
    traced.args.push("--flake8-config=.hidden/config");
    traced.check("a settings file that a flag names", &[]);
    traced.write(".hidden/config", "[flake8]\n");
    traced.check("a settings file in an ignored directory", &["one.py"]);
    traced.args.pop();

    traced.write("src/traced/BUILD", "python_sources(skip_flake8=True)\n");
    traced.check("a BUILD file", &[]);
    traced.write("src/traced/BUILD", "python_sources(skip_flake8=env(\"SKIPS\") == \"yes\")\n");
    traced.check("an unset variable", &["one.py"]);
    traced.vars.push(("SKIPS", "yes"));
    traced.check("a set variable", &[]);
    traced.vars.pop();

    traced.write("src/traced/two.py", "import os\n");
    traced.write(".hidden/specs", "src/traced/two.py\n");
    traced.args = vec!["--spec-files=.hidden/specs"];
    traced.check("a file of specs", &["two.py"]);
    traced.write(".hidden/specs", "src/traced/one.py\n");
    traced.check("an edited file of specs", &["one.py"]);
}

#[test]
fn fmt_rewrites_a_file_whenever_it_is_unformatted() {
    let Some(traced) = TracedLint::new() else { return };
    let fmt = || {
        std::thread::sleep(Duration::from_millis(300));
        let output = traced.workspace.waders("lint", &["fmt", "--only=black", "src/traced::"]).output().unwrap();
        assert!(output.status.success());
        fs::read_to_string(traced.root.join("src/traced/one.py")).unwrap()
    };
    for round in ["first round", "second round"] {
        traced.write("src/traced/one.py", "ONE = ( 1 )\n");
        assert_eq!(fmt(), "ONE = 1\n", "{round}");
        assert_eq!(fmt(), "ONE = 1\n", "{round}: nothing to do");
        let traces = traced.traces();
        assert_eq!(fmt(), "ONE = 1\n", "{round}: nothing changed");
        assert_eq!(traced.traces(), traces, "{round}: the trace is reused");
    }
}

#[test]
fn results_that_are_missing_in_the_store_are_recomputed() {
    let Some(traced) = TracedLint::new() else { return };
    traced.write("src/traced/one.py", "import lost_to_the_store\n");
    traced.check("no trace", &["one.py"]);
    let output = traced.lint();
    delete_blobs("lost_to_the_store' imported");
    let again = traced.lint();
    assert!(again.contains("src/traced/one.py:1:1: F401"), "{again}");
    assert_eq!(without_progress(&output).lines().next(), again.lines().find(|line| line.contains("flake8 failed (")));
}

#[test]
fn messages_of_the_preparation_are_repeated() {
    let Some(traced) = TracedLint::new() else { return };
    std::thread::sleep(Duration::from_millis(300));
    let check = || {
        let args = ["check", "--only=mypy", "--mypy-config=django.ini", "src/shop::"];
        let output = traced.workspace.waders("checking", &args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let notes = stderr.lines().filter(|line| line.starts_with("note: ")).map(str::to_owned);
        (output.status.code(), notes.collect::<Vec<_>>())
    };
    let first = check();
    assert!(first.1[0].starts_with("note: mypy runs without incremental state"), "{first:?}");
    assert_eq!(check(), first);
    assert_eq!(check(), first);
}

#[test]
fn passed_tests_are_reused_and_failed_tests_run_again() {
    let Some(workspace) = Workspace::running() else { return };
    let root = fs::canonicalize(workspace.repository("caching")).unwrap();
    let write = |text: &str| fs::write(root.join("tests/it_test.py"), text).unwrap();
    let report = root.join("dist/test/reports/tests.it_test.py.xml");
    let check = |code: i32, is_cached: bool| {
        // The report creates `dist` in the build root, and recent changes prevent a trace.
        std::thread::sleep(Duration::from_millis(300));
        let output = workspace.waders("caching", &["test", "--test-report", "tests/it_test.py"]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.contains("cached locally")), (Some(code), is_cached), "{stderr}");
        assert!(fs::read_to_string(&report).unwrap().contains("it_test"), "{stderr}");
        fs::remove_file(&report).unwrap();
        traces(&root)
    };
    write("def test_of_traces():\n    assert True\n");
    check(0, false);
    let traces = check(0, true);
    assert_eq!((traces.len(), check(0, true)), (1, traces.clone()), "the trace is reused");
    write("def test_of_traces():\n    assert False\n");
    check(1, false);
    assert_eq!(check(1, false), traces, "a failed test leaves no trace");
    write("def test_of_traces():\n    assert True\n");
    assert_ne!(check(0, true), traces, "the file changed, but the result is cached");
    delete_blobs("name=\"test_of_traces\"");
    check(0, false);
    check(0, true);
}

/// Deletes the blobs that contain a text from the store. There must be at least one.
fn delete_blobs(text: &str) {
    let directories = fs::read_dir(store().join("waders/blob")).unwrap().flatten();
    let blobs =
        directories.flat_map(|directory| fs::read_dir(directory.path()).unwrap().flatten()).map(|entry| entry.path());
    let contains_text = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|content| content.contains(text));
    let found: Vec<PathBuf> = blobs.filter(contains_text).collect();
    assert!(!found.is_empty(), "no blob contains `{text}`");
    found.iter().for_each(|path| fs::remove_file(path).unwrap());
}
