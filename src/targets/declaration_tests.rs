//! Loading of single declarations: values of the wrong type, invalid requirements, overrides, unusual file names,
//! deleted files.

use super::tests::{addresses, field, loaded, messages, path, text};
use crate::base::RelPath;
use crate::targets::{Address, dependencies, select, with_deleted};

#[test]
fn values_of_the_wrong_type_are_errors_with_their_position() {
    let build = "python_sources(\n    sources='a.py',\n    overrides={'a.py': {'tags': 'x', 'tagz': 1}},\n)\n";
    let files = [("a/BUILD", build), ("a/a.py", ""), ("b/BUILD", "__defaults__(all=dict(tags='x'))\n")];
    let (graph, diagnostics) = loaded(&files);
    assert_eq!(addresses(&graph), ["a:a"], "a value of the wrong type owns no files");
    let expected = [
        "a/BUILD:2:5: `sources` of `python_sources` must be a list of strings, not the string `\"a.py\"` (write `sources=[\"a.py\"]`)",
        "a/BUILD:3:25: `tags` of `python_sources` must be a list of strings, not the string `\"x\"` (write `tags=[\"x\"]`)",
        "a/BUILD:3:38: unknown field `tagz` of `python_source`, in `overrides` of `a.py`: it has no effect (did you mean `tags`?)",
    ];
    assert_eq!(messages(&diagnostics)[..3], expected);
    let expected = "b/BUILD:1:1: `tags` in `all` of `__defaults__` must be a list of strings, not the string `\"x\"` (write `tags=[\"x\"]`)";
    assert_eq!(messages(&diagnostics)[3..], [expected]);
}

#[test]
fn invalid_requirements_are_errors_and_the_others_load() {
    let files = [
        ("a/BUILD", "python_requirement(name='r', requirements=['ok', 'b c'])\npython_requirements(name='all')\n"),
        ("a/requirements.txt", "good>=1\nnot good\n"),
    ];
    let (graph, diagnostics) = loaded(&files);
    assert!(addresses(&graph).contains(&"a:all#good".to_owned()));
    let found = messages(&diagnostics);
    assert!(found[0].starts_with("a/BUILD:1:50: `b c` is not a requirement: "), "{found:?}");
    assert!(found[1].starts_with("a/requirements.txt:2:1: `not good` is not a requirement: "), "{found:?}");
}

#[test]
fn globs_that_leave_the_directory_are_refused() {
    let (_, diagnostics) = loaded(&[("a/BUILD", "python_sources(sources=['x.py',\n  '//'])\n"), ("a/x.py", "")]);
    let expected = "a/BUILD:2:3: `sources` has the invalid glob `//`: it must be relative and without `..`";
    assert_eq!(messages(&diagnostics), [expected]);
}

#[test]
fn an_override_of_a_parametrized_default_makes_one_target() {
    let build = "__defaults__(all=dict(resolve=parametrize('a', 'b')))\npython_sources(name='l', overrides={'b.py': dict(resolve='b'), 'c.py': dict(resolve='c')})\n";
    let (graph, _) = loaded(&[("p/BUILD", build), ("p/b.py", ""), ("p/c.py", "")]);
    let files: Vec<String> = addresses(&graph).into_iter().filter(|address| address.contains(".py")).collect();
    assert_eq!(files, ["p/b.py:l@resolve=b", "p/c.py:l@resolve=c"]);
    assert_eq!(field(&graph, "p/c.py:l@resolve=c", "resolve"), Some(&text("c")));
}

#[test]
fn file_names_may_contain_the_separators_of_addresses() {
    let names = ["a@b.py", "c#d.py", "e:f.py", "g*h.py", "plain.py"];
    let files = names.map(|name| format!("p@q/{name}"));
    let mut all: Vec<(&str, &str)> = files.iter().map(|file| (file.as_str(), "")).collect();
    all.push(("p@q/BUILD", "python_sources(name='l')\ntarget(name='t', dependencies=['./a@b.py:l'])\n"));
    let (graph, diagnostics) = loaded(&all);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    for listed in addresses(&graph) {
        let found = select(&graph, &[&listed], &RelPath::root(), "/root").expect(&listed);
        assert_eq!(found.iter().map(Address::to_string).collect::<Vec<_>>(), [listed]);
    }
    let target = graph.targets().find(|target| target.address.name == "t").expect("declared");
    assert_eq!(dependencies::explicit(&graph, target).include[0].to_string(), "p@q/a@b.py:l");
    let found = select(&graph, &["p@q::"], &RelPath::root(), "/root").expect("selects");
    assert_eq!(found.len(), names.len() + 2);
}

#[test]
fn the_graph_before_a_deletion_has_the_deleted_targets() {
    let files = [("p/BUILD", "python_sources(tags=['t'])"), ("p/a.py", ""), ("q/x.txt", "")];
    let (graph, _) = loaded(&files);
    let former = |deleted: &str| {
        let (before, former) = with_deleted(&graph, &[path(deleted)])?;
        let address = former.first().expect("not empty");
        Some((address.to_string(), before.get(address).expect("inserted").clone()))
    };
    let (address, target) = former("p/gone.py").expect("matches the globs");
    assert_eq!((address.as_str(), target.kind.as_str()), ("p/gone.py", "python_source"));
    assert!(target.fields.contains_key("tags"));
    assert_eq!(former("q/gone.py").expect("a Python file").0, "q/gone.py:deleted");
    assert!(former("q/gone.txt").is_none() && former("p/a.py").is_none());
}
