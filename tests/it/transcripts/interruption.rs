//! Runs that are interrupted or killed: no process and no mount remains, and the next run works.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::transcripts::workspace::Workspace;

const REPOSITORY: &str = "interrupted";

/// Limit on waiting for a process, generous for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A run whose only test has started.
struct Running {
    waders: Child,
    /// A text in the command line of the process that the test starts.
    mark: String,
}

impl Running {
    fn start(workspace: &Workspace, args: &[&str]) -> Running {
        let mut command = workspace.waders(REPOSITORY, args);
        let mark = mark(&mut command);
        // Signals reach a second process only if there is no terminal, which would send them itself.
        let mut waders = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let has_started = wait_until(|| is_running(&mark) || waders.try_wait().unwrap().is_some());
        assert!(has_started && is_running(&mark), "the test did not start");
        Running { waders, mark }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.waders.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for the end of the run and of the test's process.
    fn wait(self) -> Output {
        let output = self.waders.wait_with_output().unwrap();
        assert!(wait_until(|| !is_running(&self.mark)), "a process of the test still runs");
        output
    }
}

#[test]
fn an_interrupt_lets_fixtures_clean_up() {
    let Some(workspace) = Workspace::running() else { return };
    let running = Running::start(&workspace, &["test", "::"]);
    running.signal(Signal::SIGINT);
    let output = running.wait();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("waiting for running steps to clean up (Ctrl-C again kills them)"), "{stderr}");
    assert!(stderr.contains("\n1 file interrupted") && stderr.ends_with("s\nInterrupted by user.\n"), "{stderr}");
    let cleaned_up = workspace.repository(REPOSITORY).join("dist/test/tests.long_test.py/cleaned-up");
    assert!(cleaned_up.exists(), "{stderr}");
    let log = log(&workspace);
    assert!(log.contains("interrupted") && log.contains("tests/long_test.py"), "{log}");
}

#[test]
fn a_terminated_run_lets_fixtures_clean_up_and_is_recorded() {
    let Some(workspace) = Workspace::running() else { return };
    let running = Running::start(&workspace, &["test", "::"]);
    running.signal(Signal::SIGTERM);
    let output = running.wait();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("terminated: waiting for running steps to clean up"), "{stderr}");
    assert!(workspace.repository(REPOSITORY).join("dist/test/tests.long_test.py/cleaned-up").exists(), "{stderr}");
    let log = log(&workspace);
    assert!(log.contains("interrupted") && log.contains("tests/long_test.py"), "{log}");
}

#[test]
fn a_second_interrupt_kills_running_steps() {
    let Some(workspace) = Workspace::running() else { return };
    let running = Running::start(&workspace, &["test", "--test-extra-env-vars=+['STUBBORN=1']", "::"]);
    running.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(500));
    running.signal(Signal::SIGINT);
    let started = Instant::now();
    let output = running.wait();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("killing running steps"), "{stderr}");
    // The grace period is 30 s.
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_killed_run_leaves_no_process_and_no_mount() {
    let Some(workspace) = Workspace::running() else { return };
    let mounts = mounts();
    let running = Running::start(&workspace, &["test", "::"]);
    running.signal(Signal::SIGKILL);
    let output = running.wait();
    assert_eq!(output.status.signal(), Some(9));
    assert_eq!(self::mounts(), mounts);
    assert!(log(&workspace).contains("unfinished"), "{}", log(&workspace));
    let next = workspace.waders(REPOSITORY, &["test", "--test-extra-env-vars=+['QUICK=1']", "::"]).output().unwrap();
    assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
}

/// The test ends at once in the first run of `verify`, where it has several processors, and takes long in the second one.
fn start_second_run(workspace: &Workspace) -> Option<Running> {
    if std::thread::available_parallelism().unwrap().get() == 1 {
        println!("skipped: this test needs two processors");
        return None;
    }
    let flag = "--test-extra-env-vars=+['VERIFY=1']";
    let first = workspace.waders(REPOSITORY, &["test", flag, "::"]).output().unwrap();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    Some(Running::start(workspace, &["verify", "--vary=cores", flag, "test", "::"]))
}

#[test]
fn an_interrupt_in_the_second_run_of_verify_ends_both_runs() {
    let Some(workspace) = Workspace::running() else { return };
    let Some(running) = start_second_run(&workspace) else { return };
    running.signal(Signal::SIGINT);
    let output = running.wait();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.ends_with("Interrupted by user.\n"), "{stderr}");
}

#[test]
fn killing_verify_kills_its_second_run() {
    let Some(workspace) = Workspace::running() else { return };
    let Some(running) = start_second_run(&workspace) else { return };
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().status.signal(), Some(9));
}

#[test]
fn processes_that_a_test_leaves_running_are_killed() {
    let Some(workspace) = Workspace::running() else { return };
    let mut command = workspace.waders(REPOSITORY, &["test", "--test-extra-env-vars=+['QUICK=1']", "::"]);
    let mark = mark(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!is_running(&mark));
}

/// The last recorded run, with its steps.
fn log(workspace: &Workspace) -> String {
    String::from_utf8(workspace.waders(REPOSITORY, &["log", "last"]).output().unwrap().stdout).unwrap()
}

/// The number in the variable that changes with every run, as it appears in the command line of the test's process.
fn mark(command: &mut Command) -> String {
    let run = command.get_envs().find(|(name, _)| *name == "WADERS_TEST_EXTRA_ENV_VARS").unwrap().1.unwrap();
    let digits = run.to_string_lossy().chars().filter(char::is_ascii_digit).collect::<String>();
    format!("1000.{digits}")
}

/// Whether a process `sleep` with this text in its command line runs.
pub(super) fn is_running(mark: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| line.starts_with(b"sleep\0") && String::from_utf8_lossy(&line).contains(mark))
}

fn mounts() -> BTreeSet<String> {
    fs::read_to_string("/proc/self/mounts").unwrap().lines().map(str::to_owned).collect()
}

/// Waits until the condition holds, for at most two minutes.
pub(super) fn wait_until(mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < TIMEOUT {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}
