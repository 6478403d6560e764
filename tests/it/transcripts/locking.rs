//! Lockfiles over time: versions are kept and upgraded, conflicts are resolved, and git merges with `lockfile-merge`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use waders::net::server::{Server, reply};

use crate::transcripts::wheels;
use crate::transcripts::workspace::Workspace;

/// The resolves of the fixture repository that can be locked, with the paths of their lockfiles.
const RESOLVES: [(&str, &str); 4] = [
    ("pex", "3rdparty/pex.lock"),
    ("uv", "3rdparty/uv.lock"),
    ("pylock", "3rdparty/pylock.toml"),
    ("pip", "3rdparty/pip.txt"),
];

/// The requirement on a package with the versions 1.0, 2.0 and 3.0.
const MOVING: &str = "fixture_moving<3,>=1";

struct Repository {
    root: PathBuf,
    workspace: Workspace,
}

impl Repository {
    fn new() -> Option<Repository> {
        let workspace = Workspace::running()?;
        Some(Repository { root: workspace.repository("locking"), workspace })
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.root.join(path).parent().unwrap()).unwrap();
        fs::write(self.root.join(path), text).unwrap();
    }

    /// Replaces the requirement on the moving package.
    fn require(&self, requirement: &str) {
        let text = self.read("3rdparty/BUILD");
        self.write("3rdparty/BUILD", &text.replace(MOVING, requirement));
    }

    /// Adds a requirement to all resolves, in a BUILD file of its own.
    fn add(&self, package: &str) {
        let resolves = RESOLVES.map(|(name, _)| format!("\"{name}\"")).join(", ");
        let target = format!(
            "python_requirement(name=\"lib\", requirements=[\"{package}\"], resolve=parametrize({resolves}))\n"
        );
        self.write(&format!("{package}/BUILD"), &target);
    }

    /// Locks all resolves. Returns standard error.
    fn lock(&self, flags: &[&str]) -> String {
        let names: Vec<String> = RESOLVES.iter().map(|(name, _)| format!("--resolve={name}")).collect();
        let args: Vec<&str> = ["generate-lockfiles"]
            .into_iter()
            .chain(names.iter().map(String::as_str))
            .chain(flags.iter().copied())
            .collect();
        let output = self.workspace.waders("locking", &args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        stderr
    }

    fn git(&self, args: &[&str]) -> Output {
        // The program, and a variable that a repository of git must not inherit from the caller.
        let mut command = Command::new("git");
        command.args(args).current_dir(&self.root).env_remove("GIT_DIR");
        for (name, value) in self.workspace.waders("locking", &[]).get_envs() {
            command.env(name, value.unwrap());
        }
        command.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")]);
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "test").env(format!("GIT_{role}_EMAIL"), "test@example.invalid");
        }
        command.output().unwrap()
    }

    fn run_git(&self, args: &[&str]) {
        let output = self.git(args);
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Commits a lock of the present requirements, and two branches, `main` and `other`, that each add a requirement.
    fn diverge(&self) {
        self.lock(&[]);
        self.run_git(&["init", "--quiet", "--initial-branch=main"]);
        let commit = |message: &str| {
            self.run_git(&["add", "."]);
            self.run_git(&["commit", "--quiet", "--message", message]);
        };
        commit("base");
        self.run_git(&["checkout", "--quiet", "-b", "other"]);
        self.add("fixture-alone");
        self.lock(&[]);
        commit("other");
        self.run_git(&["checkout", "--quiet", "main"]);
        self.add("fixture-sound");
        self.lock(&[]);
        commit("main");
    }

    fn check_versions(&self, versions: &[(&str, &str)]) {
        for (_, path) in RESOLVES {
            let pins = waders::packaging::lockfile::pins::read(&self.read(path));
            for (name, version) in versions {
                let found: Vec<String> = pins[&name.parse().unwrap()].iter().map(ToString::to_string).collect();
                assert_eq!(found, [*version], "{name} in {path}");
            }
        }
    }
}

#[test]
fn locked_versions_are_kept_until_they_are_upgraded() {
    let Some(repository) = Repository::new() else { return };
    repository.require("fixture_moving<2,>=1");
    repository.lock(&[]);
    repository.check_versions(&[("fixture-moving", "1.0")]);
    let text = repository.read("3rdparty/BUILD").replace("fixture_moving<2,>=1", MOVING);
    repository.write("3rdparty/BUILD", &text);
    repository.lock(&[]);
    repository.check_versions(&[("fixture-moving", "1.0")]);
    let before = repository.read("3rdparty/pex.lock");
    assert!(before.contains("\"fixture_moving<3,>=1\""));
    let differences = repository.lock(&["--upgrade-package=fixture-moving"]);
    assert!(differences.contains("== "), "{differences}");
    repository.check_versions(&[("fixture-moving", "2.0"), ("fixture-app", "1.0")]);
    repository.require("fixture_moving>=1");
    repository.lock(&["--upgrade"]);
    repository.check_versions(&[("fixture-moving", "3.0")]);
}

#[test]
fn a_lockfile_with_conflict_markers_is_locked_with_the_versions_of_both_sides() {
    let Some(repository) = Repository::new() else { return };
    repository.require("fixture_moving<2,>=1");
    repository.lock(&[]);
    let clean = RESOLVES.map(|(_, path)| repository.read(path));
    for (_, path) in RESOLVES {
        let text = repository.read(path);
        let conflict: String = text
            .split_inclusive('\n')
            .map(|line| match line.contains("1.0") && !line.contains("whl") && !line.contains("lock-version") {
                true => format!("<<<<<<< HEAD\n{line}=======\n{}>>>>>>> other\n", line.replace("1.0", "1.0.dev1")),
                false => line.to_owned(),
            })
            .collect();
        assert!(conflict.contains("<<<<<<<"));
        repository.write(path, &conflict);
    }
    repository.lock(&[]);
    assert_eq!(RESOLVES.map(|(_, path)| repository.read(path)), clean);
}

#[test]
fn git_merges_lockfiles_with_the_merge_driver() {
    let Some(repository) = Repository::new() else { return };
    repository.diverge();
    let driver = "waders lockfile-merge %O %A %B %P";
    repository.run_git(&["config", "merge.waders-lock.driver", driver]);
    let paths =
        RESOLVES.map(|(_, path)| format!("{path} merge=waders-lock\n{path}.metadata merge=waders-lock\n")).concat();
    repository.write(".git/info/attributes", &paths);
    repository.run_git(&["merge", "--no-edit", "other"]);
    repository.check_versions(&[("fixture-alone", "1.0"), ("fixture-sound", "1.0"), ("fixture-moving", "2.0")]);
    let merged = RESOLVES.map(|(_, path)| repository.read(path));
    let sidecar = repository.read("3rdparty/uv.lock.metadata");
    assert!(sidecar.contains("fixture-alone") && sidecar.contains("fixture-sound"), "{sidecar}");
    repository.lock(&[]);
    assert_eq!(
        RESOLVES.map(|(_, path)| repository.read(path)),
        merged,
        "the merge is what `generate-lockfiles` writes"
    );
    assert_eq!(repository.read("3rdparty/uv.lock.metadata"), sidecar);
}

#[test]
fn a_merge_without_a_solution_leaves_the_lockfile_of_the_current_branch_and_a_conflict() {
    let Some(repository) = Repository::new() else { return };
    repository.lock(&["--resolve=pex"]);
    let ours = repository.read("3rdparty/pex.lock").replace(MOVING, "fixture_moving<2");
    let theirs = repository.read("3rdparty/pex.lock").replace(MOVING, "fixture_moving>=3");
    repository.write("base", &repository.read("3rdparty/pex.lock"));
    repository.write("ours", &ours);
    repository.write("theirs", &theirs);
    let args = ["lockfile-merge", "base", "ours", "theirs", "3rdparty/pex.lock"];
    let output = repository.workspace.waders("locking", &args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("requirements are unsatisfiable"), "{stderr}");
    assert_eq!(repository.read("ours"), ours);
}

/// An index with two versions of `fixture-yanked`, of which 2.0 was withdrawn.
fn index_with_a_yanked_version() -> Server {
    let file = |version: &str| format!("fixture_yanked-{version}-py3-none-any.whl");
    Server::start(move |request| {
        let version = ["1.0", "2.0"].into_iter().find(|version| request.path.ends_with(&file(version)));
        match version {
            Some(version) => reply(200, &[], &wheels::wheel("fixture_yanked", version, "fixture_yanked.py")),
            None if request.path.ends_with("/fixture-yanked/") => {
                let links = [("1.0", ""), ("2.0", " data-yanked=\"loses data\"")].map(|(version, yanked)| {
                    let file = file(version);
                    format!("<a href=\"{file}\"{yanked}>{file}</a>")
                });
                let page = format!("<!DOCTYPE html><html><body>{}</body></html>", links.concat());
                reply(200, &[("Content-Type", "text/html")], page.as_bytes())
            }
            None => reply(404, &[], b""),
        }
    })
}

#[test]
fn a_yanked_version_is_locked_only_if_it_is_required_exactly() {
    let Some(repository) = Repository::new() else { return };
    let index = index_with_a_yanked_version();
    let lock = |requirement: &str| {
        let target =
            format!("python_requirement(name=\"a\", requirements=[\"{requirement}\"], resolve=\"impossible\")\n");
        repository.write("3rdparty/BUILD", &target);
        let flag = format!("--python-repos-indexes={}", index.url("/simple"));
        let args = ["generate-lockfiles", "--resolve=impossible", "--upgrade", &flag];
        repository.workspace.waders("locking", &args).output().unwrap()
    };
    for (requirement, version) in [("fixture-yanked", "1.0"), ("fixture-yanked==2.0", "2.0")] {
        let output = lock(requirement);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let pins = waders::packaging::lockfile::pins::read(&repository.read("3rdparty/impossible.lock"));
        let locked: Vec<String> = pins[&"fixture-yanked".parse().unwrap()].iter().map(ToString::to_string).collect();
        assert_eq!(locked, [version], "{requirement}");
    }
    let before = repository.read("3rdparty/impossible.lock");
    let output = lock("fixture-yanked>=2");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("fixture-yanked==2.0 was yanked"), "{stderr}");
    assert_eq!(repository.read("3rdparty/impossible.lock"), before);
}
