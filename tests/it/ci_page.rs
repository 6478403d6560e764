//! The page about CI: its snippets, the action and the hooks can be read, and the commands in them exist. The filter for containers is
//! loaded into a container.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::transcripts::workspace::Workspace;

const PAGE: &str = "docs/ci.md";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// The blocks of the page in this language.
fn blocks(language: &str) -> Vec<String> {
    let (page, begin) = (read(PAGE), format!("```{language}\n"));
    page.split(&begin).skip(1).map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

/// The command lines of Waders in a text, without what the service replaces.
fn commands(text: &str) -> Vec<Vec<String>> {
    let command = regex::Regex::new(r#"(?m)(?:^\s*|run: |- |entry: |IMAGE )"?waders ([^\n#"]+)"?$"#).unwrap();
    let replaced = regex::Regex::new(r"\$\{\{[^}]*\}\}").unwrap();
    let words = |line: &str| shlex::split(&replaced.replace_all(line, "0")).unwrap();
    let lines: Vec<Vec<String>> = command.captures_iter(text).map(|line| words(&line[1])).collect();
    // The action passes its inputs on.
    lines.into_iter().filter(|words| words.iter().all(|word| !word.contains('$'))).collect()
}

#[test]
fn commands_for_ci_exist() {
    let settings = blocks("toml").concat();
    let dir = tempfile::tempdir().unwrap();
    let backends = "['pants.backend.python', 'pants.backend.python.lint.black', 'pants.backend.python.typecheck.mypy']";
    fs::write(dir.path().join("pants.toml"), format!("[GLOBAL]\nbackend_packages = {backends}\n")).unwrap();
    fs::write(dir.path().join("waders.toml"), &settings).unwrap();
    fs::write(dir.path().join("a.py"), "").unwrap();
    let texts = [blocks("yaml"), blocks("sh"), vec![read("action.yml"), read(".pre-commit-hooks.yaml")]].concat();
    let mut checked = 0;
    for args in texts.iter().flat_map(|text| commands(text)) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waders"));
        command.args(&args).current_dir(&dir).env("XDG_CACHE_HOME", dir.path()).env("WADERS_PROFILE", "ci");
        let Output { status, stderr, .. } = command.env_remove("CI").output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        // The directory is no checkout of git.
        let needs_git = args.iter().any(|arg| arg.starts_with("--changed-since"));
        assert!(status.success() || needs_git && stderr.contains("git"), "{args:?}: {stderr}");
        assert!(!stderr.contains("unknown"), "{args:?}: {stderr}");
        checked += 1;
    }
    assert!(checked >= 10, "{checked}");
}

/// The documents of YAML files as JSON. If that cannot be read here, prints the reason and returns `None`.
fn read_yaml(texts: &[String]) -> Option<Vec<Value>> {
    let script = "import json, sys\ntry:\n    import yaml\nexcept ImportError:\n    sys.exit(77)\n\
                  print(json.dumps([yaml.load(text, yaml.BaseLoader) for text in json.loads(sys.argv[1])]))\n";
    let texts = serde_json::to_string(texts).unwrap();
    let output = match Command::new(path("target/ci/bin/python")).args(["-c", script, &texts]).output() {
        Ok(output) if output.status.code() != Some(77) => output,
        _ => {
            println!("skipped: `target/ci`, which `.ci/run` makes, has no package pyyaml");
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn snippets_for_ci_are_valid() {
    let snippets = blocks("yaml");
    let Some(documents) = read_yaml(&snippets) else { return };
    // Whole workflows, and the steps of others.
    let workflows: Vec<&Value> = documents.iter().filter(|document| document.get("jobs").is_some()).collect();
    assert_eq!((workflows.len(), documents.len()), (2, 6));
    for step in workflows.iter().flat_map(|workflow| workflow["jobs"]["waders"]["steps"].as_array().unwrap()) {
        assert!(step["uses"].is_string() != step["run"].is_string(), "{step}");
    }
    let job = documents.iter().find_map(|document| document.get("waders")).unwrap();
    assert!(job["script"].is_array() && job["artifacts"]["reports"]["junit"].is_string(), "{job}");

    let [action, hooks] = ["action.yml", ".pre-commit-hooks.yaml"].map(read);
    let Some(documents) = read_yaml(&[action, hooks]) else { return };
    let (action, hooks) = (&documents[0], documents[1].as_array().unwrap());
    assert_eq!(action["runs"]["using"], "composite");
    for step in action["runs"]["steps"].as_array().unwrap() {
        // A composite action must name the shell, and an input in a script could be a part of the script.
        let script = step["run"].as_str().unwrap_or_default();
        assert!(step["uses"].is_string() || step["shell"] == "bash" && !script.contains("${{"), "{step}");
    }
    let text = read("action.yml") + &read(PAGE);
    let inputs = action["inputs"].as_object().unwrap();
    assert!(inputs.keys().all(|input| text.contains(&format!("inputs.{input}"))), "{inputs:?}");
    let used = workflows[0]["jobs"]["waders"]["steps"][1]["with"].as_object().unwrap();
    assert!(used.keys().all(|input| inputs.contains_key(input)), "{used:?}");
    for hook in hooks {
        assert!(["id", "name", "entry", "language"].iter().all(|key| hook[key].is_string()), "{hook}");
        assert!(read(PAGE).contains(hook["id"].as_str().unwrap()), "{hook}");
    }
}

/// What a container of Docker may do by default, apart from its filter of system calls.
const CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Runs a command in a container with this filter, with the repository `daily` of the transcripts as its directory.
fn run_in_container(workspace: &Workspace, bundle: &Path, filter: &Value, args: &[&str]) -> Output {
    let root = bundle.join("rootfs");
    for dir in ["usr", "proc", "dev", "sys", "tmp", "repository", "store", "etc", "program", "mnt"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    for link in ["bin", "sbin", "lib", "lib64"] {
        let _ = fs::read_link(Path::new("/").join(link)).map(|to| std::os::unix::fs::symlink(to, root.join(link)));
    }
    let bind = |source: &Path, destination: &str| serde_json::json!({ "destination": destination, "type": "bind", "source": source, "options": ["rbind"] });
    let special = |kind: &str, at: &str| serde_json::json!({ "destination": at, "type": kind, "source": kind });
    let program = Path::new(env!("CARGO_BIN_EXE_waders")).parent().unwrap();
    let store = crate::transcripts::workspace::store();
    let variables = ["PATH=/program:/usr/bin", "XDG_CACHE_HOME=/store", "HOME=/tmp", "WADERS_TEST_SLOWEST=0"];
    let namespaces: Vec<Value> = ["pid", "ipc", "uts", "mount"].map(|kind| serde_json::json!({ "type": kind })).into();
    let capabilities =
        serde_json::json!({ "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES });
    let config = serde_json::json!({
        "ociVersion": "1.0.0",
        "root": { "path": "rootfs" },
        "process": {
            "args": args, "cwd": "/repository", "env": variables, "user": { "uid": 0, "gid": 0 }, "capabilities": capabilities,
        },
        "mounts": [
            special("proc", "/proc"), special("tmpfs", "/dev"), special("sysfs", "/sys"), special("tmpfs", "/tmp"),
            bind(Path::new("/usr"), "/usr"), bind(&workspace.repository("daily"), "/repository"), bind(&store, "/store"),
            bind(program, "/program"),
        ],
        "linux": { "namespaces": namespaces, "seccomp": filter },
    });
    fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    // The program needs control groups of version 2 to start, and this machine may have those of version 1.
    let script = "mount -t cgroup2 none /sys/fs/cgroup || exit 78; exec crun --cgroup-manager=disabled run \"$1\"";
    let name = format!("waders-{}", std::process::id());
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh", &name]).current_dir(bundle).output().unwrap()
}

#[test]
fn the_filter_for_containers_allows_sandboxes_and_denies_the_rest() {
    let Some(workspace) = Workspace::running() else { return };
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root || !Command::new("crun").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return println!("skipped: a container needs root and the program `crun`");
    }
    let mut filter: Value = serde_json::from_str(&read("docs/seccomp.json")).unwrap();
    let rules = filter["syscalls"].as_array_mut().unwrap();
    // Docker ignores comments, and `crun` does not know them.
    rules.iter_mut().for_each(|rule| drop(rule.as_object_mut().unwrap().remove("comment")));
    let bundle = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let run = |filter: &Value, args: &[&str]| run_in_container(&workspace, bundle.path(), filter, args);
    let text = |output: &Output| String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();

    let probe = "import ctypes; c = ctypes.CDLL(None, use_errno=True)\n\
                 for call in (321, 0), (250, 0), (41, 40, 1, 0), (41, 38, 5, 0): print(c.syscall(*call), ctypes.get_errno())";
    let output = run(&filter, &["/usr/bin/python3", "-c", probe]);
    if output.status.code() == Some(78) || !output.status.success() {
        return println!("skipped: no container can be started here: {}", text(&output));
    }
    assert_eq!(String::from_utf8_lossy(&output.stdout), "-1 1\n-1 1\n-1 97\n-1 97\n");
    let test = ["/program/waders", "test", "--test-force", "tests/names_test.py"];
    let output = run(&filter, &test);
    assert!(output.status.success() && text(&output).contains("1 file passed"), "{}", text(&output));

    // The filter is what decides: with one rule more, there are no sandboxes.
    let rules = filter["syscalls"].as_array_mut().unwrap();
    rules.push(
        serde_json::json!({ "names": ["mount", "move_mount", "unshare"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }),
    );
    let output = run(&filter, &test);
    assert!(output.status.code() == Some(71), "{}", text(&output));
}
