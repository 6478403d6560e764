//! Runs that find everything as an earlier one left it answer from its trace; whatever of it is another, they do not.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::transcripts::ground::{Ground, store};

/// `src/seen` of the repository `lint`, as one test changes it.
struct Observation {
    ground: Ground,
    root: PathBuf,
    args: Vec<&'static str>,
    vars: Vec<(&'static str, &'static str)>,
}

impl Observation {
    fn new() -> Option<Observation> {
        let ground = Ground::running()?;
        let root = fs::canonicalize(ground.repository("lint")).unwrap();
        let seen = Observation { ground, root, args: vec!["src/seen::"], vars: Vec::new() };
        seen.write("src/seen/BUILD", "python_sources()\n");
        seen.write("src/seen/one.py", "import os\n");
        seen.write(".hidden/config", "[flake8]\nextend-ignore = F401\n");
        seen.write(".hidden/source.py", "FIRST = 1\n");
        Some(seen)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What flake8 says.
    fn said(&self) -> String {
        let mut command = self.ground.waders("lint", &["lint", "--only=flake8"]);
        let output = command.args(&self.args).envs(self.vars.iter().copied()).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn traces(&self) -> Vec<(PathBuf, u64)> {
        traces(&self.root)
    }

    /// What is found now, and once more: the first time everything is looked at anew, the second time nothing.
    fn finds(&self, why: &str, files: &[&str]) {
        // Longer than any file system's clock takes to tick.
        std::thread::sleep(Duration::from_millis(300));
        let before = self.traces();
        let said = self.said();
        let all = ["one.py", "two.py", "link.py"];
        let found: Vec<&str> = all.into_iter().filter(|file| said.contains(&format!("src/seen/{file}:1:"))).collect();
        assert_eq!(found, files, "{why}: {said}");
        let kept = self.traces();
        assert_ne!(before, kept, "{why}: it is not answered from a trace");
        assert_eq!(self.said().replace(" (cached locally)", ""), without_progress(&said), "{why}");
        assert_eq!(self.traces(), kept, "{why}: it is answered from the trace");
    }
}

/// Each trace of a repository with its inode: it is a new file whenever it is kept anew.
fn traces(root: &Path) -> Vec<(PathBuf, u64)> {
    let name = blake3::hash(root.as_os_str().as_encoded_bytes()).to_hex();
    let paths = fs::read_dir(store().join("waders/repository")).unwrap().map(|entry| entry.unwrap().path());
    let is_trace = |path: &PathBuf| path.to_string_lossy().contains(&format!("{name}-trace-"));
    let inode = |path: &PathBuf| fs::metadata(path).unwrap().ino();
    let mut traces: Vec<_> = paths.filter(is_trace).map(|path| (path.clone(), inode(&path))).collect();
    traces.sort();
    traces
}

/// Without what is told of steps that ran.
fn without_progress(said: &str) -> String {
    let lines = said.lines().filter(|line| !line.starts_with("Completed: "));
    lines.map(|line| format!("{}\n", line.replace(" (cached locally)", ""))).collect()
}

#[test]
fn whatever_is_looked_at_is_looked_at_anew_when_it_changed() {
    let Some(mut seen) = Observation::new() else { return };
    seen.finds("the first time", &["one.py"]);
    seen.write("src/seen/one.py", "FIRST = 1\n");
    seen.finds("a source that was edited", &[]);
    seen.write("src/seen/two.py", "import os\n");
    seen.finds("a source that is new", &["two.py"]);
    fs::remove_file(seen.root.join("src/seen/two.py")).unwrap();
    seen.finds("a source that is gone", &[]);

    let one = seen.root.join("src/seen/one.py");
    let time = fs::metadata(&one).unwrap().modified().unwrap();
    seen.write("src/seen/one.py", "import os\n");
    fs::File::options().write(true).open(&one).unwrap().set_modified(time).unwrap();
    seen.finds("as long as before, and of the same time", &["one.py"]);

    std::os::unix::fs::symlink("../../.hidden/source.py", seen.root.join("src/seen/link.py")).unwrap();
    seen.finds("a link to what is ignored", &["one.py"]);
    seen.write(".hidden/source.py", "import os\n");
    seen.finds("what the link leads to", &["one.py", "link.py"]);
    seen.write(".gitignore", "link.py\n");
    seen.finds("rules of what is ignored", &["one.py"]);

    seen.write("setup.cfg", "[flake8]\nextend-ignore = F401\n");
    seen.finds("settings that were not there", &[]);
    fs::remove_file(seen.root.join("setup.cfg")).unwrap();
    seen.finds("settings that are gone", &["one.py"]);
    seen.args.push("--flake8-config=.hidden/config");
    seen.finds("settings that the command line names", &[]);
    seen.write(".hidden/config", "[flake8]\n");
    seen.finds("settings where nothing is listed", &["one.py"]);
    seen.args.pop();

    seen.write("src/seen/BUILD", "python_sources(skip_flake8=True)\n");
    seen.finds("a BUILD file", &[]);
    seen.write("src/seen/BUILD", "python_sources(skip_flake8=env(\"SKIPS\") == \"yes\")\n");
    seen.finds("a variable that is not set", &["one.py"]);
    seen.vars.push(("SKIPS", "yes"));
    seen.finds("a variable that is", &[]);
    seen.vars.pop();

    seen.write("src/seen/two.py", "import os\n");
    seen.write(".hidden/specs", "src/seen/two.py\n");
    seen.args = vec!["--spec-files=.hidden/specs"];
    seen.finds("a file of specs", &["two.py"]);
    seen.write(".hidden/specs", "src/seen/one.py\n");
    seen.finds("a file of specs that was edited", &["one.py"]);
}

#[test]
fn a_file_is_written_each_time_that_it_needs_to_be() {
    let Some(seen) = Observation::new() else { return };
    let fmt = || {
        std::thread::sleep(Duration::from_millis(300));
        let output = seen.ground.waders("lint", &["fmt", "--only=black", "src/seen::"]).output().unwrap();
        assert!(output.status.success());
        fs::read_to_string(seen.root.join("src/seen/one.py")).unwrap()
    };
    for round in ["the first time", "the second time"] {
        seen.write("src/seen/one.py", "ONE = ( 1 )\n");
        assert_eq!(fmt(), "ONE = 1\n", "{round}");
        assert_eq!(fmt(), "ONE = 1\n", "{round}, nothing to do");
        let kept = seen.traces();
        assert_eq!(fmt(), "ONE = 1\n", "{round}, nothing changed");
        assert_eq!(seen.traces(), kept, "{round}: it is answered from the trace");
    }
}

#[test]
fn what_an_answer_consists_of_is_made_again_where_the_store_lost_it() {
    let Some(seen) = Observation::new() else { return };
    seen.write("src/seen/one.py", "import lost_to_the_store\n");
    seen.finds("the first time", &["one.py"]);
    let said = seen.said();
    lose("lost_to_the_store' imported");
    let again = seen.said();
    assert!(again.contains("src/seen/one.py:1:1: F401"), "{again}");
    assert_eq!(without_progress(&said).lines().next(), again.lines().find(|line| line.contains("flake8 failed (")));
}

#[test]
fn what_was_told_on_the_way_is_told_each_time() {
    let Some(seen) = Observation::new() else { return };
    std::thread::sleep(Duration::from_millis(300));
    let told = || {
        let args = ["check", "--only=mypy", "--mypy-config=django.ini", "src/shop::"];
        let output = seen.ground.waders("checking", &args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let notes = stderr.lines().filter(|line| line.starts_with("note: ")).map(str::to_owned);
        (output.status.code(), notes.collect::<Vec<_>>())
    };
    let first = told();
    assert!(first.1[0].starts_with("note: mypy runs without incremental state"), "{first:?}");
    assert_eq!(told(), first);
    assert_eq!(told(), first);
}

#[test]
fn tests_that_passed_are_answered_and_one_that_failed_runs_again() {
    let Some(ground) = Ground::running() else { return };
    let root = fs::canonicalize(ground.repository("kept")).unwrap();
    let write = |text: &str| fs::write(root.join("tests/it_test.py"), text).unwrap();
    let report = root.join("dist/test/reports/tests.it_test.py.xml");
    let check = |code: i32, is_cached: bool| {
        // Reports make `dist` in the root: what changed just now is in no trace.
        std::thread::sleep(Duration::from_millis(300));
        let output = ground.waders("kept", &["test", "--test-report", "tests/it_test.py"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.contains("cached locally")), (Some(code), is_cached), "{said}");
        assert!(fs::read_to_string(&report).unwrap().contains("it_test"), "{said}");
        fs::remove_file(&report).unwrap();
        traces(&root)
    };
    write("def test_of_traces():\n    assert True\n");
    check(0, false);
    let kept = check(0, true);
    assert_eq!((kept.len(), check(0, true)), (1, kept.clone()), "it is answered from the trace");
    write("def test_of_traces():\n    assert False\n");
    check(1, false);
    assert_eq!(check(1, false), kept, "nothing is kept of a test that failed");
    write("def test_of_traces():\n    assert True\n");
    assert_ne!(check(0, true), kept, "the file is another, and what it comes to is known");
    lose("name=\"test_of_traces\"");
    check(0, false);
    check(0, true);
}

/// Takes contents that hold a text out of the store, which must have some.
fn lose(text: &str) {
    let shelves = fs::read_dir(store().join("waders/blob")).unwrap().flatten();
    let blobs = shelves.flat_map(|shelf| fs::read_dir(shelf.path()).unwrap().flatten()).map(|entry| entry.path());
    let is_meant = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|content| content.contains(text));
    let lost: Vec<PathBuf> = blobs.filter(is_meant).collect();
    assert!(!lost.is_empty(), "nothing in the store holds `{text}`");
    lost.iter().for_each(|path| fs::remove_file(path).unwrap());
}
