//! Tests of the written texts, on one small resolution.

use super::*;
use crate::packaging::lockfile::resolution::LocalDirectory;
use crate::packaging::lockfile::{parse, pins};

const URL: &str = "https://example.invalid/files";

/// A resolution of `app`, which requires `six` on Linux.
fn resolution() -> Resolution {
    let file =
        |name: &str, digit: &str| format!("{{ url = \"{URL}/{name}\", hash = \"sha256:{}\" }}", digit.repeat(64));
    let (wheel, sdist) = (file("app-2-py3-none-any.whl", "1"), file("app-2.tar.gz", "2"));
    let (linux, mac) =
        (file("six-1-cp311-cp311-manylinux2014_x86_64.whl", "3"), file("six-1-cp311-cp311-macosx_11_0_arm64.whl", "4"));
    let lock = format!(
        "version = 1\nrequires-python = \"==3.11.*\"\n\n\
         [[package]]\nname = \"app\"\nversion = \"2\"\nsource = {{ registry = \"r\" }}\n\
         dependencies = [{{ name = \"six\", marker = \"sys_platform == 'linux'\" }}]\nsdist = {sdist}\nwheels = [{wheel}]\n\n\
         [[package]]\nname = \"six\"\nversion = \"1\"\nsource = {{ registry = \"r\" }}\nwheels = [{mac}, {linux}]\n"
    );
    let versions = "app==2\nsix==1 ; sys_platform == 'linux'\n";
    let metadata = r#"[{"name": "app", "version": "2", "requires_dist": ["six>=1,<2 ; sys_platform == 'linux'", "a ; extra == 'x'"],
        "requires_python": ">=3.8"}]"#;
    Resolution::parse(lock, versions, metadata, Vec::<LocalDirectory>::new()).expect("readable")
}

fn generated() -> Generated {
    Generated {
        resolve: "all".to_owned(),
        version: 3,
        command: "pants generate-lockfiles --resolve=all".to_owned(),
        program: "Pants",
        interpreter_constraints: vec!["CPython==3.11.*".to_owned()],
        requirements: vec!["app".to_owned()],
        ..Generated::default()
    }
}

fn write(format: Format, generated: &Generated, old: Option<&str>, upgraded: Option<&[String]>) -> String {
    let environment = Environment::linux_x86_64("3.11.2", (2, 36)).expect("version");
    let resolution = resolution();
    let new = NewLock {
        resolution: &resolution,
        generated,
        old,
        environment: &environment,
        path_mappings: &[],
        root: ("", "/repository"),
        has_sidecar: false,
        upgraded,
    };
    text(&new, format)
}

fn json(text: &str) -> serde_json::Value {
    let lines: String = text.lines().filter(|line| !line.starts_with("//")).collect();
    serde_json::from_str(&lines).expect("JSON")
}

#[test]
fn every_format_is_read_as_it_was_written() {
    for format in [Format::Pex, Format::Uv, Format::Pylock, Format::Requirements] {
        let text = write(format, &generated(), None, None);
        let lock = parse("a.lock", &text, None).expect("readable");
        assert!(lock.has_edges, "{text}");
        assert_eq!(lock.packages.len(), 2);
        assert!(lock.packages[0].requires.iter().any(|required| required.name.as_str() == "six"));
        assert_eq!(lock.packages[1].artifacts.len(), 2);
        assert_eq!(pins::read(&text).len(), 2, "{text}");
        assert_eq!(write(format, &generated(), Some(&text), Some(&[])), text, "written again");
        if format != Format::Uv {
            assert_eq!(lock.metadata.expect("metadata").generated_with_requirements, Some(vec!["app".to_owned()]));
        }
    }
}

#[test]
fn a_new_entry_of_pex_has_the_published_metadata_and_the_best_file_first() {
    let document = json(&write(Format::Pex, &generated(), None, None));
    let entries = &document["locked_resolves"][0]["locked_requirements"];
    let requires = ["a; extra == \"x\"", "six<2,>=1; sys_platform == \"linux\""];
    assert_eq!(entries[0]["requires_dists"], serde_json::json!(requires));
    assert_eq!(entries[0]["requires_python"], ">=3.8");
    assert_eq!(entries[1]["artifacts"][0]["url"], format!("{URL}/six-1-cp311-cp311-manylinux2014_x86_64.whl"));
}

#[test]
fn source_distributions_and_wheels_are_left_out_as_the_settings_say() {
    let urls = |generated: &Generated| write(Format::Pex, generated, None, None).matches(URL).count();
    assert_eq!(urls(&generated()), 4);
    let only_binary = Generated { only_binary: vec!["app".to_owned()], ..generated() };
    assert_eq!(urls(&only_binary), 3);
    let no_binary = Generated { no_binary: vec!["app".to_owned()], ..generated() };
    assert_eq!(urls(&no_binary), 3);
    assert_eq!(json(&write(Format::Pex, &no_binary, None, None))["only_builds"], serde_json::json!(["app"]));
}

#[test]
fn entries_of_pex_are_kept_until_their_package_is_upgraded() {
    let old = write(Format::Pex, &generated(), None, None)
        .replace("macosx_11_0_arm64", "macosx_12_0_arm64")
        .replace(&"4".repeat(64), &"5".repeat(64));
    assert_eq!(write(Format::Pex, &generated(), Some(&old), Some(&[])), old);
    let is_kept = |generated: &Generated, upgraded: Option<&[String]>| {
        write(Format::Pex, generated, Some(&old), upgraded).contains("macosx_12_0_arm64")
    };
    assert!(is_kept(&generated(), Some(&["app".to_owned()])));
    assert!(!is_kept(&generated(), Some(&["Six".to_owned()])));
    assert!(!is_kept(&generated(), None));
    let other = Generated { interpreter_constraints: vec!["CPython==3.12.*".to_owned()], ..generated() };
    assert!(!is_kept(&other, Some(&[])));
}

#[test]
fn fields_of_pex_and_the_absence_of_a_header_are_kept() {
    let plain = json(&write(Format::Pex, &generated(), None, None)).to_string().replace("\"2.1.137\"", "\"2.55.2\"");
    let text = write(Format::Pex, &generated(), Some(&plain), Some(&[]));
    assert!(text.starts_with("{\n") && text.contains("\"pex_version\": \"2.55.2\""), "{text}");
}

#[test]
fn the_entries_of_both_sides_of_a_conflict_are_kept() {
    let old = write(Format::Pex, &generated(), None, None).replace(">=3.8", ">=3.8.1");
    let line = "          \"requires_python\": \">=3.8.1\",\n";
    let conflict = old.replace(line, &format!("<<<<<<< HEAD\n{line}=======\n{line}>>>>>>> other\n"));
    assert_eq!(write(Format::Pex, &generated(), Some(&conflict), Some(&[])), old);
}
