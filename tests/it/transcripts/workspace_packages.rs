//! Workspaces of uv: each member sees the packages that it declares, and a package that cannot be had stops only the tests that need it.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::transcripts::wheels;
use crate::transcripts::workspace::Workspace;

const TEST: &str = "import fixture_base\n\n\ndef test_value():\n    assert fixture_base.VALUE == 1\n";

/// `core` declares `fixture-base`; `api` requires `core`; `web` declares nothing; `old` requires a package from version control. So does
/// a group of the root.
const FILES: &[(&str, &str)] = &[
    (
        "pyproject.toml",
        "[tool.uv.workspace]\nmembers = ['libs/*', 'apps/*']\n[dependency-groups]\ndev = ['lost-tool']\n",
    ),
    (".python-version", "3.11\n"),
    ("libs/core/pyproject.toml", "[project]\nname = 'core'\nversion = '1'\ndependencies = ['fixture-base']\n"),
    ("libs/core/tests/test_core.py", TEST),
    (
        "apps/api/pyproject.toml",
        "[project]\nname = 'api'\nversion = '1'\ndependencies = ['core']\n[tool.uv.sources]\ncore = { workspace = true }\n",
    ),
    ("apps/api/tests/test_api.py", TEST),
    ("apps/web/pyproject.toml", "[project]\nname = 'web'\nversion = '1'\n"),
    ("apps/web/tests/test_web.py", TEST),
    ("apps/old/pyproject.toml", "[project]\nname = 'old'\nversion = '1'\ndependencies = ['lost']\n"),
    ("apps/old/tests/test_old.py", "def test_nothing():\n    pass\n"),
    (
        "uv.lock",
        r#"version = 1
requires-python = ">=3.11"

[manifest]
members = ["api", "core", "old", "web"]

[manifest.dependency-groups]
dev = [{ name = "lost-tool", git = "file:///nowhere/lost-tool" }]

[[package]]
name = "api"
version = "1"
source = { virtual = "apps/api" }
dependencies = [{ name = "core" }]

[[package]]
name = "core"
version = "1"
source = { virtual = "libs/core" }
dependencies = [{ name = "fixture-base" }]

[[package]]
name = "fixture-base"
version = "1.0"
source = { registry = "https://index.example.invalid/simple" }
wheels = [{ url = "@WHEELS@/fixture_base-1.0-py3-none-any.whl", hash = "sha256:@SHA256:fixture_base@" }]

[[package]]
name = "lost"
version = "1.0"
source = { git = "file:///nowhere/lost#0123456789012345678901234567890123456789" }

[[package]]
name = "lost-tool"
version = "2.0"
source = { git = "file:///nowhere/lost-tool#0123456789012345678901234567890123456789" }

[[package]]
name = "old"
version = "1"
source = { virtual = "apps/old" }
dependencies = [{ name = "lost" }]

[[package]]
name = "web"
version = "1"
source = { virtual = "apps/web" }
"#,
    ),
];

/// Writes the workspace. It is outside of this repository, whose `pants.toml` would apply.
fn write(dir: &Path, workspace: &Workspace) {
    let wheels_dir = workspace.repository("daily").with_file_name("wheels");
    for (name, text) in FILES {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wheels::fill_in((*text).to_owned(), &wheels_dir)).unwrap();
    }
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("waders.lock"), dir.join("waders.lock")).unwrap();
}

fn run(workspace: &Workspace, dir: &Path, args: &[&str]) -> (i32, String) {
    let Output { status, stderr, .. } = workspace.waders("daily", args).current_dir(dir).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_member_sees_what_it_declares_and_a_lost_package_stops_only_those_that_need_it() {
    let Some(workspace) = Workspace::running() else { return };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &workspace);
    let (code, stderr) = run(&workspace, dir.path(), &["test", "libs::", "apps/api::"]);
    assert!(code == 0 && stderr.contains("2 files passed"), "{stderr}");
    assert!(stderr.contains("`lost-tool` 2.0") && stderr.contains("it is not installed"), "{stderr}");

    let (code, stderr) = run(&workspace, dir.path(), &["test", "::"]);
    assert!(code != 0 && stderr.contains("2 files passed (2 cached), 1 failed, 1 not run"), "{stderr}");
    let note = "`fixture_base` is declared by `libs/core/pyproject.toml`, but not by the project of this test: add it to the \
                dependencies in `apps/web/pyproject.toml`";
    assert!(stderr.contains("No module named 'fixture_base'") && stderr.contains(note), "{stderr}");
    assert!(stderr.contains("uv.lock:29:1: `lost` 1.0 is installed from version control"), "{stderr}");
}
