//! Programs that `package` builds: they run on an interpreter of this machine, and have the same bytes wherever they are built.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::transcripts::workspace::Workspace;

const REPOSITORY: &str = "programs";

#[test]
fn a_program_runs_on_an_interpreter_of_this_machine() {
    let Some(workspace) = Workspace::running() else { return };
    package(&workspace, &["src/app:bin", "src/app:loose", "src/app:tool"]);
    let dist = workspace.repository(REPOSITORY).join("dist");
    check(&dist.join("src.app/bin.pex"), &["one"], "data of the program 1 ['one']\n");
    check(&dist.join("src.app/loose.pex"), &["last"], "data of the program 1 ['first', 'two words', 'last']\n");
    check(&dist.join("tools/tool.pex"), &[], "data of the program 1 []\n");
}

#[test]
fn a_program_contains_the_wheels_of_distributions_instead_of_their_sources() {
    let Some(workspace) = Workspace::running() else { return };
    package(&workspace, &["src/app:installed", "src/app:bare"]);
    let dist = workspace.repository(REPOSITORY).join("dist/src.app");
    check(&dist.join("installed.pex"), &[], "data of the program 1 []\n");
    for (program, has_requirement) in [("installed.pex", true), ("bare.pex", false)] {
        let names = members(&dist.join(program));
        let contains = |start: &str| names.iter().any(|name| name.starts_with(start));
        assert!(contains(".deps/fixture_dist-1.0-py3-none-any.whl/app/main.py") && !contains("app/"), "{names:?}");
        assert_eq!(contains(".deps/fixture_app-1.0"), has_requirement, "{names:?}");
    }
}

#[test]
fn a_package_has_the_same_bytes_in_another_directory_without_cached_results() {
    let Some(first) = Workspace::running() else { return };
    let Some(second) = Workspace::running() else { return };
    let targets = ["src/app:bin", "src/app:loose", "src/app:bundle", "src/app:function", "src/app:image"];
    package(&first, &targets);
    package(&second, &[&["--no-local-cache"], targets.as_slice()].concat());
    let built = files(&first.repository(REPOSITORY).join("dist"));
    assert!(built.len() > 10, "{:?}", built.keys());
    let again = files(&second.repository(REPOSITORY).join("dist"));
    assert_eq!(built.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>());
    let different: Vec<&PathBuf> = built.keys().filter(|path| built[*path] != again[*path]).collect();
    assert!(different.is_empty(), "{different:?}");
}

fn package(workspace: &Workspace, args: &[&str]) {
    let output = workspace.waders(REPOSITORY, &[&["package"], args].concat()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a program with a plain interpreter, if there is one.
fn check(program: &Path, args: &[&str], expected: &str) {
    let root = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3.11");
    command.arg(program).args(args).env("PEX_ROOT", root.path()).current_dir("/");
    match command.output() {
        Ok(output) => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{}: {stderr}", program.display());
        }
        Err(error) => println!("skipped: `python3.11` cannot be run: {error}"),
    }
}

/// The names of the members of a ZIP file.
fn members(path: &Path) -> Vec<String> {
    let zip = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    zip.file_names().map(str::to_owned).collect()
}

/// The contents of all files below a directory, by path.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(at) = left.pop() {
        for entry in fs::read_dir(at).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => left.push(entry.path()),
                false => {
                    let path = entry.path().strip_prefix(dir).unwrap().to_owned();
                    drop(found.insert(path, fs::read(entry.path()).unwrap()));
                }
            }
        }
    }
    found
}
