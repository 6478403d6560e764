//! Exported environments, used as a developer does: by a script that finds them by the version in `pants.toml`, by pip, by console
//! scripts, and by pyright.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::transcripts::workspace::Workspace;

/// Runs a command and returns its standard output. The test fails if the command does.
fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(status.success(), "{command:?}: {status}\n{stdout}{stderr}");
    stdout
}

/// Exports and returns the version of the interpreter.
fn export(workspace: &Workspace, args: &[&str]) -> String {
    let args: Vec<&str> = ["export", "--export-json"].iter().chain(args).copied().collect();
    let written: serde_json::Value = serde_json::from_str(&run(&mut workspace.waders("exporting", &args))).unwrap();
    written[0]["python_version"].as_str().unwrap().to_owned()
}

fn environment(workspace: &Workspace) -> PathBuf {
    workspace.repository("exporting").join("dist/export/python/virtualenvs/default/current")
}

#[test]
fn a_script_finds_the_environment_by_the_exact_version_in_the_settings() {
    let Some(workspace) = Workspace::running() else { return };
    let root = workspace.repository("exporting");
    let version = export(&workspace, &["--resolve=default"]);
    let settings = fs::read_to_string(root.join("pants.toml")).unwrap();
    fs::write(root.join("pants.toml"), settings.replace("CPython==3.11.*", &format!("CPython=={version}"))).unwrap();
    run(&mut workspace.waders("exporting", &["export", "--resolve=default", "--resolve=towncrier"]));
    let py = |args: &[&str]| {
        let mut command = Command::new("./py");
        command.args(args).current_dir(&root);
        command
    };
    assert_eq!(run(&mut py(&["-c", "from app.greet import GREETING; print(GREETING)"])), "hello 1\n");
    let towncrier = run(py(&["-m", "towncrier", "--version"]).env("LOCKSET", "tools/towncrier"));
    assert!(towncrier.contains("towncrier"), "{towncrier}");
}

#[test]
fn packages_installed_by_pip_and_edited_packages_stay_until_the_lockfile_changes() {
    let Some(workspace) = Workspace::running() else { return };
    let root = workspace.repository("exporting");
    export(&workspace, &["--resolve=default"]);
    let wheels = root.with_file_name("wheels");
    let pip = |args: &[&str]| run(Command::new(environment(&workspace).join("bin/pip")).args(args));
    pip(&["install", "--quiet", "--no-index", "--find-links", wheels.to_str().unwrap(), "fixture-alone"]);
    let module = environment(&workspace).join("lib/python3.11/site-packages/fixture_sound.py");
    fs::write(&module, "VALUE = 2\n").unwrap();
    export(&workspace, &["--resolve=default"]);
    let value = "import fixture_alone, fixture_sound; print(fixture_sound.VALUE)";
    assert_eq!(run(Command::new(environment(&workspace).join("bin/python")).args(["-c", value])), "2\n");

    let branch = r#"--python-resolves={"default": "3rdparty/branch.lock"}"#;
    let output = workspace.waders("exporting", &["export", "--resolve=default", branch]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("does not contain `fixture-alone==1.0`"), "{stderr}");
    let packages = pip(&["list", "--format=freeze"]);
    assert!(packages.contains("fixture_base==1.0") && !packages.contains("fixture_alone"), "{packages}");
    pip(&["uninstall", "--quiet", "--yes", "fixture-base"]);
    assert!(!environment(&workspace).join("lib/python3.11/site-packages/fixture_base.py").exists());
}

#[test]
fn an_environment_in_a_directory_with_spaces_works() {
    let Some(workspace) = Workspace::running() else { return };
    let root = workspace.repository("exporting");
    let dist = root.join("a dist $x");
    let args = ["export", "--resolve=default", &format!("--pants-distdir={}", dist.display())];
    run(&mut workspace.waders("exporting", &args));
    let bin = dist.join("export/python/virtualenvs/default/current/bin");
    let packages = run(Command::new(bin.join("pip")).args(["list", "--format=freeze"]));
    assert!(packages.contains("fixture_sound==1.0"), "{packages}");
    let activate = format!(". '{}/activate'; command -v python", bin.display());
    let python = run(Command::new("sh").args(["-c", &activate]));
    let version = fs::read_link(bin.parent().unwrap()).unwrap();
    assert_eq!(Path::new(python.trim()), bin.parent().unwrap().with_file_name(version).join("bin/python"));
}

#[test]
fn pyright_finds_sources_and_packages_with_the_exported_settings() {
    let Some(workspace) = Workspace::running() else { return };
    let root = workspace.repository("exporting");
    export(&workspace, &["--resolve=default", "--resolve=pyright", "--export-ide=pyright"]);
    fs::write(root.join("src/app/use.py"), "from app.greet import GREETING\nimport fixture_sound\nimport missing\n")
        .unwrap();
    let pyright = root.join("dist/export/python/virtualenvs/tools/pyright/bin/pyright");
    let args = ["--outputjson", "--project", "dist/export/python/ide/pyrightconfig.json"];
    let output = Command::new(pyright).args(args).current_dir(&root).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let result: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{output:?}"));
    let findings = result["generalDiagnostics"].as_array().unwrap();
    let missing: Vec<&str> = findings.iter().filter_map(|finding| finding["message"].as_str()).collect();
    assert!(missing.len() == 1 && missing[0].contains("\"missing\""), "{text}");
}
