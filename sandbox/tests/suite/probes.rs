//! Runs every probe program in a sandbox of its own. A probe passes if it prints nothing and exits with 0; each line
//! that it prints is a leak or a failure.

use std::fs;
use std::path::Path;

use waders_sandbox::Exit;

use crate::fixtures::{PYTHON, SharedTempDir, chain, copied, read_only, request, run, writable};
use crate::harness::{Suite, TestResult};

pub fn add(suite: &mut Suite, probe_dir: &Path) {
    for kind in ["escape", "allowed"] {
        let mut names: Vec<_> =
            fs::read_dir(probe_dir.join(kind)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        for name in names {
            let name = name.into_string().unwrap();
            let dir = probe_dir.join(kind);
            suite.add(&format!("{kind} {}", name.trim_end_matches(".py")), move || probe(&dir, &name));
        }
    }
}

fn probe(dir: &Path, name: &str) -> TestResult {
    let temp = SharedTempDir::new();
    let (source, out) = (source_tree(&temp), temp.dir("out"));
    let mut request = request(&[PYTHON, &format!("/probes/{name}")]);
    request.mounts.extend([read_only("/probes", dir), copied("/src", source), writable("/out", out)]);
    request.cwd = "/src".into();
    let (outcome, output) = run(&request);
    let outcome = outcome.unwrap_or_else(|error| panic!("{}", chain(&error)));
    if let Some(reason) = output.lines().find_map(|line| line.strip_prefix("skipped: ")) {
        return TestResult::Skipped(reason.to_owned());
    }
    assert!(outcome.exit == Exit::Code(0) && output.is_empty(), "{:?}\n{output}", outcome.exit);
    TestResult::Passed
}

/// Files and directories are read-only even for their owner, as in the store.
fn source_tree(temp: &SharedTempDir) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let source = temp.dir("src");
    fs::create_dir(source.join("package")).unwrap();
    fs::write(source.join("package/module.py"), "VALUE = 1\n").unwrap();
    fs::write(source.join("data.txt"), "declared\n").unwrap();
    for (name, mode) in [("package/module.py", 0o444), ("data.txt", 0o444), ("package", 0o555), ("", 0o555)] {
        fs::set_permissions(source.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    source
}
