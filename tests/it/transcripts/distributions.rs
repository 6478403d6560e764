//! Built distributions: their contents, and that their bytes do not depend on who builds them, where and when. The command
//! line is tested by the transcript `distributions`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::transcripts::workspace::Workspace;

#[test]
fn a_wheel_has_the_owned_code_its_data_and_exact_records() {
    let Some(workspace) = Workspace::running() else { return };
    let built = build(&workspace, &[]);
    let files = wheel_files(&built["fixture_base-2.0.1-py3-none-any.whl"]);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let info = "fixture_base-2.0.1.dist-info";
    let expected = ["METADATA", "RECORD", "WHEEL", "top_level.txt"].map(|name| format!("{info}/{name}"));
    let own = ["base/__init__.py", "base/core.py", "base/data/texts.json"];
    assert_eq!(names, own.into_iter().chain(expected.iter().map(String::as_str)).collect::<Vec<_>>());
    let metadata = &files[&format!("{info}/METADATA")];
    for line in [
        "Name: fixture.base",
        "Version: 2.0.1",
        "Summary: It's a base",
        "Requires-Dist: six<2,>=1.16; python_version < \"4\"",
        "Requires-Python: ==3.11.*",
        "A path such as C:\\new\\table stays as it is.",
    ] {
        assert!(metadata.lines().any(|known| known == line), "{line}\n{metadata}");
    }
    let record = &files[&format!("{info}/RECORD")];
    let mut recorded: Vec<&str> = record.lines().filter_map(|line| line.split(',').next()).collect();
    recorded.sort_unstable();
    assert_eq!(recorded, names);
}

#[test]
fn a_distribution_requires_the_owners_of_what_it_imports() {
    let Some(workspace) = Workspace::running() else { return };
    let files = wheel_files(&build(&workspace, &[])["fixture_plug-1.5-py3-none-any.whl"]);
    assert!(files.contains_key("plug/main.py") && !files.contains_key("base/core.py"));
    let info = "fixture_plug-1.5.dist-info";
    assert!(files[&format!("{info}/METADATA")].contains("Requires-Dist: fixture.base==2.0.1\n"));
    let entry_points = &files[&format!("{info}/entry_points.txt")];
    assert!(entry_points.contains("[console_scripts]\nfixture-plug = plug.main:main"), "{entry_points}");
    assert!(entry_points.contains("[fixture.group]\nx = plug.main:load"), "{entry_points}");
}

#[test]
fn a_source_distribution_has_fixed_times_owners_and_modes() {
    let Some(workspace) = Workspace::running() else { return };
    let sdist = &build(&workspace, &[])["fixture_base-2.0.1.tar.gz"];
    let mut archive = tar::Archive::new(GzDecoder::new(sdist.as_slice()));
    let mut names = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        names.push(entry.path().unwrap().to_string_lossy().into_owned());
        let mode = if header.entry_type().is_dir() { 0o755 } else { 0o644 };
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.mode().unwrap()), (315_705_600, 0, mode));
        assert_eq!(header.username().unwrap(), Some(""));
    }
    assert!(names.is_sorted(), "{names:?}");
    let members = ["setup.py", "src/base/LICENSE", "base/core.py", "PKG-INFO"];
    let missing = |member: &&str| !names.contains(&format!("fixture_base-2.0.1/{member}"));
    // The licence is present while the distribution is built, and is not part of it.
    assert_eq!(members.into_iter().filter(missing).collect::<Vec<_>>(), ["src/base/LICENSE"]);
}

#[test]
fn the_bytes_do_not_depend_on_the_place_the_time_or_the_environment() {
    let (Some(here), Some(elsewhere)) = (Workspace::running(), Workspace::running()) else { return };
    let usual = build(&here, &[]);
    let strange = [("TZ", "Asia/Kathmandu"), ("LANG", "tr_TR.UTF-8"), ("SOURCE_DATE_EPOCH", "1"), ("USER", "someone")];
    assert_eq!(usual.keys().collect::<Vec<_>>(), build(&elsewhere, &strange).keys().collect::<Vec<_>>());
    for (name, bytes) in build(&elsewhere, &strange) {
        assert!(usual[&name] == bytes, "{name} differs");
    }
}

#[test]
fn every_backend_of_the_built_in_lock_builds_a_wheel_and_a_source_distribution() {
    let Some(workspace) = Workspace::running() else { return };
    let output = workspace.waders("distributions", &["package", "backends::"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let root = workspace.repository("distributions");
    // Nothing had to be pinned.
    let is_lock = |name: &String| name.starts_with("waders-build-");
    assert_eq!(read_all(&root).into_keys().find(is_lock), None);
    let built = read_all(&root.join("dist"));
    for backend in ["flit", "hatchling", "pdm", "poetry", "scm", "setuptools", "uv"] {
        let files = wheel_files(&built[&format!("fixture_{backend}-1.2-py3-none-any.whl")]);
        assert!(files.contains_key(&format!("fixture_{backend}/__init__.py")), "{backend}: {:?}", files.keys());
        let entry_points = &files[&format!("fixture_{backend}-1.2.dist-info/entry_points.txt")];
        assert!(entry_points.contains(&format!("fixture_{backend}:main")), "{backend}: {entry_points}");
        assert!(built.contains_key(&format!("fixture_{backend}-1.2.tar.gz")), "{backend}");
    }
}

/// Builds the distributions of the fixture without cached results. The bytes by file name.
fn build(workspace: &Workspace, env: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    let mut command =
        workspace.waders("distributions", &["--no-local-cache", "package", "src/base:dist", "src/plug:dist"]);
    let output = command.envs(env.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read_all(&workspace.repository("distributions").join("dist"))
}

fn read_all(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.is_file())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect()
}

fn wheel_files(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).unwrap();
        let mut text = String::new();
        member.read_to_string(&mut text).unwrap();
        files.insert(member.name().to_owned(), text);
    }
    files
}
