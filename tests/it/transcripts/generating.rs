//! Generated files whose content depends on the state of git, that are different each time, or that packages contain. Other generators
//! are in the transcripts `generating` and `generated_code`.

use std::fs;
use std::process::Command;

use waders::base::Digest;

use crate::transcripts::workspace::{Workspace, store};

const REPOSITORY: &str = "generating";

#[test]
fn a_version_follows_from_the_nearest_tag_and_the_commits_since() {
    let Some(workspace) = Workspace::running() else { return };
    let root = workspace.repository(REPOSITORY);
    let git = |words: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").args(identity).args(words).current_dir(&root).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !git(&["init", "-q"]) {
        println!("skipped: git is not installed");
        return;
    }
    assert!(git(&["add", "-A"]) && git(&["commit", "-q", "-m", "first"]));
    let version = || {
        run(&workspace, &["export-codegen", "src/app:version"]);
        fs::read_to_string(root.join("dist/codegen/src/app/version.py")).unwrap()
    };
    assert_eq!(version(), "VERSION = '0.1.dev1'");
    assert!(git(&["tag", "v1.4.0"]));
    assert_eq!(version(), "VERSION = '1.4.0'");
    fs::write(root.join("src/app/names.txt"), "changed\n").unwrap();
    assert_eq!(version(), "VERSION = '1.4.1.dev0'");
    assert!(git(&["commit", "-q", "-a", "-m", "second"]));
    assert_eq!(version(), "VERSION = '1.4.1.dev1'");
}

#[test]
fn a_generator_that_gives_other_files_each_time_is_found() {
    let Some(workspace) = Workspace::running() else { return };
    let root = workspace.repository(REPOSITORY);
    let build = "shell_command(name=\"random\", command=\"head -c 8 /dev/urandom > a.txt\", output_files=[\"a.txt\"])\n\
                 shell_command(name=\"same\", command=\"echo same > b.txt\", output_files=[\"b.txt\"])\n\
                 python_tests(name=\"tests\", dependencies=[\":random\", \":same\"])\n";
    fs::create_dir(root.join("src/random")).unwrap();
    fs::write(root.join("src/random/BUILD"), build).unwrap();
    fs::write(root.join("src/random/random_test.py"), "def test_it():\n    pass\n").unwrap();
    let output = workspace.waders(REPOSITORY, &["verify", "test", "src/random::"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("generate src/random:random") && text.contains("a.txt"), "{text}");
    assert!(!text.contains("b.txt"), "{text}");
}

#[test]
fn packages_contain_generated_code_and_resources() {
    let Some(workspace) = Workspace::running() else { return };
    run(&workspace, &["package", "src/app:program", "src/app:dist"]);
    let dist = workspace.repository(REPOSITORY).join("dist");
    for package in ["src.app/program.pex", "generated-1-py3-none-any.whl"] {
        let archive = zip::ZipArchive::new(fs::File::open(dist.join(package)).unwrap()).unwrap();
        let names: Vec<&str> = archive.file_names().collect();
        let contains = |name: &str| names.contains(&name);
        assert!(contains("app/table.py") && contains("app/report.txt"), "{names:?}");
        assert!(!names.iter().any(|name| name.ends_with("greeting.txt")), "{names:?}");
    }
}

#[test]
fn thrift_files_become_python_code() {
    let Some(workspace) = Workspace::running() else { return };
    let lock = workspace.repository(REPOSITORY).join("waders.lock");
    // Locking the package of the compiler needs the index of the archive, which is large: the result is kept with the store.
    let kept = store().join(format!("thrift-{}.lock", Digest::of(&fs::read(&lock).unwrap()).hex()));
    if kept.exists() {
        fs::copy(&kept, &lock).unwrap();
    }
    run(&workspace, &["export-codegen", "src/app:person"]);
    let text = workspace.repository(REPOSITORY).join("dist/codegen/src/people/ttypes.py");
    assert!(fs::read_to_string(text).unwrap().contains("class Person"));
    fs::copy(&lock, &kept).unwrap();
}

fn run(workspace: &Workspace, args: &[&str]) {
    let output = workspace.waders(REPOSITORY, args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
