//! Files that are not understood: what is asked of Python, and how far a mistake reaches.

use std::path::Path;

use serde_json::json;

use crate::base::RelPath;
use crate::build_file;
use crate::config::Config;
use crate::targets::{World, load};
use crate::tracked::Tracker;

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
    let loaded = load(
        root.path(),
        &config,
        &World { env: &|_| None, answers: &answers, memory: &(), tracker: Tracker::default() },
    );
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

/// What is told of a repository whose BUILD file `prepare` makes, given its directory.
fn told(prepare: impl Fn(&Path)) -> Vec<String> {
    let root = tempfile::tempdir().expect("temporary directory");
    let dir = root.path().join("a");
    std::fs::create_dir(&dir).expect("directory");
    prepare(&dir);
    let loaded = load(root.path(), &Config::default(), &World::with(&|_| None));
    loaded.all_diagnostics().map(ToString::to_string).collect()
}

fn check(text: &[u8], expected: &[&str]) {
    let found = told(|dir| std::fs::write(dir.join("BUILD"), text).expect("file"));
    let matches =
        found.len() == expected.len() && found.iter().zip(expected).all(|(found, text)| found.starts_with(text));
    assert!(matches, "{:?}: {found:?}", String::from_utf8_lossy(&text[..text.len().min(40)]));
}

#[test]
fn whatever_a_build_file_holds_has_a_place() {
    check(b"\xef\xbb\xbftarget(name='x')\r\ntarget(name='y')\r\n", &[]);
    check(b"target(name='x')\n\0", &["a/BUILD:2:1: the file holds a NUL"]);
    check(b"target(name='a\0')", &["a/BUILD:1:15: the file holds a NUL"]);
    check(b"# caf\xe9", &["a/BUILD:1:6: the file is not UTF-8"]);
    check("target(name='é\n".as_bytes(), &["a/BUILD:1:13: syntax error"]);
    check("(".repeat(10_000).as_bytes(), &["a/BUILD:1:101: an expression is nested more than 100 deep"]);
    check(b"target(name='x')\ntarget(name='x')", &["a/BUILD:2:1: a target named `x` is also declared at a/BUILD:1:1"]);
    let values: Vec<String> = (0..40).map(|value| format!("'{value}'")).collect();
    let fields = ["resolve", "description"].map(|field| format!("{field}=parametrize({})", values.join(",")));
    let text = format!("python_requirement(name='x', requirements=[], {})", fields.join(", "));
    check(text.as_bytes(), &["a/BUILD:1:1: `parametrize` makes more than 1000 targets"]);
}

#[test]
fn what_only_looks_like_a_build_file_is_no_trouble() {
    use std::os::unix::ffi::OsStrExt;
    let link = |to: &str, dir: &Path, name: &str| std::os::unix::fs::symlink(to, dir.join(name)).expect("link");
    assert_eq!(told(|dir| std::fs::create_dir(dir.join("BUILD")).expect("directory")), [""; 0]);
    assert_eq!(told(|dir| link("gone", dir, "BUILD")), [""; 0]);
    assert_eq!(told(|dir| link("/etc", dir, "BUILD")), [""; 0]);
    let loops = |dir: &Path| {
        link("..", dir, "up");
        link("round", dir, "round");
        std::fs::write(dir.join("BUILD"), "files(sources=['**/*'])").expect("file");
    };
    assert_eq!(told(loops), [""; 0]);
    let fifo = |dir: &Path| {
        nix::unistd::mkfifo(&dir.join("BUILD"), nix::sys::stat::Mode::S_IRUSR).expect("fifo");
    };
    assert_eq!(told(fifo), [""; 0]);
    let huge = |dir: &Path| {
        let file = std::fs::File::create(dir.join("BUILD")).expect("file");
        file.set_len(100 << 20).expect("a sparse file");
    };
    assert!(told(huge)[0].starts_with("a/BUILD:1:1: cannot read the file: it has 104857600 bytes"));
    let unnameable = |dir: &Path| {
        std::fs::write(dir.join(std::ffi::OsStr::from_bytes(b"\xff.py")), "").expect("file");
    };
    assert!(told(unnameable)[0].starts_with("passed over a/"));
}

#[test]
fn what_a_generator_keeps_is_not_parametrized() {
    let check = |fields: &str, expected: &[&str]| {
        let build = format!("python_sources(name='p', {fields})");
        let found = told(|dir| {
            std::fs::write(dir.join("f.py"), "").expect("file");
            std::fs::write(dir.join("BUILD"), &build).expect("file");
        });
        assert_eq!(found, expected, "{fields}");
    };
    check(
        "tags=parametrize(a=['x'], b=[])",
        &["a/BUILD:1:1: a `python_sources` keeps `tags` and cannot parametrize it"],
    );
    check("skip_x=parametrize(a=True)", &["a/BUILD:1:1: a `python_sources` keeps `skip_x` and cannot parametrize it"]);
    check("resolve=parametrize('a', 'b')", &[]);
    check("overrides={'f.py': {'tags': parametrize(a=['x'], b=[])}}", &[]);
}

#[test]
fn siblings_depend_on_each_other_where_imports_are_not_read() {
    let root = tempfile::tempdir().expect("temporary directory");
    for (name, text) in [("f.proto", ""), ("g.proto", ""), ("BUILD", "protobuf_sources(name='p', dependencies=['x'])")]
    {
        std::fs::write(root.path().join(name), text).expect("file");
    }
    let config = Config::of([("protoc", "dependency_inference", json!(false))]);
    let loaded = load(root.path(), &config, &World::with(&|_| None));
    let target = loaded.graph.targets().find(|target| target.kind == "protobuf_source").expect("generated");
    assert_eq!(target.fields["dependencies"].strings(), ["x", "//g.proto:p"]);
}

#[test]
fn plugins_take_any_pants_of_the_series() {
    let check = |version: &str, expected: &str| {
        let root = tempfile::tempdir().expect("temporary directory");
        std::fs::write(root.path().join("BUILD"), "pants_requirements(name='p', testutil=False)").expect("file");
        let config = Config::of([("GLOBAL", "pants_version", json!(version))]);
        let loaded = load(root.path(), &config, &World::with(&|_| None));
        let target = loaded.graph.targets().find(|target| target.kind == "python_requirement").expect("generated");
        assert_eq!(target.fields["requirements"].strings(), [expected]);
    };
    check("2.17.1", "pantsbuild.pants>=2.17.0a0,<2.18");
    check("2.30.0rc1", "pantsbuild.pants>=2.30.0a0,<2.31");
    check("2.30.0.dev3", "pantsbuild.pants==2.30.0.dev3");
}

#[test]
fn defaults_of_what_is_generated_count_since_pants_2_21() {
    let check = |version: &str, expected: &[&str]| {
        let root = tempfile::tempdir().expect("temporary directory");
        std::fs::write(root.path().join("f.py"), "").expect("file");
        let build = "__defaults__({python_source: dict(tags=['t'])})\npython_sources(name='p')";
        std::fs::write(root.path().join("BUILD"), build).expect("file");
        let config = Config::of([("GLOBAL", "pants_version", json!(version))]);
        let loaded = load(root.path(), &config, &World::with(&|_| None));
        let target = loaded.graph.targets().find(|target| target.kind == "python_source").expect("generated");
        let tags = target.fields.get("tags").map(|tags| tags.strings()).unwrap_or_default();
        assert_eq!(tags, expected, "{version}");
    };
    check("2.20.3", &[]);
    check("2.21.0", &["t"]);
}

#[test]
fn sources_that_are_ignored_are_told_from_those_that_are_not_there() {
    let check = |fields: &str, expected: &str| {
        let build = format!("{fields}\nfile(name='there', source='plain')");
        let found = told(|dir| {
            std::fs::create_dir_all(dir.join(".dir")).expect("directory");
            for file in ["plain", ".dir/f"] {
                std::fs::write(dir.join(file), "").expect("file");
            }
            std::fs::write(dir.join("BUILD"), &build).expect("file");
        });
        assert_eq!(found, [format!("a/BUILD:1:1: {expected}")], "{fields}");
    };
    let ignored = "`.gitignore` or `[GLOBAL].pants_ignore` leaves that file out";
    check("files(name='f', sources=['.dir/f'])", &format!("`sources` names `.dir/f`, but {ignored} in `a`"));
    check("files(name='f', sources=['gone'])", "`sources` names `gone`, but there is no such file in `a`");
    check("file(name='f', source='.dir/f')", &format!("`a/.dir/f`: {ignored}"));
    check("file(name='f', source='gone')", "there is no file `a/gone`");
}
