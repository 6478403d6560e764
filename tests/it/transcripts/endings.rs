//! Runs that end before their time: interrupted, or killed. Nothing may stay, and the next run must work.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::transcripts::ground::Ground;

const REPOSITORY: &str = "interrupted";

/// More than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A run whose one test is under way.
struct Running {
    waders: Child,
    /// What is in the command line of the process that the test started.
    mark: String,
}

impl Running {
    fn start(ground: &Ground, args: &[&str]) -> Running {
        let mut command = ground.waders(REPOSITORY, args);
        let mark = mark(&mut command);
        let mut waders = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let is_there = until(|| is_running(&mark) || waders.try_wait().unwrap().is_some());
        assert!(is_there && is_running(&mark), "the test did not start");
        Running { waders, mark }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.waders.id().try_into().unwrap()), signal).unwrap();
    }

    /// Output and the last look for the test's process.
    fn end(self) -> Output {
        let output = self.waders.wait_with_output().unwrap();
        assert!(until(|| !is_running(&self.mark)), "a process of the test is still there");
        output
    }
}

#[test]
fn an_interrupt_lets_fixtures_clean_up() {
    let Some(ground) = Ground::running() else { return };
    let running = Running::start(&ground, &["test", "::"]);
    running.signal(Signal::SIGINT);
    let output = running.end();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("waiting for running steps to clean up (Ctrl-C again kills them)"), "{stderr}");
    assert!(stderr.ends_with("0 passed, 1 interrupted\nInterrupted by user.\n"), "{stderr}");
    let cleaned_up = ground.repository(REPOSITORY).join("dist/test/tests.long_test.py/cleaned-up");
    assert!(cleaned_up.exists(), "{stderr}");
}

#[test]
fn a_second_interrupt_kills_what_does_not_clean_up() {
    let Some(ground) = Ground::running() else { return };
    let running = Running::start(&ground, &["test", "--test-extra-env-vars=+['STUBBORN=1']", "::"]);
    running.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(500));
    running.signal(Signal::SIGINT);
    let started = Instant::now();
    let output = running.end();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("killing running steps"), "{stderr}");
    // The grace period is half a minute.
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_killed_run_leaves_no_process_and_no_mount_and_the_next_one_works() {
    let Some(ground) = Ground::running() else { return };
    let mounts = mounts();
    let running = Running::start(&ground, &["test", "::"]);
    running.signal(Signal::SIGKILL);
    let output = running.end();
    assert_eq!(output.status.signal(), Some(9));
    assert_eq!(self::mounts(), mounts);
    let next = ground.waders(REPOSITORY, &["test", "--test-extra-env-vars=+['QUICK=1']", "::"]).output().unwrap();
    assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
}

#[test]
fn what_a_test_leaves_running_ends_with_it() {
    let Some(ground) = Ground::running() else { return };
    let mut command = ground.waders(REPOSITORY, &["test", "--test-extra-env-vars=+['QUICK=1']", "::"]);
    let mark = mark(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!is_running(&mark));
}

/// The variable that makes each run's tests run anew, as their process shows it.
fn mark(command: &mut Command) -> String {
    let run = command.get_envs().find(|(name, _)| *name == "WADERS_TEST_EXTRA_ENV_VARS").unwrap().1.unwrap();
    let digits = run.to_string_lossy().chars().filter(char::is_ascii_digit).collect::<String>();
    format!("1000.{digits}")
}

fn is_running(mark: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| line.starts_with(b"sleep\0") && String::from_utf8_lossy(&line).contains(mark))
}

fn mounts() -> BTreeSet<String> {
    fs::read_to_string("/proc/self/mounts").unwrap().lines().map(str::to_owned).collect()
}

fn until(mut is_so: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}
