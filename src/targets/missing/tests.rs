//! Missing targets in small repositories.

use serde_json::{Value, json};

use super::*;
use crate::targets::{Files, LoadContext, load};

struct Repository {
    root: tempfile::TempDir,
    options: Vec<(&'static str, &'static str, Value)>,
}

fn repository(files: &[(&str, &str)]) -> Repository {
    let root = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Repository { root, options: Vec::new() }
}

impl Repository {
    fn set(mut self, scope: &'static str, option: &'static str, value: Value) -> Repository {
        self.options.push((scope, option, value));
        self
    }

    fn resolve_conflicts(&self) -> (Vec<MissingTarget>, Vec<(RelPath, String)>) {
        let config = Config::of(self.options.clone());
        let graph = load(self.root.path(), &config, &LoadContext::new(&|_| None)).graph;
        let dirs = graph.files().iter().filter_map(RelPath::parent).collect();
        let read = |file: &RelPath| std::fs::read(file.to_path(self.root.path())).ok();
        let found = find_missing(&SearchInput { graph: &graph, config: &config, dirs: &dirs, read: &read }).unwrap();
        (resolve_conflicts(found.missing, &graph, &config).unwrap(), found.unreadable)
    }

    /// `kind dir:name`, sorted.
    #[track_caller]
    fn check_missing(&self, expected: &[&str]) {
        let (missing, unreadable) = self.resolve_conflicts();
        let shown: Vec<String> =
            missing.iter().map(|missing| format!("{} {}", missing.kind, missing.address())).collect();
        assert_eq!(shown, expected, "{unreadable:?}");
    }
}

#[test]
fn sources_tests_and_test_utilities_get_one_target_each() {
    let files = [("a/x.py", ""), ("a/x_test.py", ""), ("a/conftest.py", ""), ("a/y.pyi", ""), ("b/tests.py", "")];
    repository(&files).check_missing(&[
        "python_sources a:a",
        "python_test_utils a:test_utils",
        "python_tests a:tests",
        "python_tests b:tests",
    ]);
}

#[test]
fn files_with_an_owner_of_any_type_need_no_target() {
    let files = [("BUILD", "files(name='all', sources=['a/*.py'])"), ("a/x.py", ""), ("a/sub/y.py", "")];
    repository(&files).check_missing(&["python_sources a/sub:sub"]);
}

#[test]
fn a_single_empty_init_file_needs_no_target() {
    let files = [("a/__init__.py", " \n"), ("b/__init__.py", "x = 1"), ("c/__init__.py", ""), ("c/x.py", "")];
    repository(&files).check_missing(&["python_sources b:b", "python_sources c:c"]);
    let heeds = repository(&files).set("python", "tailor_ignore_empty_init_files", json!(false));
    heeds.check_missing(&["python_sources a:a", "python_sources b:b", "python_sources c:c"]);
}

#[test]
fn the_format_of_a_requirements_file_decides_its_target_type() {
    let files = [
        ("a/requirements.txt", "x==1\n"),
        ("a/dev-requirements.txt", "y\n"),
        ("b/pyproject.toml", "[tool.poetry.dependencies]\nx = '*'\n"),
        ("c/pyproject.toml", "[project]\ndependencies = ['x']\n"),
        ("d/Pipfile.lock", "{}"),
        ("e/pyproject.toml", "[tool.black]\n"),
    ];
    repository(&files).check_missing(&[
        "python_requirements a:reqs",
        "python_requirements a:reqs0",
        "poetry_requirements b:poetry",
        "python_requirements c:reqs",
        "pipenv_requirements d:pipenv",
    ]);
    let old = repository(&files[3..4]).set("GLOBAL", "pants_version", json!("2.17.1"));
    old.check_missing(&[]);
}

#[test]
fn invalid_requirements_are_reported() {
    let (missing, unreadable) = repository(&[("a/requirements.txt", "git+https://h.invalid/y\n")]).resolve_conflicts();
    assert!(missing.is_empty());
    assert!(unreadable[0].1.starts_with("line 1: "), "{unreadable:?}");
}

#[test]
fn targets_of_other_backends_need_the_backend() {
    let files = [
        ("a/x.sh", ""),
        ("a/x_test.sh", ""),
        ("a/Dockerfile", ""),
        ("a/Dockerfile.dev", ""),
        ("a/p.proto", ""),
        ("a/t.thrift", ""),
    ];
    repository(&files).check_missing(&[]);
    let backends = [
        "pants.backend.shell",
        "pants.backend.docker",
        "pants.backend.codegen.protobuf.python",
        "pants.backend.codegen.thrift.apache.python",
    ];
    let all = repository(&files).set("GLOBAL", "backend_packages", json!(backends));
    let expected = [
        "protobuf_sources a:a",
        "docker_image a:docker",
        "docker_image a:docker0",
        "shell_sources a:a0",
        "thrift_sources a:a1",
        "shunit2_tests a:tests",
    ];
    let (missing, _) = all.resolve_conflicts();
    let mut shown: Vec<String> =
        missing.iter().map(|missing| format!("{} {}", missing.kind, missing.address())).collect();
    shown.sort();
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    assert_eq!(shown, expected);
}

#[test]
fn options_disable_rules() {
    let files = [("a/x.py", ""), ("a/requirements.txt", ""), ("a/py.typed", "")];
    repository(&files).check_missing(&["python_sources a:a", "resource a:py_typed", "python_requirements a:reqs"]);
    let off = repository(&files)
        .set("python", "tailor_source_targets", json!(false))
        .set("python", "tailor_requirements_targets", json!(false))
        .set("python", "tailor_py_typed_targets", json!(false));
    off.check_missing(&[]);
}

#[test]
fn names_in_use_get_a_number_and_the_root_has_a_default_name() {
    let files =
        [("BUILD", "target(name='root')"), ("a/BUILD", "target(name='tests')"), ("a/test_x.py", ""), ("x.py", "")];
    repository(&files).check_missing(&["python_sources //:0", "python_tests a:tests0"]);
    let files = [("x.py", ""), ("test_x.py", ""), ("requirements.txt", "")];
    repository(&files).check_missing(&[
        "python_requirements //:reqs0",
        "python_sources //:root",
        "python_tests //:tests0",
    ]);
}

#[test]
fn files_of_other_targets_are_excluded_from_the_sources() {
    let files = [("a/BUILD", "python_source(name='x', source='x.py')"), ("a/x.py", ""), ("a/y.py", ""), ("a/z.py", "")];
    let (missing, _) = repository(&files).resolve_conflicts();
    let sources = FieldValue::Texts(vec!["y.py".to_owned(), "z.py".to_owned()]);
    assert_eq!(missing[0].fields, [("sources", sources)]);
    assert_eq!(missing[0].comments[1], "  - a:x");
}

#[test]
fn settings_exclude_and_rename_targets() {
    let files = [("a/x.py", ""), ("b/x.py", ""), ("c/test_x.py", ""), ("c/x.py", ""), ("d/x.py", "")];
    let set = repository(&files)
        .set("tailor", "ignore_paths", json!(["a/**"]))
        .set("tailor", "ignore_adding_targets", json!(["b:b"]))
        .set("tailor", "alias_mapping", json!({"python_tests": "our_tests"}))
        .set("GLOBAL", "build_ignore", json!(["/d/"]));
    set.check_missing(&["python_sources c:c", "our_tests c:tests"]);
}

#[test]
fn an_empty_repository_has_no_missing_targets() {
    let (graph, config) = (TargetGraph::from_files(Files::from_paths(Vec::new())), Config::default());
    let input = SearchInput { graph: &graph, config: &config, dirs: &BTreeSet::new(), read: &|_| None };
    assert!(find_missing(&input).unwrap().missing.is_empty());
}
