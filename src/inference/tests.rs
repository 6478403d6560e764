//! Tests of inference and closures on small repositories, one for each rule.

use std::collections::BTreeSet;

use serde_json::json;

use super::fixture::{address, path, repository, to_text};
use super::*;
use crate::targets::{Object, Severity, Value};

#[test]
fn an_imported_name_is_looked_up_in_its_module_only() {
    repository()
        .source("src/a/b.py", "")
        .source("src/m.py", "from a.b import C\nimport a\nfrom a.b.c import D")
        .check("src/m.py", &["src/a/b.py"])
        .check_diagnostics(&["no target provides the imported modules `a` (line 2), `a.b.c.D` (line 3)"]);
}

#[test]
fn importing_a_package_does_not_depend_on_its_modules() {
    repository()
        .source("src/a/__init__.py", "x = 1")
        .source("src/a/b.py", "")
        .source("src/m.py", "import a\nfrom a import *")
        .source("src/n.py", "from a import b")
        .check("src/m.py", &["src/a/__init__.py"])
        .check("src/n.py", &["src/a/b.py"]);
}

#[test]
fn a_requirement_is_found_by_any_ancestor() {
    repository()
        .requirement(":r#PyYAML")
        .source("m.py", "import yaml.a.b\nfrom yaml import C")
        .check("m.py", &[":r#PyYAML"]);
}

#[test]
fn stubs_are_dependencies_together_with_the_code() {
    repository()
        .requirement(":r#PyYAML")
        .requirement(":r#types-PyYAML")
        .source("m.py", "import yaml")
        .check("m.py", &[":r#PyYAML", ":r#types-PyYAML"])
        .check_diagnostics(&[]);
    repository().source("a.py", "").source("a.pyi", "").source("m.py", "import a").check("m.py", &["a.py", "a.pyi"]);
}

#[test]
fn a_project_uses_its_own_requirement_of_a_shared_distribution() {
    let file = |name: &str| Value::Str(name.to_owned());
    let with_source = |name: &str| {
        repository()
            .target("python_requirements", "a:r", &[("source", file(name))])
            .target("python_requirements", "b:r", &[("source", file(name))])
            .requirement("a:r#PyYAML")
            .requirement("b:r#PyYAML")
            .source("a/src/m.py", "import yaml")
            .source("c/m.py", "import yaml")
    };
    with_source("pyproject.toml").check("a/src/m.py", &["a:r#PyYAML"]).check("c/m.py", &[]);
    with_source("requirements.txt").check("a/src/m.py", &[]);
}

#[test]
fn the_longest_matching_module_name_wins_between_first_and_third_party() {
    repository()
        .requirement(":r#company")
        .source("src/company/tool.py", "")
        .source("m.py", "from company.tool import x\nimport company.other")
        .check("m.py", &[":r#company", "src/company/tool.py"]);
}

#[test]
fn an_explicit_mapping_replaces_the_default() {
    let modules =
        Value::Dict(vec![(Value::Str("pyYAML".to_owned()), Value::List(vec![Value::Str("other".to_owned())]))]);
    let repository = repository()
        .source("m.py", "import yaml  # gone\nimport other")
        .target("python_requirements", ":r", &[("module_mapping", modules)])
        .requirement(":r#PyYAML")
        .generated_from(":r", &[":r#PyYAML"]);
    repository.check("m.py", &[":r#PyYAML"]).check_diagnostics(&["no target provides the imported module `yaml`"]);
}

#[test]
fn ambiguity_is_reported_and_can_be_resolved() {
    let two = || repository().source("src/a.py", "").source("lib/src/a.py", "").source("src/m.py", "import a");
    let expected = "module `a` is ambiguous: provided by ";
    let dependencies = two().infer();
    assert!(dependencies.direct(&address("src/m.py")).is_empty());
    assert!(dependencies.diagnostics[0].1.message.starts_with(expected), "{:?}", dependencies.diagnostics);
    assert_eq!(dependencies.diagnostics.len(), 1, "not reported as unowned as well");
    let strict = two().option("python-infer", "unowned_dependency_behavior", json!("error")).infer();
    assert_eq!(strict.diagnostics[0].1.severity, Severity::Error);
    two().depends("src/m.py", &["src/a.py:all"]).check("src/m.py", &["src/a.py"]).check_diagnostics(&[]);
    two().depends("src/m.py", &["!src/a.py:all"]).check("src/m.py", &["lib/src/a.py"]).check_diagnostics(&[]);
    two()
        .option("python-infer", "ambiguity_resolution", json!("by_source_root"))
        .check("src/m.py", &["src/a.py"])
        .check_diagnostics(&[]);
}

#[test]
fn an_ambiguous_string_is_not_reported_where_targets_follow_from_files() {
    let two = || {
        let sources = [("one/src/conftest.py", ""), ("two/src/conftest.py", ""), ("m.py", "make('conftest.py')")];
        let all = sources.iter().fold(repository(), |all, (file, text)| all.source(file, text));
        all.option("python-infer", "string_imports", json!(true)).option(
            "python-infer",
            "string_imports_min_dots",
            json!(1),
        )
    };
    let expected = "module `conftest.py` is ambiguous: provided by `one/src/conftest.py:all`, `two/src/conftest.py:all`; no dependency is \
                    inferred";
    two().check_diagnostics(&[expected]);
    two().option("python-infer", "ambiguity_resolution", json!("nearest")).check_diagnostics(&[]);
}

#[test]
fn unowned_imports_are_reported_as_configured() {
    let one =
        || repository().source("m.py", "import os\nimport nobody.x\ntry:\n  import weak\nexcept ImportError: pass");
    one().check_diagnostics(&["no target provides the imported module `nobody.x`"]);
    one().option("python-infer", "ignored_unowned_imports", json!(["nobody"])).check_diagnostics(&[]);
    one().option("python-infer", "unowned_dependency_behavior", json!("ignore")).check_diagnostics(&[]);
    let error = one().option("python-infer", "unowned_dependency_behavior", json!("error")).infer();
    let (target, diagnostic) = &error.diagnostics[0];
    assert_eq!(*target, address("m.py"));
    assert_eq!((diagnostic.severity, diagnostic.place.line), (Severity::Error, 2));
    assert_eq!(diagnostic.file, path("m.py"));
}

#[test]
fn a_weak_import_with_an_owner_is_a_dependency() {
    repository()
        .source("a.py", "")
        .source("m.py", "try:\n  import a\nexcept ImportError:\n  a = None")
        .check("m.py", &["a.py"]);
}

#[test]
fn imports_stay_in_their_resolve() {
    let one = || {
        repository()
            .option("python", "enable_resolves", json!(true))
            .option("python", "default_resolve", json!("a"))
            .requirement(":r#requests@resolve=a")
            .target(
                "python_requirement",
                ":s#requests",
                &[
                    ("requirements", Value::List(vec![Value::Str("requests".to_owned())])),
                    ("resolve", Value::Str("b".to_owned())),
                ],
            )
            .source("m.py", "import requests")
    };
    one().check("m.py", &[":r#requests@resolve=a"]);
    let in_c = [("resolve", Value::Str("c".to_owned()))];
    let dependencies = one().file("n.py", "import requests").target("python_source", "n.py", &in_c).infer();
    assert!(dependencies.direct(&address("n.py")).is_empty());
    let hint = dependencies.diagnostics[0].1.hint.clone().expect("a hint");
    assert_eq!(
        hint,
        "the target uses the resolve `c`; `requests` is in the resolve `a`, `requests` is in the resolve `b`"
    );
}

#[test]
fn a_dependency_on_a_parametrized_target_selects_the_same_resolve() {
    let both = |name: &str| {
        ["a", "b"].map(|resolve| (format!("{name}@resolve={resolve}"), [("resolve", Value::Str(resolve.to_owned()))]))
    };
    let mut repository = repository().option("python", "enable_resolves", json!(true)).source("m.py", "");
    for (name, fields) in both("lib:lib") {
        repository = repository.target("target", &name, &fields);
    }
    repository = repository.target("target", ":in_b", &[("resolve", Value::Str("b".to_owned()))]);
    repository = repository.target("target", ":in_c", &[("resolve", Value::Str("c".to_owned()))]);
    repository = repository.depends(":in_b", &["lib:lib"]).depends(":in_c", &["lib:lib@resolve=a"]);
    repository.check(":in_b", &["lib:lib@resolve=b"]).check(":in_c", &["lib:lib@resolve=a"]);
}

#[test]
fn non_blank_init_files_above_are_dependencies() {
    let one = || {
        repository()
            .source("__init__.py", "x = 1")
            .source("src/a/__init__.py", "  \n")
            .source("src/a/b/__init__.py", "y = 1")
            .source("src/a/b/m.py", "")
    };
    one().check("src/a/b/m.py", &["__init__.py", "src/a/b/__init__.py"]);
    one().check("src/a/b/__init__.py", &["__init__.py"]);
    let always = ["__init__.py", "src/a/__init__.py", "src/a/b/__init__.py"];
    one().option("python-infer", "init_files", json!("always")).check("src/a/b/m.py", &always);
    one().option("python-infer", "init_files", json!("never")).check("src/a/b/m.py", &[]);
}

#[test]
fn conftests_above_are_dependencies_of_tests_only() {
    repository()
        .source("conftest.py", "")
        .source("tests/conftest.py", "")
        .test("tests/a/test_x.py", "")
        .source("tests/a/helper.py", "")
        .check("tests/a/test_x.py", &["conftest.py", "tests/conftest.py"])
        .check("tests/a/helper.py", &[]);
}

#[test]
fn a_conftest_without_an_owner_is_an_error() {
    repository()
        .file("tests/conftest.py", "")
        .test("tests/test_x.py", "")
        .check_diagnostics(&["`tests/conftest.py` applies to `tests/test_x.py`, but no target owns it"]);
}

#[test]
fn entry_points_are_dependencies() {
    let entry = |written: &str| [("entry_point", Value::Str(written.to_owned()))];
    repository()
        .source("src/app/main.py", "")
        .target("pex_binary", "src/app:file", &entry("main.py:run"))
        .target("pex_binary", "src/app:module", &entry("app.main"))
        .check("src/app:file", &["src/app/main.py"])
        .check("src/app:module", &["src/app/main.py"]);
    let scripts = Value::Dict(vec![(Value::Str("x".to_owned()), Value::Str("app.main:run".to_owned()))]);
    let groups = Value::Dict(vec![(Value::Str("console_scripts".to_owned()), scripts)]);
    let provides = Value::Object(Box::new(Object {
        kind: "python_artifact".to_owned(),
        positional: vec![],
        named: vec![("entry_points".to_owned(), groups)],
    }));
    repository()
        .source("src/app/main.py", "")
        .target("python_distribution", "src/app:dist", &[("provides", provides)])
        .check("src/app:dist", &["src/app/main.py"]);
}

#[test]
fn tests_depend_on_the_extensions_of_their_stevedore_namespaces() {
    let group = |name: &str| {
        let positional = vec![Value::Str(name.to_owned())];
        Value::Object(Box::new(Object { kind: "stevedore_namespace".to_owned(), positional, named: vec![] }))
    };
    let entry = |written: &str| Value::Dict(vec![(Value::Str("x".to_owned()), Value::Str(written.to_owned()))]);
    let groups = Value::Dict(vec![(group("runners"), entry("a:Run")), (group("others"), entry("b"))]);
    repository()
        .source("a.py", "")
        .source("b.py", "")
        .target("python_distribution", ":dist", &[("entry_points", groups)])
        .test("test_m.py", "")
        .field("test_m.py", "stevedore_namespaces", &["runners", "unheard_of"])
        .check("test_m.py", &["a.py"])
        .check(":dist", &["a.py", "b.py"]);
}

#[test]
fn tests_depend_on_the_entry_points_that_they_request() {
    let dict = |items: Vec<(&str, Value)>| {
        Value::Dict(items.into_iter().map(|(key, value)| (Value::Str(key.to_owned()), value)).collect())
    };
    let text = |text: &str| Value::Str(text.to_owned());
    let scripts = dict(vec![("one", text("a:run")), ("two", text("b:run"))]);
    let groups = dict(vec![("console_scripts", scripts), ("others", Value::List(vec![text("x = c:run")]))]);
    let requests =
        |requests: &[&str]| dict(vec![(":dist", Value::List(requests.iter().map(|request| text(request)).collect()))]);
    let check = |requested: &[&str], expected: &[&str]| {
        repository()
            .source("a.py", "")
            .source("b.py", "")
            .source("c.py", "")
            .target("python_distribution", ":dist", &[("entry_points", groups.clone())])
            .target("python_test", "test_m.py", &[("entry_point_dependencies", requests(requested))])
            .check("test_m.py", expected);
    };
    check(&["*"], &["a.py", "b.py", "c.py"]);
    check(&["console_scripts"], &["a.py", "b.py"]);
    check(&["console_scripts/two", "others/x"], &["b.py", "c.py"]);
    check(&["unknown"], &[]);
}

#[test]
fn strings_are_dependencies_if_enabled() {
    let one = || {
        repository()
            .source("a/b/c.py", "")
            .source("m.py", "X = 'a.b.c'\nY = 'a.b'\nZ = 'not.a.module'\nP = 'data/x.json'")
            .target("resource", "data/x.json", &[])
    };
    one().check("m.py", &[]);
    one().option("python-infer", "string_imports", json!(true)).check("m.py", &["a/b/c.py"]).check_diagnostics(&[]);
    one().option("python-infer", "assets", json!(true)).check("m.py", &["data/x.json"]);
}

#[test]
fn a_target_generator_stands_for_its_generated_targets() {
    repository()
        .source("lib/a.py", "")
        .source("lib/b.py", "")
        .target("python_sources", "lib:all", &[])
        .generated_from("lib:all", &["lib/a.py", "lib/b.py"])
        .source("m.py", "")
        .depends("m.py", &["lib:all", "!lib/b.py:all"])
        .check("m.py", &["lib/a.py"])
        .check("lib:all", &["lib/a.py", "lib/b.py"]);
}

#[test]
fn a_dependency_on_an_unknown_address_is_an_error() {
    let dependencies = repository().source("m.py", "").depends("m.py", &["lib:gone"]).infer();
    assert_eq!(dependencies.diagnostics[0].1.severity, Severity::Error);
}

#[test]
fn closures_handle_cycles_and_exclusions() {
    let one = repository()
        .source("a.py", "import b")
        .source("b.py", "import a\nimport c")
        .source("c.py", "import d")
        .source("d.py", "")
        .target("pex_binary", ":bin", &[("entry_point", Value::Str("a".to_owned()))])
        .depends(":bin", &["!!c.py:all"]);
    let dependencies = one.infer();
    let all = |root: &str| dependencies.transitive([&address(root)]).iter().map(to_text).collect::<Vec<_>>();
    assert_eq!(all("a.py"), ["a.py", "b.py", "c.py", "d.py"]);
    assert_eq!(all("c.py"), ["d.py"]);
    assert_eq!(all(":bin"), ["a.py", "b.py", "d.py"]);
    let dependents = |root: &str| dependencies.dependents(&address(root)).into_iter().map(to_text).collect::<Vec<_>>();
    assert_eq!(dependents("b.py"), ["a.py"]);
    let far = address("d.py");
    let dependents: Vec<String> = dependencies.transitive_dependents([&far]).into_iter().map(to_text).collect();
    assert_eq!(dependents, [":bin", "a.py", "b.py", "c.py"]);
}

#[test]
fn a_closure_contains_what_a_sandbox_needs() {
    let one = repository()
        .requirement(":r#PyYAML")
        .requirement(":r#unused")
        .file("src/app/__init__.py", "")
        .source("src/app/m.py", "import yaml")
        .target("resource", "src/app/data.txt", &[])
        .target("file", "docs/x.txt", &[])
        .source("tests/conftest.py", "")
        .test("tests/test_m.py", "import app.m")
        .target("pex_binary", ":bin", &[("entry_point", Value::Str("app.m".to_owned()))])
        .target("pex_binary", ":other", &[("entry_point", Value::Str("other".to_owned()))])
        .source("src/other.py", "")
        .depends("src/app/m.py", &["src/app/data.txt:all", "docs/x.txt:all"])
        .depends(":bin", &[":other"])
        .field("tests/test_m.py", "runtime_package_dependencies", &["//:bin"]);
    let (graph, dependencies, settings) = (one.graph(), one.infer(), one.settings());
    let closures = Closures::new(&graph, &dependencies, &settings, &one.roots());
    let of_test = closures.compute([&address("tests/test_m.py")], Follow::All);
    let files: Vec<&str> = of_test.files.iter().map(|path| path.as_str()).collect();
    assert_eq!(
        files,
        [
            "docs/x.txt",
            "src/app/__init__.py",
            "src/app/data.txt",
            "src/app/m.py",
            "tests/conftest.py",
            "tests/test_m.py"
        ]
    );
    assert_eq!(of_test.requirements, [&address(":r#PyYAML")]);
    assert_eq!(of_test.requirement_texts, BTreeSet::from(["PyYAML"]));
    assert_eq!(of_test.source_roots, [&path(""), &path("src")]);
    assert_eq!(of_test.packages, [&address(":bin")]);
    assert_eq!(of_test.resolves, BTreeSet::from(["python-default"]));
    let package = closures.compute([&address(":bin")], Follow::UpToPackages);
    assert!(!package.files.contains(&&path("src/other.py")));
    assert!(closures.compute([&address(":bin")], Follow::All).files.contains(&&path("src/other.py")));
}

#[test]
fn a_file_whose_imports_cannot_be_read_is_reported() {
    let deep = "(".repeat(100_000);
    let message = "cannot read the imports of `m.py`: the file is too large or too deeply nested";
    repository().source("m.py", &deep).check_diagnostics(&[message]);
}

/// Ten thousand random mutations: nothing panics, and every import has a line of the file.
#[test]
fn mutated_files_cause_no_panic() {
    let bytes = "try:\n  from .a import (b, # pants: no-infer-dep\n c)\nexcept (ImportError,): f'{x!r:>{y}}' 'é'\n\
                 @d\nclass C[T]:\n  def f(self, /, *, k=__import__('m')): return [lambda: \"\"\"s.t\"\"\" for _ in ()]\n"
        .as_bytes();
    let mut seed = 1_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap_or_default() % below
    };
    for _ in 0..10_000 {
        let mut content = bytes.to_vec();
        for _ in 0..=next(4) {
            let (from, to) = (next(content.len()), next(content.len()));
            match next(4) {
                0 => content.truncate(from.max(1)),
                1 => content[from] = u8::try_from(next(256)).unwrap_or_default(),
                2 => content.swap(from, to),
                _ => content.insert(from, bytes[to % bytes.len()]),
            }
        }
        let lines = u32::try_from(content.len()).unwrap_or_default() + 1;
        let read = parse_imports(&content, true);
        assert!(read.found.iter().all(|import| (1..=lines).contains(&import.line)), "{content:?}");
    }
}

#[test]
fn relocated_files_are_listed_with_their_original_paths() {
    let text = |text: &str| Value::Str(text.to_owned());
    let one = repository()
        .target("file", "data/in/x.txt", &[])
        .target("relocated_files", ":moved", &[("src", text("data")), ("dest", text("resources"))])
        .field(":moved", "files_targets", &["data/in/x.txt:all"])
        .test("test_m.py", "")
        .depends("test_m.py", &[":moved"]);
    let (graph, dependencies, settings) = (one.graph(), one.infer(), one.settings());
    let closures = Closures::new(&graph, &dependencies, &settings, &one.roots());
    let of_test = closures.compute([&address("test_m.py")], Follow::All);
    assert_eq!(of_test.relocated, BTreeSet::from([(&path("data/in/x.txt"), path("resources/in/x.txt"))]));
    assert_eq!(of_test.files, [&path("test_m.py")]);
}

#[test]
fn an_unknown_address_has_no_dependencies() {
    let dependencies = repository().infer();
    assert!(dependencies.direct(&address("m.py")).is_empty());
    assert!(dependencies.transitive([&address("m.py")]).is_empty());
}
