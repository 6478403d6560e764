//! Loading of BUILD files with errors: requests to Python, affected directories, and messages.

use std::path::Path;

use serde_json::json;

use crate::base::RelPath;
use crate::build_file;
use crate::config::Config;
use crate::targets::{LoadContext, load};
use crate::tracked::Tracker;

#[test]
fn unsupported_code_is_requested_from_python_and_its_results_are_used() {
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
    let loaded = load(root.path(), &config, &LoadContext::new(&|_| None));
    let python_request = loaded.python_request.clone().expect("a request");
    let path = |text: &str| RelPath::parse(text).expect("clean");
    assert_eq!(python_request.files, [path("b/BUILD"), path("c/BUILD")].into());
    assert_eq!(python_request.preludes, [path("m.py")]);
    assert_eq!(
        loaded.errors[0].diagnostic.to_string(),
        "b/BUILD:1:7: the prelude's definition of `x` can only be evaluated by Python"
    );
    let python_results =
        python_request.files.into_iter().map(|file| (file, build_file::BuildFile::default())).collect();
    let loaded = load(
        root.path(),
        &config,
        &LoadContext {
            implied_files: &std::collections::BTreeMap::new(),
            env: &|_| None,
            python_results: &python_results,
            directory_cache: &(),
            is_ci: false,
            tracker: Tracker::default(),
        },
    );
    assert!(loaded.python_request.is_none() && loaded.errors.is_empty());
    let addresses: Vec<String> = loaded.graph.targets().map(|target| target.address.to_string()).collect();
    assert_eq!(addresses, ["a:plain"]);
}

#[test]
fn an_error_affects_its_directory_and_those_that_may_inherit_from_it() {
    let root = tempfile::tempdir().expect("temporary directory");
    let path = |text: &str| RelPath::parse(text).expect("clean");
    let check = |text: &str, dir: &str, expected: bool| {
        std::fs::create_dir_all(root.path().join("a/b")).expect("directories");
        std::fs::write(root.path().join("a/BUILD"), text).expect("file");
        let loaded = load(root.path(), &Config::default(), &LoadContext::new(&|_| None));
        assert_eq!(loaded.errors.iter().any(|errors| errors.affects(&path(dir))), expected, "{text} {dir}");
    };
    check("target(", "a", true);
    check("target(", "a/b", false);
    check("target(", "ab", false);
    check("__defaults__({python_tests: dict(", "a/b", true);
    check("__defaults__({python_tests: dict()})", "a", false);
}

/// The diagnostics of a repository whose directory `a` is filled by `prepare`.
fn messages_for(prepare: impl Fn(&Path)) -> Vec<String> {
    let root = tempfile::tempdir().expect("temporary directory");
    let dir = root.path().join("a");
    std::fs::create_dir(&dir).expect("directory");
    prepare(&dir);
    let loaded = load(root.path(), &Config::default(), &LoadContext::new(&|_| None));
    loaded.all_diagnostics().map(ToString::to_string).collect()
}

fn check(text: &[u8], expected: &[&str]) {
    let found = messages_for(|dir| std::fs::write(dir.join("BUILD"), text).expect("file"));
    let matches =
        found.len() == expected.len() && found.iter().zip(expected).all(|(found, text)| found.starts_with(text));
    assert!(matches, "{:?}: {found:?}", String::from_utf8_lossy(&text[..text.len().min(40)]));
}

#[test]
fn every_error_in_a_build_file_has_a_position() {
    check(b"\xef\xbb\xbftarget(name='x')\r\ntarget(name='y')\r\n", &[]);
    check(b"target(name='x')\n\0", &["a/BUILD:2:1: the file contains a NUL byte"]);
    check(b"target(name='a\0')", &["a/BUILD:1:15: the file contains a NUL byte"]);
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
fn directories_links_and_fifos_named_like_a_build_file_are_skipped() {
    use std::os::unix::ffi::OsStrExt;
    let link = |to: &str, dir: &Path, name: &str| std::os::unix::fs::symlink(to, dir.join(name)).expect("link");
    assert_eq!(messages_for(|dir| std::fs::create_dir(dir.join("BUILD")).expect("directory")), [""; 0]);
    assert_eq!(messages_for(|dir| link("gone", dir, "BUILD")), [""; 0]);
    assert_eq!(messages_for(|dir| link("/etc", dir, "BUILD")), [""; 0]);
    let loops = |dir: &Path| {
        link("..", dir, "up");
        link("round", dir, "round");
        std::fs::write(dir.join("BUILD"), "files(sources=['**/*'])").expect("file");
    };
    assert_eq!(messages_for(loops), [""; 0]);
    let fifo = |dir: &Path| {
        nix::unistd::mkfifo(&dir.join("BUILD"), nix::sys::stat::Mode::S_IRUSR).expect("fifo");
    };
    assert_eq!(messages_for(fifo), [""; 0]);
    let huge = |dir: &Path| {
        let file = std::fs::File::create(dir.join("BUILD")).expect("file");
        file.set_len(100 << 20).expect("a sparse file");
    };
    assert!(messages_for(huge)[0].starts_with("a/BUILD:1:1: cannot read the file: it has 104857600 bytes"));
    let unnameable = |dir: &Path| {
        std::fs::write(dir.join(std::ffi::OsStr::from_bytes(b"\xff.py")), "").expect("file");
    };
    assert!(messages_for(unnameable)[0].starts_with("skipped a/"));
}

#[test]
fn a_generator_cannot_parametrize_its_own_fields() {
    let check = |fields: &str, expected: &[&str]| {
        let build = format!("python_sources(name='p', {fields})");
        let found = messages_for(|dir| {
            std::fs::write(dir.join("f.py"), "").expect("file");
            std::fs::write(dir.join("BUILD"), &build).expect("file");
        });
        assert_eq!(found, expected, "{fields}");
    };
    check("tags=parametrize(a=['x'], b=[])", &["a/BUILD:1:1: a `python_sources` cannot parametrize its own `tags`"]);
    check("skip_x=parametrize(a=True)", &["a/BUILD:1:1: a `python_sources` cannot parametrize its own `skip_x`"]);
    check("resolve=parametrize('a', 'b')", &[]);
    check("overrides={'f.py': {'tags': parametrize(a=['x'], b=[])}}", &[]);
}

#[test]
fn siblings_depend_on_each_other_if_their_imports_are_not_inferred() {
    let root = tempfile::tempdir().expect("temporary directory");
    for (name, text) in [("f.proto", ""), ("g.proto", ""), ("BUILD", "protobuf_sources(name='p', dependencies=['x'])")]
    {
        std::fs::write(root.path().join(name), text).expect("file");
    }
    let config = Config::of([("protoc", "dependency_inference", json!(false))]);
    let loaded = load(root.path(), &config, &LoadContext::new(&|_| None));
    let target = loaded.graph.targets().find(|target| target.kind == "protobuf_source").expect("generated");
    assert_eq!(target.fields["dependencies"].strings(), ["x", "//g.proto:p"]);
}

#[test]
fn plugins_accept_any_pants_release_of_the_series() {
    let check = |version: &str, expected: &str| {
        let root = tempfile::tempdir().expect("temporary directory");
        std::fs::write(root.path().join("BUILD"), "pants_requirements(name='p', testutil=False)").expect("file");
        let config = Config::of([("GLOBAL", "pants_version", json!(version))]);
        let loaded = load(root.path(), &config, &LoadContext::new(&|_| None));
        let target = loaded.graph.targets().find(|target| target.kind == "python_requirement").expect("generated");
        assert_eq!(target.fields["requirements"].strings(), [expected]);
    };
    check("2.17.1", "pantsbuild.pants>=2.17.0a0,<2.18");
    check("2.30.0rc1", "pantsbuild.pants>=2.30.0a0,<2.31");
    check("2.30.0.dev3", "pantsbuild.pants==2.30.0.dev3");
}

#[test]
fn defaults_of_generated_types_apply_since_pants_2_21() {
    let check = |version: &str, expected: &[&str]| {
        let root = tempfile::tempdir().expect("temporary directory");
        std::fs::write(root.path().join("f.py"), "").expect("file");
        let build = "__defaults__({python_source: dict(tags=['t'])})\npython_sources(name='p')";
        std::fs::write(root.path().join("BUILD"), build).expect("file");
        let config = Config::of([("GLOBAL", "pants_version", json!(version))]);
        let loaded = load(root.path(), &config, &LoadContext::new(&|_| None));
        let target = loaded.graph.targets().find(|target| target.kind == "python_source").expect("generated");
        let tags = target.strings("tags");
        assert_eq!(tags, expected, "{version}");
    };
    check("2.20.3", &[]);
    check("2.21.0", &["t"]);
}

#[test]
fn ignored_sources_and_missing_sources_have_different_messages() {
    let check = |fields: &str, expected: &str| {
        let build = format!("{fields}\nfile(name='there', source='plain')");
        let found = messages_for(|dir| {
            std::fs::create_dir_all(dir.join(".dir")).expect("directory");
            for file in ["plain", ".dir/f"] {
                std::fs::write(dir.join(file), "").expect("file");
            }
            std::fs::write(dir.join("BUILD"), &build).expect("file");
        });
        assert_eq!(found, [format!("a/BUILD:1:1: {expected}")], "{fields}");
    };
    let ignored = "`.gitignore` or `[GLOBAL].pants_ignore` excludes it";
    check("files(name='f', sources=['.dir/f'])", &format!("`sources` names `.dir/f`, but {ignored} in `a`"));
    check("files(name='f', sources=['gone'])", "`sources` names `gone`, but there is no such file in `a`");
    check("file(name='f', source='.dir/f')", &format!("`a/.dir/f`: {ignored}"));
    check("file(name='f', source='gone')", "there is no file `a/gone`");
}

#[test]
fn an_error_in_a_macro_names_the_calling_file_and_the_place_in_the_macro() {
    let config = Config::of([("GLOBAL", "build_file_prelude_globs", json!(["m.py"]))]);
    let root = tempfile::tempdir().expect("temporary directory");
    std::fs::create_dir(root.path().join("a")).expect("directory");
    std::fs::write(
        root.path().join("m.py"),
        "def m(**kw):\n    target(name=nope)\ndef k(**kw):\n    target(tags=1, **kw)\n",
    )
    .expect("file");
    std::fs::write(root.path().join("a/BUILD"), "\nm()\nk(name='x')\n").expect("file");
    let loaded = load(root.path(), &config, &LoadContext::new(&|_| None));
    let found: Vec<String> = loaded.errors.iter().map(|error| error.diagnostic.to_string()).collect();
    let wrong = "a/BUILD:3:1: `tags` of `target` must be a list of strings, not `1` (in a macro, at m.py:4:5)";
    assert_eq!(found, ["a/BUILD:2:1: unknown name `nope` (in a macro, at m.py:2:17)", wrong]);
}

#[test]
fn an_unknown_target_type_is_an_error_in_ci_unless_the_setting_says_otherwise() {
    let root = tempfile::tempdir().expect("temporary directory");
    std::fs::write(root.path().join("BUILD"), "nothing(name='a')\ntarget(name='b', nothing=1)\n").expect("file");
    let check = |setting: &str, is_ci: bool, expected: &[&str]| {
        let config = Config::of([("reading", "unknown", json!(setting))]);
        let loaded = load(root.path(), &config, &LoadContext { is_ci, ..LoadContext::new(&|_| None) });
        let found: Vec<&str> = loaded.errors.iter().map(|error| error.diagnostic.message.as_str()).collect();
        assert_eq!(found, expected, "{setting} {is_ci}");
    };
    let kind = "unknown target type `nothing`: it has no effect";
    check("auto", false, &[]);
    check("auto", true, &[kind]);
    check("warn", true, &[]);
    check("error", false, &[kind, "unknown field `nothing` of `target`: it has no effect"]);
}
