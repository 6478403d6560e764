//! Completions in a small repository, below its directories, outside of one, and where it is broken. Real shells are in `tests/it`.

use std::fs;
use std::path::Path;

use super::*;

/// A repository with two directories, and one with a target in a parent directory of its sources.
fn repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
        fs::write(dir.path().join(name), text).unwrap();
    };
    let settings = "[GLOBAL]\nbackend_packages = ['pants.backend.python', 'pants.backend.python.lint.black']\n\
                    [python]\nenable_resolves = true\nresolves = {main = 'a.lock', web = 'b.lock'}\ndefault_resolve = 'main'\n\
                    [cli.alias]\ngreen = 'lint check test'\n--mine = '--tag=mine'\n";
    write("pants.toml", settings);
    write(
        "src/app/BUILD",
        "python_sources()\npython_tests(name='tests')\npex_binary(name='main', entry_point='main.py')\n",
    );
    write("src/app/main.py", "");
    write("src/app/main_test.py", "");
    write("src/apt/deep/BUILD", "");
    write("reqs/BUILD", "python_requirement(name='one', requirements=['one'])\n");
    write("odd/BUILD", "python_sources(name='lib', sources=['in/*.py'])\n");
    write("odd/in/a.py", "");
    write("README.md", "");
    dir
}

/// The values that continue a line, whose words are separated by spaces.
fn completed(cwd: &Path, line: &str) -> Vec<String> {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let environment = Environment { cwd: cwd.to_owned(), home: Some(cwd.to_owned()), ..Environment::default() };
    let answer = answer(&words, environment);
    answer.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

fn check(line: &str, expected: &[&str]) {
    let repository = repository();
    assert_eq!(completed(repository.path(), line), expected, "{line}");
}

#[test]
fn directories_and_files_are_completed() {
    check("list src/a", &["src/app/", "src/app::", "src/apt/", "src/apt::"]);
    check("list src/app/", &["src/app/main.py", "src/app/main_test.py"]);
    check("list ", &["::", "odd/", "odd::", "reqs/", "reqs::", "src/", "src::"]);
    check("test list //sr", &["//src/", "//src::"]);
    check("list -src/ap", &["-src/app/", "-src/app::", "-src/apt/", "-src/apt::"]);
    check("list /et", &[]);
    check("list ../../../", &[]);
}

#[test]
fn addresses_are_completed_after_a_colon() {
    check("list src/app:", &["src/app::", "src/app:app", "src/app:main", "src/app:tests"]);
    check("list src/app:t", &["src/app:tests"]);
    check("list src/app/main.py:", &[]);
    check("list odd/in/a.py:", &["odd/in/a.py:../lib"]);
    check("list nothing:", &[]);
}

#[test]
fn specs_are_relative_to_the_current_directory() {
    let repository = repository();
    let app = repository.path().join("src/app");
    assert_eq!(completed(&app, "list mai"), ["main.py", "main_test.py"]);
    assert_eq!(completed(&app, "list :m"), [":main"]);
    assert_eq!(completed(&app, "list ../apt/d"), ["../apt/deep/", "../apt/deep::"]);
}

#[test]
fn goals_are_completed_where_a_goal_can_stand() {
    check("te", &["test"]);
    check("lint tes", &["test"]);
    check("test tes", &[]);
    check("list :: tes", &[]);
    check("gr", &["graph", "green"]);
    check("--tag=x li", &["lint", "list"]);
    check("lint sto", &[]);
    check("help python_te", &["python_test", "python_test_utils", "python_tests"]);
}

#[test]
fn flags_and_their_values_are_completed() {
    check("test --debu", &["--debug", "--debug-adapter"]);
    check("test --output=", &["--output=all", "--output=failed", "--output=none"]);
    check("--test-output=f", &["--test-output=failed"]);
    check("list --changed-sin", &["--changed-since="]);
    check("lint --only=", &["--only=black"]);
    check("generate-lockfiles --resolve=", &["--resolve=main", "--resolve=web"]);
    check(
        "list --filter-target-type=python_so",
        &["--filter-target-type=python_source", "--filter-target-type=python_sources"],
    );
    check("test --pytest-ar", &["--pytest-args="]);
    check("test --use-coverage=", &["--use-coverage=false", "--use-coverage=true"]);
    check("list --changed-since=H", &["--changed-since=HEAD"]);
    check("list --mi", &["--mine"]);
    check("list --nothing=", &[]);
}

#[test]
fn words_of_goals_that_take_no_specs_are_completed() {
    check("completions ", &["bash", "fish", "zsh"]);
    check("store ", &["du", "gc", "repair", "verify"]);
    check("attest ver", &["verify"]);
    check("attest package src/app:m", &["src/app:main"]);
    check("attest verify ", &[]);
    check("why src/app:m", &["src/app:main"]);
    check("test src/app:: -- --deb", &[]);
    check("py -m pi", &[]);
}

#[test]
fn goals_and_flags_are_completed_outside_a_repository_and_with_invalid_settings() {
    let outside = tempfile::tempdir().unwrap();
    assert_eq!(completed(outside.path(), "tes"), ["test"]);
    assert_eq!(completed(outside.path(), "test --debu"), ["--debug", "--debug-adapter"]);
    assert_eq!(completed(outside.path(), "list src/"), [""; 0]);
    fs::write(outside.path().join("pants.toml"), "[").unwrap();
    fs::write(outside.path().join("a.py"), "").unwrap();
    assert_eq!(completed(outside.path(), "test --output=n"), ["--output=none"]);
    assert_eq!(completed(outside.path(), "list a."), [""; 0]);
}

#[test]
fn broken_build_files_hide_only_their_own_targets() {
    let repository = repository();
    fs::write(repository.path().join("src/apt/deep/BUILD"), "files(").unwrap();
    fs::write(repository.path().join("reqs/BUILD"), "import os\n[files(name=n) for n in os.listdir('.')]").unwrap();
    assert_eq!(completed(repository.path(), "list src/app:m"), ["src/app:main"]);
    assert_eq!(completed(repository.path(), "list reqs:"), ["reqs::"]);
}

#[test]
fn arbitrary_words_never_fail() {
    let repository = repository();
    let odd = [
        "",
        "-",
        "--",
        "--=",
        "=",
        ":",
        "::",
        "//",
        "///",
        "a:b:c",
        "..",
        "-:",
        "--\u{0}",
        "caf\u{e9}:",
        "@",
        "#",
        "test",
    ];
    for (first, second) in odd.iter().zip(odd.iter().rev()) {
        completed(repository.path(), &format!("list {first}"));
        completed(repository.path(), &format!("{first} {second}"));
    }
}
