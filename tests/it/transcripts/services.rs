//! Services of tests: side by side, under other conditions, interrupted, and in the place of containers.

use std::fs;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::transcripts::interruption::{is_running, wait_until};
use crate::transcripts::workspace::{Workspace, now_nanos};

const REPOSITORY: &str = "services";

/// The variable that asks for tests with services that are large or slow to start.
const ALL: &str = "WADERS_TEST_ALL_SERVICES";

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn eight_tests_have_the_same_services_at_the_same_time() {
    let Some(workspace) = Workspace::running() else { return };
    let dir = workspace.repository(REPOSITORY).join("eight");
    fs::create_dir(&dir).unwrap();
    let tags = "[\"service:redis\", \"service:postgresql\"]";
    fs::write(dir.join("BUILD"), format!("python_tests(tags={tags})\n")).unwrap();
    // Every server is still in use when the others start.
    let test = "import os, socket, subprocess, time\n\n\n\
        def test_it():\n    \
            subprocess.run(['psql', '-qc', 'create table t (x int)'], check=True)\n    \
            with socket.create_connection(('127.0.0.1', int(os.environ['REDIS_PORT']))) as redis:\n        \
                redis.sendall(b'INCR counter\\r\\n')\n        \
                time.sleep(1)\n        \
                assert redis.recv(100) == b':1\\r\\n'\n";
    for number in 0..8 {
        fs::write(dir.join(format!("number_{number}_test.py")), test).unwrap();
    }
    let args = ["test", "--process-execution-local-parallelism=8", "eight::"];
    let output = workspace.waders(REPOSITORY, &args).output().unwrap();
    assert!(stderr(&output).contains("\n8 files passed"), "{}", stderr(&output));
}

#[test]
fn a_test_with_a_database_passes_under_all_conditions() {
    let Some(workspace) = Workspace::running() else { return };
    let output = workspace.waders(REPOSITORY, &["verify", "--vary", "test", "shop/orders_test.py"]).output().unwrap();
    let stderr = stderr(&output);
    assert!(output.status.success(), "{stderr}");
    // The test and the initial database, whose contents are always different.
    assert!(stderr.contains(", 2 identical apart from durations and logs ("), "{stderr}");
}

#[test]
fn services_end_with_a_run_that_is_interrupted_or_killed() {
    let Some(workspace) = Workspace::running() else { return };
    let root = workspace.repository(REPOSITORY);
    let mark = format!("{}.{}", 4000, now_nanos());
    let service = format!(
        "[toolchain]\nservice_python = \"CPython==3.11.*\"\n\n[services.marked]\n\
         start = [\"sh\", \"-c\", \"sleep {mark} & echo ready; wait\"]\nready = {{ log = \"ready\" }}\n"
    );
    fs::write(root.join("waders.toml"), service).unwrap();
    fs::create_dir(root.join("long")).unwrap();
    fs::write(root.join("long/BUILD"), "python_tests(tags=[\"service:marked\"])\n").unwrap();
    fs::write(root.join("long/long_test.py"), "import time\n\n\ndef test_it():\n    time.sleep(1000)\n").unwrap();
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let mut command = workspace.waders(REPOSITORY, &["test", "long::"]);
        let run = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        assert!(wait_until(|| is_running(&mark)), "the service did not start");
        // The test starts after the service.
        std::thread::sleep(Duration::from_millis(500));
        kill(Pid::from_raw(run.id().try_into().unwrap()), signal).unwrap();
        let started = Instant::now();
        let output = run.wait_with_output().unwrap();
        assert!(wait_until(|| !is_running(&mark)), "the service still runs");
        // The grace period is 30 s.
        assert!(started.elapsed() < Duration::from_secs(20), "{}", stderr(&output));
        if signal == Signal::SIGINT {
            assert!(stderr(&output).contains("1 file interrupted"), "{}", stderr(&output));
        }
    }
}

#[test]
fn test_suites_written_for_containers_run_unchanged() {
    if std::env::var_os(ALL).is_none() {
        println!("skipped: `{ALL}` is not set");
        return;
    }
    let Some(workspace) = Workspace::running() else { return };
    let output = workspace.waders("containers", &["test", "::"]).output().unwrap();
    assert!(stderr(&output).contains("\n5 files passed"), "{}", stderr(&output));
}
