//! The program `waders-step`: what it returns to the worker that started it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use waders_sandbox::step::{self, StepReport, StepRequest};
use waders_sandbox::{Exit, Isolation};

use crate::fixtures::{SharedTempDir, copied_entries, python, read_only, writable};
use crate::harness::Suite;

pub fn add(suite: &mut Suite) {
    suite.test("a step on a worker sees the same paths, and its output is complete and readable", complete_output);
    suite.test("a step that fails on a worker has an output and an exit code of its own", failed_step);
    suite.test("a success without the required output fails on a worker", missing_required_output);
    suite.test("an output that a tree cannot represent is refused on the worker", unrepresentable_output);
    suite.test("a worker refuses a step that it cannot run, with the reason", refused_requests);
}

/// A directory as a worker prepares it, with `code` as the step.
fn prepare(code: &str, change: impl FnOnce(&mut StepRequest)) -> SharedTempDir {
    let dir = SharedTempDir::new();
    fs::write(dir.dir("src/package/empty").parent().unwrap().join("a.py"), "A = 1\n").unwrap();
    fs::write(dir.dir("src").join("tool"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(dir.path().join("src/tool"), fs::Permissions::from_mode(0o555)).unwrap();
    std::os::unix::fs::symlink("package/a.py", dir.path().join("src/link")).unwrap();
    fs::write(dir.dir("images/0").join("data"), "image").unwrap();
    dir.dir("out");
    let mut request = python(code);
    request.cwd = "/src".into();
    request.mounts.push(copied_entries("/src", "src".into(), Default::default(), (1 << 20, 100)));
    request.mounts.push(read_only("/image", "images/0"));
    request.mounts.push(writable("/out", step::OUT_TREE));
    request.mounts.push(writable("/reports", Path::new(step::OUT_TREE).join("reports")));
    let mut step =
        StepRequest { request, success_codes: vec![0], required_output: None, output_dirs: vec!["reports".to_owned()] };
    change(&mut step);
    fs::write(dir.path().join(step::REQUEST), serde_json::to_vec(&step).unwrap()).unwrap();
    dir
}

fn report(dir: &SharedTempDir) -> StepReport {
    serde_json::from_slice(&fs::read(dir.path().join(step::OUT_REPORT)).unwrap()).unwrap()
}

fn exit(dir: &SharedTempDir) -> Exit {
    match report(dir) {
        StepReport::Ended { outcome, refused: None, trace: None } => {
            assert_eq!(outcome.isolation, Isolation::Full);
            outcome.exit
        }
        other => panic!("{other:?}"),
    }
}

fn complete_output() {
    let code = "
import os, sys
print(sorted(os.listdir('/src')), os.listdir('/src/package'), os.readlink('/src/link'), os.access('/src/tool', os.X_OK))
print(open('/image/data').read(), os.getuid(), os.path.exists('/out/../images'), file=sys.stderr)
open('/src/new', 'w').close()
os.makedirs('/out/private/empty', mode=0o700)
os.mkdir('/out/d'); os.chmod('/out/d', 0o700)
open('/out/d/secret', 'w').write('x'); os.chmod('/out/d/secret', 0o600)
open('/out/d/run', 'w').write('x'); os.chmod('/out/d/run', 0o700)
os.symlink('secret', '/out/d/link')
open('/reports/r', 'w').write('report')
";
    let dir = prepare(code, |_| {});
    assert_eq!(step::run(dir.path()), step::SUCCEEDED, "{:?}", report(&dir));
    assert_eq!(exit(&dir), Exit::Code(0));
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(read(step::OUT_STDOUT), "['link', 'package', 'tool'] ['empty', 'a.py'] package/a.py True\n");
    assert_eq!(read(step::OUT_STDERR), "image 1000 False\n");
    let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("out/tree/d"), mode("out/tree/d/secret"), mode("out/tree/d/run")), (0o755, 0o644, 0o755));
    assert_eq!(read("out/tree/reports/r"), "report");
    assert!(dir.path().join("out/tree/private/empty").is_dir());
    assert!(!dir.path().join("src/new").exists(), "the step changed its inputs");
}

fn failed_step() {
    let dir = prepare("import sys; open('/out/partial', 'w').close(); sys.exit(3)", |_| {});
    assert_eq!(step::run(dir.path()), step::STEP_FAILED);
    assert_eq!(exit(&dir), Exit::Code(3));
    assert!(dir.path().join("out/tree/partial").exists());
    let dir = prepare("import sys; sys.exit(3)", |step| step.success_codes = vec![0, 3]);
    assert_eq!(step::run(dir.path()), step::SUCCEEDED);
}

fn missing_required_output() {
    let dir = prepare("pass", |step| step.required_output = Some("report.xml".to_owned()));
    assert_eq!(step::run(dir.path()), step::STEP_FAILED);
    assert_eq!(exit(&dir), Exit::Code(0));
}

fn unrepresentable_output() {
    for (code, expected) in [
        ("import os; os.mkfifo('/out/pipe')", "`pipe`: it is a FIFO"),
        ("import os; open('/out/f', 'w').close(); os.chmod('/out/f', 0o200)", "`f`: its mode does not permit"),
        ("open(b'/out/\\xff', 'w').close()", "its name is not UTF-8"),
    ] {
        let dir = prepare(code, |_| {});
        assert_eq!(step::run(dir.path()), step::STEP_FAILED, "{code}");
        match report(&dir) {
            StepReport::Ended { refused: Some(why), .. } => assert!(why.contains(expected), "{why}"),
            other => panic!("{code}: {other:?}"),
        }
    }
}

fn refused_requests() {
    let dir = prepare("pass", |step| step.request.isolation = Isolation::None);
    assert_eq!(step::run(dir.path()), step::NOT_RUN);
    // No user may have this many open files.
    let dir = prepare("pass", |step| step.request.limits.open_files = u64::MAX - 1);
    assert_eq!(step::run(dir.path()), step::CANNOT_ISOLATE);
    assert!(matches!(report(&dir), StepReport::Unsupported(_)));
    let dir = prepare("pass", |_| {});
    fs::write(dir.path().join(step::REQUEST), "{}").unwrap();
    assert_eq!(step::run(dir.path()), step::NOT_RUN);
    assert!(matches!(report(&dir), StepReport::Failed(why) if why.contains("cannot parse `request`")));
}
