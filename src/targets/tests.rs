//! Loading, selecting and filtering in small repositories.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use crate::base::RelPath;
use crate::build_file::{self, Diagnostic};
use crate::config::Config;
use crate::targets::address::{Parts, Written};
use crate::targets::filter::{Filters, Granularity, filter};
use crate::targets::{Address, Files, LoadContext, TargetGraph, changed, dependencies, load, requirements, select};

pub(super) type Loaded = (TargetGraph, Vec<Diagnostic>);

fn load_with(files: &[(&str, &str)], config: &Config) -> Loaded {
    let root = tempfile::tempdir().expect("temporary directory");
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().expect("inside the root")).expect("directories");
        std::fs::write(path, text).expect("file");
    }
    let env = |name: &str| (name == "SET").then(|| "value".to_owned());
    let loaded = load(root.path(), config, &LoadContext::new(&env));
    let mut diagnostics: Vec<Diagnostic> = loaded.all_diagnostics().cloned().collect();
    diagnostics.sort_by_key(|found| (found.file.clone(), found.place.line, found.place.column));
    (loaded.graph, diagnostics)
}

pub(super) fn loaded(files: &[(&str, &str)]) -> Loaded {
    load_with(files, &Config::default())
}

pub(super) fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("clean")
}

pub(super) fn addresses(graph: &TargetGraph) -> Vec<String> {
    graph.targets().map(|target| target.address.to_string()).collect()
}

fn check(files: &[(&str, &str)], expected: &[&str]) {
    let (graph, diagnostics) = loaded(files);
    assert_eq!(addresses(&graph), expected, "{diagnostics:?}");
}

pub(super) fn messages(diagnostics: &[Diagnostic]) -> Vec<String> {
    let show = |diagnostic: &Diagnostic| match &diagnostic.hint {
        Some(hint) => format!("{diagnostic} ({hint})"),
        None => diagnostic.to_string(),
    };
    diagnostics.iter().map(show).collect()
}

pub(super) fn field<'g>(graph: &'g TargetGraph, address: &str, field: &str) -> Option<&'g build_file::Value> {
    let target = graph.targets().find(|target| target.address.to_string() == address).expect(address);
    target.fields.get(field)
}

pub(super) fn text(value: &str) -> build_file::Value {
    build_file::Value::Str(value.to_owned())
}

#[test]
fn sources_and_tests_can_share_a_directory() {
    let files = [
        ("src/app/BUILD", "python_sources()\npython_tests(name='tests')\npython_test_utils(name='utils')"),
        ("src/app/main.py", ""),
        ("src/app/main_test.py", ""),
        ("src/app/conftest.py", ""),
        ("src/app/sub/deep.py", ""),
    ];
    check(
        &files,
        &[
            "src/app:app",
            "src/app:tests",
            "src/app:utils",
            "src/app/conftest.py:utils",
            "src/app/main.py",
            "src/app/main_test.py:tests",
        ],
    );
}

#[test]
fn several_build_files_share_one_namespace() {
    let files = [("a/BUILD", "target(name='x')"), ("a/BUILD.more", "target(name='y')\ntarget(name='x')")];
    let (graph, diagnostics) = loaded(&files);
    assert_eq!(addresses(&graph), ["a:x", "a:y"]);
    let expected =
        "a/BUILD.more:2:1: a target named `x` is also declared at a/BUILD:1:1 (give one of them another `name`)";
    assert_eq!(messages(&diagnostics), [expected]);
}

#[test]
fn an_error_in_one_build_file_does_not_stop_the_others() {
    let files = [("a/BUILD", "target(name='x'\n"), ("b/BUILD", "target()"), ("c/BUILD", "import os\ntarget()")];
    let (graph, diagnostics) = loaded(&files);
    assert_eq!(addresses(&graph), ["b:b", "c:c"]);
    assert!(messages(&diagnostics)[0].starts_with("a/BUILD:2:1: syntax error"), "{diagnostics:?}");
    assert!(messages(&diagnostics)[1].starts_with("c/BUILD:1:1: BUILD files and preludes cannot import"));
}

#[test]
fn a_target_in_the_root_needs_a_name() {
    let (graph, diagnostics) = loaded(&[("BUILD", "target()\ntarget(name='x')\ntarget(name='a:b')")]);
    assert_eq!(addresses(&graph), ["//:x"]);
    assert!(messages(&diagnostics)[0].starts_with("BUILD:1:1: a `target` in the root directory has no name"));
    assert!(messages(&diagnostics)[1].starts_with("BUILD:3:1: invalid target name `a:b`"));
}

#[test]
fn unknown_types_and_fields_load_with_a_warning() {
    let (graph, diagnostics) = loaded(&[("a/BUILD", "md_book(name='x', sources=['*.md'])\npython_tests(tiemout=1)")]);
    assert_eq!(addresses(&graph), ["a:a", "a:x"]);
    assert!(diagnostics.iter().all(|diagnostic| !diagnostic.is_error()));
    assert_eq!(messages(&diagnostics)[0], "a/BUILD:1:1: unknown target type `md_book`: it has no effect");
    let expected =
        "a/BUILD:2:14: unknown field `tiemout` of `python_tests`: it has no effect (did you mean `timeout`?)";
    assert_eq!(messages(&diagnostics)[1], expected);
}

#[test]
fn equal_warnings_are_merged() {
    let (_, diagnostics) = loaded(&[("a/BUILD", "x(name='1')\nx(name='2')"), ("b/BUILD", "x()"), ("c/BUILD", "y()")]);
    let expected = "a/BUILD:1:1: 2 unknown target types, which have no effect:\n  `x` at a/BUILD:1:1 and 2 more\n  `y` at c/BUILD:1:1";
    assert_eq!(messages(&diagnostics), [expected]);
}

#[test]
fn an_error_in_a_prelude_is_reported_once() {
    let config = Config::of([("GLOBAL", "build_file_prelude_globs", json!(["m.py"]))]);
    let files = [("m.py", "x = nope\ndef m(): target(name='t')\n"), ("a/BUILD", "m()"), ("b/BUILD", "m()")];
    let (graph, diagnostics) = load_with(&files, &config);
    assert_eq!(messages(&diagnostics), ["m.py:1:5: unknown name `nope`"]);
    assert_eq!(addresses(&graph), ["a:t", "b:t"]);
}

#[test]
fn defaults_apply_to_later_declarations() {
    let files = [
        (
            "a/BUILD",
            "target(name='x')\n__defaults__({target: dict(tags=['t'])})\ntarget(name='y')\npython_tests()\n__defaults__({python_test: dict(timeout=7)})",
        ),
        ("a/BUILD.more", "target(name='z')"),
        ("a/f_test.py", ""),
    ];
    let (graph, diagnostics) = loaded(&files);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let is_tagged = |address| field(&graph, address, "tags").is_some();
    assert!(!is_tagged("a:x") && is_tagged("a:y") && is_tagged("a:z"));
    // Generated targets get the final defaults.
    assert_eq!(field(&graph, "a/f_test.py", "timeout"), Some(&build_file::Value::Int(7)));
}

#[test]
fn a_missing_required_field_is_reported() {
    let (_, diagnostics) = loaded(&[("a/BUILD", "resources(name='r')\nfile(name='f', source='gone.txt')")]);
    let expected =
        ["a/BUILD:1:1: a `resources` needs the field `sources`", "a/BUILD:2:1: there is no file `a/gone.txt`"];
    assert_eq!(messages(&diagnostics), expected);
}

#[test]
fn unmatched_globs_have_the_severity_of_the_setting() {
    let files = [("a/BUILD", "resources(sources=['*.txt', 'gone.md'])")];
    let severities = |policy: &str| {
        let config = Config::of([("GLOBAL", "unmatched_build_file_globs", json!(policy))]);
        load_with(&files, &config).1.iter().map(Diagnostic::is_error).collect::<Vec<_>>()
    };
    assert_eq!(severities("warn"), [false, false]);
    assert_eq!(severities("error"), [true, true]);
    assert_eq!(severities("ignore"), [false; 0]);
}

#[test]
fn subdirectories_inherit_defaults_and_explicit_fields_take_precedence() {
    let files = [
        ("BUILD", "__defaults__({python_sources: dict(resolve='a', tags=['t'])}, all=dict(description='d'))"),
        ("a/BUILD", "python_sources()"),
        ("a/f.py", ""),
        ("b/BUILD", "__defaults__({python_source: dict(restartable=True)})\npython_sources(resolve='b')"),
        ("b/f.py", ""),
    ];
    let (graph, diagnostics) = loaded(&files);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    assert_eq!(field(&graph, "a/f.py", "resolve"), Some(&text("a")));
    assert_eq!(field(&graph, "a:a", "resolve"), None);
    assert_eq!(field(&graph, "a:a", "tags"), field(&graph, "a/f.py", "tags"));
    assert_eq!(field(&graph, "b/f.py", "resolve"), Some(&text("b")));
    assert_eq!(field(&graph, "b/f.py", "restartable"), Some(&build_file::Value::Bool(true)));
    assert_eq!(field(&graph, "b/f.py", "description"), Some(&text("d")));
}

#[test]
fn overrides_apply_to_single_files() {
    let build = "python_tests(timeout=1, overrides={'a_test.py': {'timeout': 2}, ('b_*.py',): dict(tags=['x'], \
                 timeout=3), 'b_test.py': {'timeout': 4}, 'gone.py': {}})";
    let (graph, diagnostics) =
        loaded(&[("t/BUILD", build), ("t/a_test.py", ""), ("t/b_test.py", ""), ("t/c_test.py", "")]);
    assert_eq!(field(&graph, "t/a_test.py", "timeout"), Some(&build_file::Value::Int(2)));
    assert_eq!(field(&graph, "t/c_test.py", "timeout"), Some(&build_file::Value::Int(1)));
    assert_eq!(field(&graph, "t/b_test.py", "tags"), Some(&build_file::Value::List(vec![text("x")])));
    let found = messages(&diagnostics);
    assert!(found[1].contains("sets `timeout` of `b_test.py` twice"), "{found:?}");
    assert!(found[0].contains("`overrides` names `gone.py`"), "{found:?}");
}

#[test]
fn a_parametrized_declaration_makes_several_targets() {
    let build = "python_sources(resolve=parametrize('a', 'b'))\n\
                 pex_binary(name='bin', entry_point='f.py', resolve=parametrize('a', 'b'), **parametrize('g', output_path='x'))\n\
                 target(name='t', dependencies=[':bin@resolve=a'])\n\
                 pex_binary(name='one', entry_point='f.py', resolve='b', dependencies=['./f.py'])";
    let (graph, diagnostics) = loaded(&[("p/BUILD", build), ("p/f.py", "")]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    assert_eq!(
        addresses(&graph),
        [
            "p:bin@parametrize=g,resolve=a",
            "p:bin@parametrize=g,resolve=b",
            "p:one",
            "p@resolve=a",
            "p@resolve=b",
            "p:t",
            "p/f.py@resolve=a",
            "p/f.py@resolve=b",
        ]
    );
    let dependencies = |name: &str| {
        let target = graph.get(&Address::new(&path("p"), name)).expect(name);
        let explicit = dependencies::explicit(&graph, target);
        assert!(explicit.errors.is_empty(), "{:?}", explicit.errors);
        explicit.include.iter().map(Address::to_string).collect::<Vec<_>>()
    };
    assert_eq!(dependencies("t"), ["p:bin@parametrize=g,resolve=a"]);
    assert_eq!(dependencies("one"), ["p/f.py@resolve=b"]);
}

#[test]
fn requirements_depend_on_their_file_and_lockfile() {
    let config = Config::of([
        ("python", "enable_resolves", json!(true)),
        ("python", "resolves", json!({"main": "locks/main.lock", "other": "locks/other.lock"})),
        ("python", "default_resolve", json!("main")),
    ]);
    let build = "python_requirements(name='reqs', module_mapping={'Typing.Extensions': ['te']}, \
                 overrides={('requests', 'Typing-Extensions'): {'dependencies': [':x'], 'tags': ['t']}})";
    let files = [
        ("BUILD", build),
        ("requirements.txt", "requests>=2\ntyping_extensions\nrequests<3\n"),
        ("locks/main.lock", ""),
    ];
    let (graph, diagnostics) = load_with(&files, &config);
    let missing = "the resolve `other` has no lockfile: `locks/other.lock` does not exist";
    assert_eq!(diagnostics.iter().map(|found| found.message.as_str()).collect::<Vec<_>>(), [missing]);
    assert_eq!(
        addresses(&graph),
        [
            "//:reqs",
            "//:reqs#requests",
            "//:reqs#typing_extensions",
            "//requirements.txt:reqs",
            "locks:_main_lockfile",
            "locks:_other_lockfile",
            "locks/main.lock:_main_lockfile",
        ]
    );
    let list = |items: &[&str]| Some(build_file::Value::List(items.iter().map(|item| text(item)).collect()));
    let lock = "locks/main.lock:_main_lockfile";
    assert_eq!(field(&graph, "//:reqs#typing_extensions", "modules").cloned(), list(&["te"]));
    let expected = list(&[":x", "//requirements.txt:reqs", lock]);
    for address in ["//:reqs#requests", "//:reqs#typing_extensions"] {
        assert_eq!(field(&graph, address, "dependencies").cloned(), expected, "{address}");
    }
}

#[test]
fn a_missing_lockfile_is_one_warning_and_not_an_unknown_dependency() {
    let config = Config::of([
        ("python", "enable_resolves", json!(true)),
        ("python", "resolves", json!({"python-default": "python.lock"})),
    ]);
    let files = [("BUILD", "python_requirements(name='reqs')"), ("requirements.txt", "a\nb\n")];
    let (graph, diagnostics) = load_with(&files, &config);
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    for target in graph.targets() {
        assert_eq!(dependencies::explicit(&graph, target).errors, [], "{}", target.address);
    }
}

#[test]
fn macros_declare_targets_in_the_calling_file_and_can_use_env() {
    let config = Config::of([("GLOBAL", "build_file_prelude_globs", json!(["macros/*.py"]))]);
    let prelude = "def both(name, **kwargs):\n    target(name=name, **kwargs)\n    target(name=f'{name}-2', description=env('SET'))\n";
    let files = [("macros/m.py", prelude), ("a/BUILD", "\nboth('x', tags=[build_file_dir().name])")];
    let (graph, diagnostics) = load_with(&files, &config);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    assert_eq!(addresses(&graph), ["a:x", "a:x-2"]);
    assert_eq!(field(&graph, "a:x-2", "description"), Some(&text("value")));
    assert_eq!(graph.get(&Address::new(&path("a"), "x")).expect("declared").place.line, 2);
}

const TREE: [(&str, &str); 7] = [
    ("src/app/BUILD", "python_sources(name='lib')\npex_binary(name='bin', entry_point='main.py:run', tags=['a', 'b'])"),
    ("src/app/main.py", ""),
    ("src/app/sub/x.py", ""),
    ("src/BUILD", "python_sources(sources=['app/sub/*.py', 'top.py'], name='top')"),
    ("src/top.py", ""),
    ("BUILD", "target(name='all', dependencies=['src/app:lib', '!src/app/main.py:lib', '!!src/app:bin', ':gone'])"),
    ("docs/readme.md", ""),
];

fn check_select(specs: &[&str], cwd: &str, expected: &[&str]) {
    let (graph, _) = loaded(&TREE);
    let selected = select(&graph, specs, &path(cwd), "/repo").unwrap_or_else(|error| panic!("{specs:?}: {error}"));
    assert_eq!(selected.iter().map(Address::to_string).collect::<Vec<_>>(), expected, "{specs:?}");
}

#[test]
fn every_form_of_spec_selects_the_same_targets_as_pants() {
    let all = [
        "//:all",
        "src:top",
        "src/app/sub/x.py:../../top",
        "src/top.py:top",
        "src/app:bin",
        "src/app:lib",
        "src/app/main.py:lib",
    ];
    check_select(&["::"], "", &all);
    check_select(&["//::"], "src/app", &all);
    check_select(&["src/app:"], "", &["src/app:bin", "src/app:lib", "src/app/main.py:lib"]);
    check_select(&["src/app"], "", &["src/app:bin", "src/app/main.py:lib"]);
    check_select(&[""], "src/app", &["src/app:bin", "src/app/main.py:lib"]);
    check_select(&["/repo/src/app/"], "", &["src/app:bin", "src/app/main.py:lib"]);
    check_select(&["../repo/src/app"], "", &["src/app:bin", "src/app/main.py:lib"]);
    check_select(&["../../repo/src/app"], "src", &["src/app:bin", "src/app/main.py:lib"]);
    check_select(&["src/ap?/m*n.py", "src/app/mai?.py"], "", &["src/app:bin", "src/app/main.py:lib"]);
    check_select(&["app/sub::"], "src", &["src/app/sub/x.py:../../top"]);
    check_select(&[":lib"], "src/app", &["src/app:lib"]);
    check_select(&["src/app:lib"], "", &["src/app:lib"]);
    check_select(&["src/app/main.py"], "", &["src/app:bin", "src/app/main.py:lib"]);
    check_select(&["src/app/main.py::"], "", &["src/app:bin", "src/app/main.py:lib"]);
    check_select(&["src/app/main.py:lib"], "", &["src/app/main.py:lib"]);
    check_select(&["src/app/sub/x.py:../../top"], "", &["src/app/sub/x.py:../../top"]);
    check_select(
        &["src/**/*.py"],
        "",
        &["src/app/sub/x.py:../../top", "src/top.py:top", "src/app:bin", "src/app/main.py:lib"],
    );
    check_select(&["docs::", "docs/readme.md"], "", &[]);
    check_select(&["-src/app::", "::", "!//:all"], "", &["src:top", "src/top.py:top"]);
}

#[test]
fn specs_that_match_nothing_are_errors_with_a_hint() {
    let (graph, _) = loaded(&TREE);
    let check = |spec: &str, message: &str, hint: &str| {
        let error = select(&graph, &[spec], &RelPath::root(), "/repo").expect_err(spec);
        let cause = std::error::Error::source(&error).map_or(String::new(), |source| format!(": {source}"));
        assert_eq!((format!("{error}{cause}").as_str(), error.hint().unwrap_or_default()), (message, hint));
    };
    check("src/ap::", "`src/ap::` matches no file or directory", "did you mean `src/app`?");
    check("src/app/mian.py", "`src/app/mian.py` matches no file or directory", "did you mean `src/app/main.py`?");
    let unknown = "`src/app:bn` does not name a target: `src/app` does not declare a target `bn`";
    check("src/app:bn", unknown, "did you mean `bin`?");
    let unknown = "`src/app/main.py:x` does not name a target: no target `x` owns the file";
    check("src/app/main.py:x", unknown, "the file is owned by `src/app:lib`, `src/app/main.py:lib`");
    check("*.rs", "`*.rs` matches no file or directory", "");
    check("../repo2/src", "`../repo2/src` is outside the build root", "");
    check("../../repo/src", "`../../repo/src` is outside the build root", "");
    check("../x", "`../x` is outside the build root", "");
    check("/elsewhere", "`/elsewhere` is outside the build root", "");
    check("a::b", "invalid spec `a::b`: nothing may follow `::`", "");
}

#[test]
fn explicit_dependencies_support_both_kinds_of_exclusion() {
    let (graph, _) = loaded(&TREE);
    let all = graph.get(&Address::new(&RelPath::root(), "all")).expect("declared");
    let explicit = dependencies::explicit(&graph, all);
    let show = |list: &[Address]| list.iter().map(Address::to_string).collect::<Vec<_>>();
    // The generator is replaced by its targets.
    assert_eq!(show(&explicit.include), ["src/app/main.py:lib"]);
    assert_eq!(show(&explicit.exclude), ["src/app/main.py:lib"]);
    assert_eq!(show(&explicit.exclude_transitive), ["src/app:bin"]);
    assert_eq!(explicit.errors[0].to_string(), "`:gone` does not name a target: `.` does not declare a target `gone`");
}

#[test]
fn generated_names_match_in_any_spelling() {
    let files = [
        ("BUILD", "python_requirements(name='r')\ntarget(name='t', dependencies=[':r#Typing_Extensions'])"),
        ("requirements.txt", "typing-extensions\n"),
    ];
    let (graph, _) = loaded(&files);
    let target = graph.get(&Address::new(&RelPath::root(), "t")).expect("declared");
    assert_eq!(dependencies::explicit(&graph, target).include[0].to_string(), "//:r#typing-extensions");
}

#[test]
fn changed_and_deleted_files_select_their_targets() {
    let (graph, _) = loaded(&TREE);
    let check = |file: &str, expected: &[&str]| {
        let found: Vec<String> = changed(&graph, &[path(file)]).iter().map(Address::to_string).collect();
        assert_eq!(found, expected, "{file}");
    };
    check("src/app/main.py", &["src/app:bin", "src/app/main.py:lib"]);
    check("src/app/BUILD", &["src/app:bin", "src/app/main.py:lib"]);
    check("src/app/gone.py", &["src/app:lib"]);
    check("src/app/sub/gone.py", &["src:top"]);
    check("docs/readme.md", &[]);
}

#[test]
fn filters_are_conjunctions_of_disjunctions_and_a_minus_negates() {
    let (graph, _) = loaded(&TREE);
    let all: Vec<Address> = graph.targets().map(|target| target.address.clone()).collect();
    let count = |filters: Filters| filter(&graph, all.clone(), &filters).map(|found| found.len());
    let tag = |tag: &[&'static str]| Filters { tag: tag.to_vec(), ..Filters::default() };
    assert_eq!(count(tag(&["a"])).ok(), Some(1));
    assert_eq!(count(tag(&["+x,a", "b"])).ok(), Some(1));
    assert_eq!(count(tag(&["-a,x"])).ok(), Some(6));
    let kind = |kind: &'static str| Filters { target_type: vec![kind], ..Filters::default() };
    assert_eq!(count(kind("python_source,target")).ok(), Some(4));
    assert!(count(kind("python_sorce")).is_err());
    let regex = |regex: &'static str| Filters { address_regex: vec![regex], ..Filters::default() };
    assert_eq!(count(regex("^src/app:")).ok(), Some(2));
    assert!(count(regex("(")).is_err());
    let granularity = |granularity| Filters { granularity, ..Filters::default() };
    assert_eq!(count(granularity(Granularity::File)).ok(), Some(3));
    assert_eq!(count(granularity(Granularity::Build)).ok(), Some(4));
}

#[test]
fn a_missing_build_root_is_reported() {
    let loaded = load(Path::new("/nonexistent/repository"), &Config::default(), &LoadContext::new(&|_| None));
    let (graph, diagnostics) = (loaded.graph, loaded.diagnostics);
    assert_eq!(graph.targets().count(), 0);
    assert!(diagnostics[0].is_error());
}

fn parameters() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map("[a-z_]{1,5}", "[a-z0-9.]{0,5}", 0..3)
}

proptest! {
    #[test]
    fn a_printed_address_parses_to_itself(
        dir in "([a-c.]{1,3}x/){0,3}[a-c]{0,3}",
        name in "[a-c_.-]{1,4}",
        file in proptest::option::of("([a-c]{1,2}/){0,2}[a-c]{1,3}\\.py"),
        generated in proptest::option::of("[a-zA-Z.-]{1,5}"),
        parameters in parameters(),
    ) {
        let generated = generated.filter(|_| file.is_none());
        let file = file.as_deref().map(path);
        let is_file = file.is_some();
        let address = Address::from(Parts { dir: path(&dir), file, name, generated, parameters });
        let printed = address.to_string();
        let written = Written::parse(&printed, &path("elsewhere"), &|_| false).expect(&printed);
        prop_assert_eq!(written.resolve(is_file), Ok(address), "{}", printed);
    }

    #[test]
    fn selection_never_panics_on_arbitrary_specs_and_dependencies(text in "[a-c/.:#@=*!\\[\\]-]{0,12}") {
        let graph = TargetGraph::from_files(Files::from_paths(vec![path("a/b.c"), path("a/b/c")]));
        drop(select(&graph, &[&text], &path("a/b"), "/a"));
        drop(dependencies::find_targets(&graph, &text, &path("a/b")));
    }

    #[test]
    fn parsing_requirements_never_panics_on_arbitrary_text(text in "[a-z0-9.^~=<>!,|*\\[\\]{}\"' #@:/\n-]{0,40}") {
        for (generator, file) in [("python_requirements", "requirements.txt"), ("pipenv_requirements", "Pipfile.lock")] {
            requirements::parse_alone(generator, file, &text);
        }
        let table = format!("a = '''{text}'''\nb = {{version = '''{text}''', python = '''{text}'''}}\n");
        let poetry = format!("[tool.poetry.dependencies]\n{table}");
        requirements::parse_alone("poetry_requirements", "pyproject.toml", &poetry);
    }
}
