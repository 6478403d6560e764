//! Tests of the selection of locked packages.

use super::*;
use crate::packaging::lockfile;
use crate::packaging::requirement::parse;

/// Each line of `packages` has the form `name version | requirement, requirement | file, file`.
fn lock(packages: &str) -> Lock {
    let quoted = |texts: &str| -> Vec<String> {
        texts.split(", ").map(str::trim).filter(|text| !text.is_empty()).map(|text| format!("\"{text}\"")).collect()
    };
    let entries = packages.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let (name, version) = parts[0].split_once(' ').expect("name and version");
        let files = quoted(parts[2]).into_iter().map(|file| {
            let url = file.replacen('"', "\"https://example.invalid/", 1);
            format!("{{\"algorithm\": \"sha256\", \"hash\": \"{}\", \"url\": {url}}}", "0a".repeat(32))
        });
        format!(
            "{{\"project_name\": \"{name}\", \"version\": \"{version}\", \"requires_dists\": [{}], \"artifacts\": [{}]}}",
            quoted(parts[1]).join(","),
            files.collect::<Vec<_>>().join(",")
        )
    });
    let entries: Vec<String> = entries.collect();
    let text = format!(
        "{{\"requires_python\": [\">=3.9\"], \"locked_resolves\": [{{\"locked_requirements\": [{}]}}]}}",
        entries.join(",")
    );
    lockfile::parse("a.lock", &text, None).expect("lock")
}

fn environment(python: &str) -> Environment {
    Environment::linux_x86_64(python, (2, 36)).expect("version")
}

fn names(packages: &str, roots: &[&str], python: &str) -> Result<Vec<String>, String> {
    let roots: Vec<Requirement> = roots.iter().map(|text| parse(text).expect("requirement")).collect();
    let selected = resolve(&lock(packages), &roots, &environment(python)).map_err(|error| error.to_string())?;
    Ok(selected.iter().map(|package| format!("{} {}", package.name, package.version)).collect())
}

fn file(files: &str, python: &str) -> Result<ArtifactChoice, String> {
    let roots = [parse("a").expect("requirement")];
    let selected = resolve(&lock(&format!("a 1 | | {files}")), &roots, &environment(python));
    selected.map(|selected| selected[0].artifact.clone()).map_err(|error| error.to_string())
}

const GRAPH: &str = "
    app 1 | lib[fast]>=1, old; python_version < '3.10', win; sys_platform == 'win32' | app-1-py3-none-any.whl
    lib 2 | app, speed; extra == 'fast', docs; extra == 'docs' | lib-2-py3-none-any.whl
    old 1 | | old-1-py3-none-any.whl
    speed 3 | | speed-3-py3-none-any.whl
    unrelated 1 | | unrelated-1-py3-none-any.whl";

#[test]
fn dependencies_are_followed_with_markers_extras_and_cycles() {
    assert_eq!(names(GRAPH, &["app"], "3.12.1"), Ok(vec!["app 1".into(), "lib 2".into(), "speed 3".into()]));
    assert_eq!(names(GRAPH, &["lib"], "3.9.1").map(|names| names.contains(&"old 1".to_owned())), Ok(true));
    assert_eq!(names(GRAPH, &["lib; python_version < '3'"], "3.12.1"), Ok(vec![]));
}

#[test]
fn a_missing_package_is_reported_with_its_dependent() {
    let check = |roots: &[&str], expected: &str| assert_eq!(names(GRAPH, roots, "3.12.1"), Err(expected.to_owned()));
    check(&["flask>=2"], "a.lock does not contain `flask>=2`: it has no such package");
    check(&["lib>=3"], "a.lock does not contain `lib>=3`: it contains `lib 2`");
    check(
        &["lib[docs]"],
        "a.lock does not contain `docs ; extra == 'docs'`, which `lib` requires: it has no such package",
    );
}

#[test]
fn a_lockfile_without_metadata_is_stale_if_it_does_not_satisfy_a_requirement() {
    let check = |requirements: &[&str], expected: &[&str]| {
        let requirements: Vec<_> = requirements.iter().map(|text| parse(text).expect("requirement")).collect();
        let stale = staleness(&lock(GRAPH), &requirements, &Inputs::default(), &environment("3.12.1"));
        let stale: Vec<String> = stale.expect("readable").iter().map(ToString::to_string).collect();
        assert_eq!(stale, expected);
    };
    check(&["lib>=2", "flask; sys_platform == 'win32'"], &[]);
    check(
        &["lib>=3", "flask"],
        &[
            "the lockfile contains `lib 2`, but `lib>=3` is required",
            "the lockfile contains no package for the requirement `flask`",
        ],
    );
}

#[test]
fn an_unsupported_interpreter_is_rejected() {
    let expected = "a.lock was generated for Python >=3.9, not for 3.8.18";
    assert_eq!(names(GRAPH, &["app"], "3.8.18"), Err(expected.into()));
}

#[test]
fn the_wheel_with_the_best_tags_is_chosen() {
    let files = "a-1.tar.gz, a-1-py3-none-any.whl, a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl, \
                 a-1-cp312-cp312-manylinux_2_39_x86_64.whl, a-1-cp312-cp312-musllinux_1_1_x86_64.whl, \
                 a-1-cp39-abi3-manylinux2014_x86_64.whl";
    let check = |python: &str, expected: &str| match file(files, python) {
        Ok(ArtifactChoice::Wheel(artifact)) => {
            assert_eq!(artifact.file_name.as_deref(), Some(expected), "{python}")
        }
        other => panic!("{python}: {other:?}"),
    };
    check("3.12.1", "a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl");
    check("3.11.2", "a-1-cp39-abi3-manylinux2014_x86_64.whl");
}

#[test]
fn a_source_distribution_is_the_last_resort() {
    let artifact = file("a-1-cp39-cp39-win_amd64.whl, a-1.zip, a-1.tar.gz", "3.12.1").expect("sdist");
    assert!(matches!(artifact, ArtifactChoice::Sdist(artifact) if artifact.file_name.as_deref() == Some("a-1.tar.gz")));
}

#[test]
fn wheels_and_source_distributions_can_be_excluded_by_package() {
    let check = |no_binary: &[&str], only_binary: &[&str], files: &str, expected: Option<&str>| {
        let [no_binary, only_binary] =
            [no_binary, only_binary].map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let environment = environment("3.12.1").with_binaries(&no_binary, &only_binary);
        let selected = resolve(&lock(&format!("a 1 | | {files}")), &[parse("a").expect("requirement")], &environment);
        let name = selected.ok().and_then(|selected| match &selected[0].artifact {
            ArtifactChoice::Wheel(artifact) | ArtifactChoice::Sdist(artifact) => artifact.file_name.clone(),
            ArtifactChoice::Git(git) => Some(git.url.clone()),
            ArtifactChoice::Hashes(_) => None,
        });
        assert_eq!(name.as_deref(), expected, "{no_binary:?} {only_binary:?}");
    };
    let both = "a-1-py3-none-any.whl, a-1.tar.gz";
    check(&["a"], &[], both, Some("a-1.tar.gz"));
    check(&["b"], &[":all:"], both, Some("a-1-py3-none-any.whl"));
    check(&[], &["a"], "a-1.tar.gz", None);
    check(&[":all:"], &[], "a-1-py3-none-any.whl", None);
}

#[test]
fn a_package_without_a_compatible_file_is_reported_with_its_files() {
    assert_eq!(
        file("a-1-cp39-cp39-win_amd64.whl", "3.12.1"),
        Err("a.lock: `a` 1 has no file that is compatible with cp312-cp312-manylinux_2_36_x86_64: \
             the lockfile lists `a-1-cp39-cp39-win_amd64.whl`"
            .into())
    );
}

#[test]
fn serialized_selections_keep_their_field_names() {
    let selected = resolve_whole(&lock("a 1 | | a-1-py3-none-any.whl"), &environment("3.12.1")).expect("selected");
    let json = serde_json::to_value(&selected[0]).expect("serializable");
    assert_eq!(json["pick"]["Wheel"]["file_name"], "a-1-py3-none-any.whl");
    let hashes = serde_json::to_value(ArtifactChoice::Hashes(vec!["0a".to_owned()])).expect("serializable");
    assert_eq!(hashes, serde_json::json!({ "Listed": ["0a"] }));
}

#[test]
fn the_version_of_the_first_lockfile_is_kept() {
    let all = |packages: &str| resolve_whole(&lock(packages), &environment("3.12.1")).expect("selected");
    let (selected, conflicts) =
        combine(all("a 2 | | a-2-py3-none-any.whl"), all(&format!("a 1 | | a-1-py3-none-any.whl\n{GRAPH}")));
    assert_eq!(selected[0].version.to_string(), "2");
    assert_eq!(conflicts[0].dropped.version.to_string(), "1");
    assert_eq!(selected.len(), 6);
}
