//! Container images as other tools see them: umoci unpacks an image, and bubblewrap runs its program in the unpacked root.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::transcripts::workspace::Workspace;

#[test]
fn other_tools_unpack_and_run_an_image() {
    let Some(workspace) = Workspace::running() else { return };
    let Some(unpacked) = packaged(&workspace, "image", "stable") else { return };
    let bundle = unpacked.path().join("bundle");
    let root = bundle.join("rootfs");
    assert_eq!(fs::read_to_string(root.join("app/src/app/notes.txt")).unwrap(), "notes\n");
    assert!(root.join("app/src.app/small.tar.xz").is_file());
    let config: Value = serde_json::from_slice(&fs::read(bundle.join("config.json")).unwrap()).unwrap();
    let process = &config["process"];
    assert_eq!(process["user"]["uid"], 1000);
    let run = run(&root, process);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(&run.stdout), "data of the program 1 ['given']\n", "{}", text(&run.stderr));
}

#[test]
fn a_dockerfile_that_runs_nothing_becomes_an_image_without_a_builder() {
    let Some(workspace) = Workspace::running() else { return };
    let Some(unpacked) = packaged(&workspace, "composed", "latest") else { return };
    let bundle = unpacked.path().join("bundle");
    let root = bundle.join("rootfs");
    assert_eq!(fs::read_to_string(root.join("srv/notes.txt")).unwrap(), "notes\n");
    let config: Value = serde_json::from_slice(&fs::read(bundle.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["annotations"]["maker"], "composed", "{config}");
    let run = run(&root, &config["process"]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(&run.stdout), "data of the program 1 ['one', 'two']\n", "{}", text(&run.stderr));
}

/// A packaged image as umoci unpacks it; `None` if the programs for that are missing.
fn packaged(workspace: &Workspace, name: &str, tag: &str) -> Option<TempDir> {
    let output = workspace.waders("programs", &["package", &format!("src/app:{name}")]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    unpacked(&workspace.repository("programs").join("dist/src.app").join(name), tag)
}

/// An image as umoci unpacks it; `None` if the programs for that are missing.
pub(super) fn unpacked(layout: &Path, tag: &str) -> Option<TempDir> {
    if ["umoci", "bwrap"].iter().any(|tool| Command::new(tool).arg("--version").output().is_err()) {
        println!("skipped: umoci or bubblewrap is not installed");
        return None;
    }
    let unpacked = tempfile::tempdir().unwrap();
    let image = format!("{}:{tag}", layout.display());
    let mut umoci = Command::new("umoci");
    umoci.args(["unpack", "--rootless", "--image", &image]).arg(unpacked.path().join("bundle"));
    let umoci = umoci.output().unwrap();
    assert!(umoci.status.success(), "{}", String::from_utf8_lossy(&umoci.stderr));
    Some(unpacked)
}

#[test]
fn an_image_with_a_dockerfile_is_built_from_declared_files_and_its_base() {
    let Some(workspace) = Workspace::running() else { return };
    if Command::new("buildah").arg("--version").output().is_err() {
        println!("skipped: buildah is not installed");
        return;
    }
    let storage = tempfile::tempdir().unwrap();
    let root = storage.path().display();
    let settings = format!("[storage]\ndriver = \"vfs\"\nrunroot = \"{root}/run\"\ngraphroot = \"{root}/images\"\n");
    fs::write(storage.path().join("storage.conf"), settings).unwrap();
    let set = |command: &mut Command| {
        command.env("BUILDAH_ISOLATION", "chroot").env("CONTAINERS_STORAGE_CONF", storage.path().join("storage.conf"));
    };
    let package = |target: &str| {
        let mut command = workspace.waders("programs", &["package", target, "--docker-engine={'build': 'buildah'}"]);
        set(&mut command);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, stderr) = package("src/app:docker");
    assert_eq!(code, 0, "{stderr}");
    let info = fs::read(workspace.repository("programs").join("dist/src.app/docker.docker-info.json")).unwrap();
    let info: Value = serde_json::from_slice(&info).unwrap();
    let id = info["image_id"].as_str().unwrap();
    let mut inspect = Command::new("buildah");
    set(inspect.args(["inspect", "--type", "image", id]));
    let image: Value = serde_json::from_slice(&inspect.output().unwrap().stdout).unwrap();
    let config = &image["OCIv1"]["config"];
    assert_eq!((&config["Labels"]["maker"], &config["Env"][1]), (&"docker".into(), &"V=2".into()), "{image}");
    // `data.txt` lies beside the Dockerfile, and is no dependency of the target.
    let (code, stderr) = package("src/app:undeclared");
    assert!(code == 1 && stderr.contains("data.txt"), "{stderr}");
}

/// Runs the process of a bundle in its root, which it cannot change.
pub(super) fn run(root: &Path, process: &Value) -> Output {
    let strings = |key: &str| -> Vec<String> {
        process[key].as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    let mut command = Command::new("bwrap");
    command.arg("--ro-bind").arg(root).args([
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--tmpfs",
        "/tmp",
        "--unshare-all",
        "--clearenv",
    ]);
    for entry in strings("env") {
        let (name, value) = entry.split_once('=').unwrap();
        command.args(["--setenv", name, value]);
    }
    command.args(["--chdir", process["cwd"].as_str().unwrap(), "--"]).args(strings("args")).output().unwrap()
}
