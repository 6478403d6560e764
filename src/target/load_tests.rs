//! Files that are not understood: what is asked of Python, and how far a mistake reaches.

use serde_json::json;

use crate::base::RelPath;
use crate::build_file;
use crate::config::Config;
use crate::target::{World, load};

#[test]
fn what_is_beyond_rust_is_a_question_and_its_answer_is_taken() {
    let root = tempfile::tempdir().expect("temporary directory");
    let write = |name: &str, text: &str| {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().expect("inside the root")).expect("directories");
        std::fs::write(path, text).expect("file");
    };
    write("m.py", "try:\n    x = 1\nexcept ValueError:\n    x = 2\ndef m(name): target(name=name)");
    write("a/BUILD", "m('plain')");
    write("b/BUILD", "m(f'b{x}')");
    write("c/BUILD", "class C: pass\ntarget()");
    let config = Config::of([("GLOBAL", "build_file_prelude_globs", json!(["m.py"]))]);
    let loaded = load(root.path(), &config, &World::with(&|_| None));
    let question = loaded.question.clone().expect("a question");
    let path = |text: &str| RelPath::parse(text).expect("clean");
    assert_eq!(question.files, [path("b/BUILD"), path("c/BUILD")].into());
    assert_eq!(question.preludes, [path("m.py")]);
    assert_eq!(
        loaded.broken[0].diagnostic.to_string(),
        "b/BUILD:1:7: what a prelude makes of `x` is beyond what is evaluated here"
    );
    let answers = question.files.into_iter().map(|file| (file, build_file::BuildFile::default())).collect();
    let loaded = load(root.path(), &config, &World { env: &|_| None, answers: &answers });
    assert!(loaded.question.is_none() && loaded.broken.is_empty());
    let addresses: Vec<String> = loaded.graph.targets().map(|target| target.address.to_string()).collect();
    assert_eq!(addresses, ["a:plain"]);
}

#[test]
fn a_broken_file_touches_its_directory_and_what_may_inherit_from_it() {
    let root = tempfile::tempdir().expect("temporary directory");
    let path = |text: &str| RelPath::parse(text).expect("clean");
    let check = |text: &str, dir: &str, expected: bool| {
        std::fs::create_dir_all(root.path().join("a/b")).expect("directories");
        std::fs::write(root.path().join("a/BUILD"), text).expect("file");
        let loaded = load(root.path(), &Config::default(), &World::with(&|_| None));
        assert_eq!(loaded.broken.iter().any(|broken| broken.touches(&path(dir))), expected, "{text} {dir}");
    };
    check("target(", "a", true);
    check("target(", "a/b", false);
    check("target(", "ab", false);
    check("__defaults__({python_tests: dict(", "a/b", true);
    check("__defaults__({python_tests: dict()})", "a", false);
}
