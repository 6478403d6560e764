//! How steps end: by exiting, by timeout, by cancellation, and by killed processes. No process of a step survives its
//! outcome, and no step survives its caller.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use waders_sandbox::{Error, Exit, Isolation, Spawner, Streams};

use crate::fixtures::{
    PYTHON, SharedTempDir, python, read_only, request, run, spawner, start, start_with, succeed, writable,
};
use crate::harness::{Suite, TestResult};

pub fn add(suite: &mut Suite) {
    suite.test("no process that a step started survives its outcome", daemons_are_killed);
    suite.test("a fork bomb is killed with its step", fork_bomb);
    suite.test("a step can clean up in the grace period after its timeout", timeout_with_cleanup);
    suite.test("a step that ignores SIGINT is killed after the grace period", timeout_with_ignored_interrupt);
    suite.test("an interrupted step can clean up", interrupt_with_cleanup);
    suite.test("a second interrupt kills the step immediately", second_interrupt);
    suite.test("a step is killed when its handle is dropped", dropped_step);
    suite.test("exit codes and signals are reported", exits);
    suite.test("killing the caller kills every process of its steps", killed_caller);
    suite.test("prepared sandboxes that were killed are replaced", killed_prepared_sandboxes);
    suite.test("killing the spawner kills its steps and is reported to the caller", killed_spawner);
    suite.test("a refused request leaves no process behind", refused_requests_leave_no_process);
    suite.test("descriptors that the caller leaked do not reach a step", leaked_descriptors);
    suite.test("forty concurrent steps do not affect each other", concurrent_steps);
    suite.test("an interactive step reads from the caller's terminal but does not control it", terminal);
    suite.test("a step can control a terminal of its own", controlling_terminal);
    suite.test("resource usage includes all processes", usage);
    suite.add("exceeding the memory limit is reported as such", out_of_memory);
    suite.add("a memory limit that cannot be enforced is refused", unenforceable_memory_limit);
    suite.test("the memory of each process can be limited on every machine", process_memory);
    suite.add("a lower hard limit of the caller is the limit that is reported and enforced", lower_hard_limit);
    suite.test("a step without isolation has a cleared environment and leaves no process", no_isolation);
}

const DAEMON: &str = r"
import os, signal, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if os.fork():
            os._exit(0)
        while True:
            with open('/out/alive', 'a') as file:
                file.write('x')
            time.sleep(0.01)
while not os.path.exists('/out/alive'):
    time.sleep(0.01)
";

fn daemons_are_killed() {
    let temp = SharedTempDir::new();
    let out = temp.dir("out");
    let mut request = python(DAEMON);
    request.mounts.push(writable("/out", &out));
    succeed(&request);
    let size = || fs::metadata(out.join("alive")).unwrap().len();
    let before = size();
    sleep(Duration::from_millis(100));
    assert_eq!(size(), before, "a daemon is still writing");
}

fn fork_bomb() {
    let code = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n";
    let mut request = python(code);
    request.limits.timeout = Some(Duration::from_millis(500));
    request.limits.grace = Duration::from_millis(100);
    let start_time = Instant::now();
    assert_eq!(run(&request).0.unwrap().exit, Exit::TimedOut);
    assert!(start_time.elapsed() < Duration::from_secs(20), "took {:?}", start_time.elapsed());
}

// One long sleep would miss an interrupt that arrives just before it begins.
const CLEANS_UP: &str = r"
import time
try:
    print('started', flush=True)
    while True:
        time.sleep(0.1)
except KeyboardInterrupt:
    print('cleaned up', flush=True)
";

fn timeout_with_cleanup() {
    let mut request = python(CLEANS_UP);
    request.limits.timeout = Some(Duration::from_secs(2));
    request.limits.grace = Duration::from_secs(30);
    let (outcome, output) = run(&request);
    assert_eq!(outcome.unwrap().exit, Exit::TimedOut);
    assert!(output.contains("cleaned up"), "{output}");
}

fn timeout_with_ignored_interrupt() {
    let mut request = request(&["/bin/sh", "-c", "trap '' INT TERM; sleep 60; sleep 60"]);
    request.limits.timeout = Some(Duration::from_millis(300));
    request.limits.grace = Duration::from_millis(300);
    let outcome = run(&request).0.unwrap();
    assert_eq!(outcome.exit, Exit::TimedOut);
    assert!(outcome.wall >= Duration::from_millis(600), "the grace period was cut short: {:?}", outcome.wall);
    assert!(outcome.wall < Duration::from_secs(20), "{:?}", outcome.wall);
}

fn interrupt_with_cleanup() {
    let mut request = python(CLEANS_UP);
    request.limits.grace = Duration::from_secs(30);
    let mut step = start(&request).unwrap();
    step.wait_for_output("started");
    step.running.interrupt();
    let (outcome, output) = step.wait();
    assert_eq!(outcome.unwrap().exit, Exit::Interrupted);
    assert!(output.contains("cleaned up"), "{output}");
}

fn second_interrupt() {
    let mut request = request(&["/bin/sh", "-c", "trap '' INT; echo started; sleep 60; sleep 60"]);
    request.limits.grace = Duration::from_secs(60);
    let mut step = start(&request).unwrap();
    step.wait_for_output("started");
    let start_time = Instant::now();
    step.running.interrupt();
    step.running.interrupt();
    assert_eq!(step.wait().0.unwrap().exit, Exit::Interrupted);
    assert!(start_time.elapsed() < Duration::from_secs(20));
}

fn dropped_step() {
    let marker = marker();
    let mut step = start(&request(&["/bin/sh", "-c", &format!("echo started; sleep 60; : {marker}")])).unwrap();
    step.wait_for_output("started");
    assert!(count_running(&marker) > 0);
    drop(step);
    wait_until_ended(&marker);
}

fn exits() {
    for (code, expected) in [
        ("exit 0", Exit::Code(0)),
        ("exit 7", Exit::Code(7)),
        ("kill -9 $$", Exit::Signal(9)),
        ("kill -11 $$", Exit::Signal(11)),
    ] {
        let (outcome, output) = run(&request(&["/bin/sh", "-c", code]));
        assert_eq!(outcome.unwrap().exit, expected, "{code}: {output}");
    }
}

fn killed_caller() {
    let marker = marker();
    let mut caller = Command::new("/proc/self/exe").args(["--caller", &marker]).stdout(Stdio::piped()).spawn().unwrap();
    wait_until_running(&marker);
    caller.kill().unwrap();
    caller.wait().unwrap();
    wait_until_ended(&marker);
}

const USES_TERMINAL: &str = r"
import os, sys
print('terminals', [os.isatty(fd) for fd in range(3)], flush=True)
print('read', sys.stdin.readline().strip(), flush=True)
try:
    os.open('/dev/tty', os.O_RDWR)
except OSError:
    print('no controlling terminal')
";

fn terminal() {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let theirs = || Stdio::from(terminal.slave.try_clone().unwrap());
    let mut command = Command::new("/proc/self/exe");
    let mut caller = command.arg("--terminal").stdin(theirs()).stdout(theirs()).stderr(theirs()).spawn().unwrap();
    let mut ours = fs::File::from(terminal.master);
    ours.write_all(b"hello\n").unwrap();
    assert!(caller.wait().unwrap().success());
    drop((terminal.slave, command));
    let (mut output, mut part) = (Vec::new(), [0; 1000]);
    // A read from a terminal that no process has open fails with EIO.
    while let Ok(length @ 1..) = ours.read(&mut part) {
        output.extend_from_slice(&part[..length]);
    }
    let output = String::from_utf8_lossy(&output).into_owned();
    for expected in ["terminals [True, True, True]", "read hello", "no controlling terminal"] {
        assert!(output.contains(expected), "{output}");
    }
}

const CONTROLS_TERMINAL: &str = r"
import os, signal, time
signal.signal(signal.SIGINT, lambda *_: os._exit(7))
terminal = os.open('/dev/tty', os.O_RDWR)
print('foreground', os.tcgetpgrp(terminal) == os.getpgrp(), flush=True)
while True:
    time.sleep(0.1)
";

/// A step whose terminal is its own: the interrupt character interrupts it, and not the caller.
fn controlling_terminal() {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let own = || terminal.slave.try_clone().unwrap();
    let mut request = python(CONTROLS_TERMINAL);
    request.stdio = waders_sandbox::Stdio::Terminal;
    let (sender, ended) = std::sync::mpsc::channel();
    let streams = Streams { stdin: Some(own()), stdout: own(), stderr: own() };
    let done = move |outcome| sender.send(outcome).unwrap();
    let step = spawner().start_step(&request, streams, 0, done).unwrap();
    let mut ours = fs::File::from(terminal.master);
    let mut read_until = |wanted: &str| {
        let (mut output, mut part) = (String::new(), [0; 1000]);
        while !output.contains(wanted) {
            let length = ours.read(&mut part).unwrap();
            output += &String::from_utf8_lossy(&part[..length]);
        }
    };
    read_until("foreground True");
    ours.write_all(b"\x03").unwrap();
    let outcome = ended.recv().unwrap().unwrap();
    drop(step);
    assert_eq!(outcome.exit, Exit::Code(7));
}

/// Runs this process as a caller: `--terminal` with an interactive step, `--caller` with a long step, to be killed.
pub fn run_role(args: &[String]) -> Option<ExitCode> {
    if args == ["--terminal"] {
        let mut request = python(USES_TERMINAL);
        request.stdio = waders_sandbox::Stdio::Inherited;
        let own = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().unwrap();
        let (stdout, stderr) = (own(std::io::stdout().as_fd()), own(std::io::stderr().as_fd()));
        let outcome = spawner().run(&request, stdout, stderr).unwrap().wait().unwrap();
        return Some(if outcome.exit == Exit::Code(0) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if args == ["--low-limit"] {
        return Some(print_low_limit());
    }
    let [role, marker] = args else { return None };
    if role != "--caller" {
        return None;
    }
    let step = start(&request(&["/bin/sh", "-c", &format!("sleep 100 & sleep 100; : {marker}")])).unwrap();
    let _ = step.wait();
    Some(ExitCode::SUCCESS)
}

fn killed_spawner() {
    let spawner = Spawner::start().unwrap();
    let marker = marker();
    let step = start_with(&spawner, &request(&["/bin/sh", "-c", &format!("sleep 100; : {marker}")])).unwrap();
    wait_until_running(&marker);
    kill(Pid::from_raw(spawner.pid() as i32), Signal::SIGKILL).unwrap();
    assert!(matches!(step.wait().0, Err(Error::SpawnerGone)));
    wait_until_ended(&marker);
    assert!(matches!(start_with(&spawner, &request(&["/bin/true"])).map(drop), Err(Error::SpawnerGone)));
}

fn killed_prepared_sandboxes() {
    let spawner = Spawner::start().unwrap();
    let list = format!("/proc/{0}/task/{0}/children", spawner.pid());
    // `run` announces further requests, so sandboxes are prepared.
    start_with(&spawner, &python("")).unwrap().wait().0.unwrap();
    for _ in 0..3 {
        wait_until(|| fs::read_to_string(&list).unwrap().split_whitespace().count() == 3);
        let prepared = fs::read_to_string(&list).unwrap();
        for pid in prepared.split_whitespace() {
            kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL).unwrap();
        }
        wait_until(|| fs::read_to_string(&list).unwrap().split_whitespace().all(|pid| !prepared.contains(pid)));
        let (outcome, output) = start_with(&spawner, &python("print('ran')")).unwrap().wait();
        assert_eq!((outcome.unwrap().exit, output.as_str()), (Exit::Code(0), "ran\n"));
    }
}

fn refused_requests_leave_no_process() {
    let spawner = Spawner::start().unwrap();
    let mut refused = python("");
    refused.mounts.push(read_only("/in", "/nowhere"));
    for _ in 0..20 {
        assert!(start_with(&spawner, &refused).unwrap().wait().0.is_err());
    }
    let list = format!("/proc/{0}/task/{0}/children", spawner.pid());
    // Prepared sandboxes are children as well, at most three.
    wait_until(|| fs::read_to_string(&list).unwrap().split_whitespace().count() < 5);
}

fn leaked_descriptors() {
    let file = fs::File::open("/").unwrap();
    // Without close-on-exec, as careless libraries open them.
    let leaked: Vec<_> =
        (0..1000).filter_map(|_| nix::fcntl::fcntl(file.as_fd(), nix::fcntl::F_DUPFD(3)).ok()).collect();
    let spawner = Spawner::start().unwrap();
    let inside = "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:-1])";
    let (outcome, output) = start_with(&spawner, &python(inside)).unwrap().wait();
    assert_eq!(outcome.unwrap().exit, Exit::Code(0));
    assert_eq!(output, "[0, 1, 2]\n");
    let held = fs::read_dir(format!("/proc/{}/fd", spawner.pid())).map(|fds| fds.count());
    assert!(held.is_ok_and(|held| held < 40), "the spawner inherited them");
    for fd in leaked {
        nix::unistd::close(fd).unwrap();
    }
}

fn concurrent_steps() {
    let steps: Vec<_> = (0..40)
        .map(|number| start(&python(&format!("import time; time.sleep(0.2); print({number})"))).unwrap())
        .collect();
    for (number, step) in steps.into_iter().enumerate() {
        let (outcome, output) = step.wait();
        assert_eq!(outcome.unwrap().exit, Exit::Code(0));
        assert_eq!(output, format!("{number}\n"));
    }
}

fn usage() {
    let code = "import os, time\nif os.fork() == 0:\n    x = bytearray(100 << 20)\n    end = time.process_time() + 0.2\n    \
                while time.process_time() < end: pass\n    os._exit(0)\nos.wait()";
    let outcome = run(&python(code)).0.unwrap();
    assert!(outcome.cpu >= Duration::from_millis(200), "{outcome:?}");
    assert!(outcome.max_rss_bytes >= 100 << 20, "{outcome:?}");
    assert!(outcome.wall >= Duration::from_millis(200), "{outcome:?}");
}

fn out_of_memory() -> TestResult {
    if let Err(unsupported) = &spawner().kernel().memory_limit {
        return TestResult::Skipped(unsupported.to_string());
    }
    let mut request = python("x = bytearray(600 << 20)");
    request.limits.memory_bytes = Some(100 << 20);
    let outcome = run(&request).0.unwrap();
    assert!(outcome.memory_limited);
    assert_eq!(outcome.exit, Exit::OutOfMemory);
    let mut enough = python("print(set(line.rpartition(':')[2] for line in open('/proc/self/cgroup').read().split()))");
    enough.limits.memory_bytes = Some(500 << 20);
    assert_eq!(succeed(&enough), "{'/'}\n");
    wait_until(|| count_cgroups(spawner().pid()) == 0);
    stale_cgroup(&enough);
    TestResult::Passed
}

fn unenforceable_memory_limit() -> TestResult {
    let Err(unsupported) = &spawner().kernel().memory_limit else {
        return TestResult::Skipped("a control group is delegated to this user".to_owned());
    };
    let mut request = python("print('ran')");
    for isolation in [Isolation::Full, Isolation::None] {
        request.isolation = isolation;
        if isolation == Isolation::None {
            request.mounts.clear();
            request.cwd = "/".into();
        }
        request.limits.memory_bytes = Some(500 << 20);
        let (outcome, output) = run(&request);
        assert!(matches!(&outcome, Err(Error::Unsupported(found)) if found == unsupported), "{outcome:?}");
        assert_eq!(output, "");
        request.limits.memory_bytes = None;
        assert_eq!(succeed(&request), "ran\n");
    }
    wait_until(|| children(spawner().pid()).iter().all(|state| *state != 'Z'));
    TestResult::Passed
}

fn process_memory() {
    let mut request = python("try:\n    x = bytearray(600 << 20)\nexcept MemoryError:\n    print('refused')");
    assert_eq!(succeed(&request), "");
    request.limits.process_memory_bytes = Some(300 << 20);
    assert_eq!(succeed(&request), "refused\n");
}

/// Root can raise hard limits, so this is about an ordinary user.
fn lower_hard_limit() -> TestResult {
    if nix::unistd::geteuid().is_root() {
        return TestResult::Skipped("root can raise hard limits".to_owned());
    }
    let output = Command::new("/bin/sh")
        .args(["-c", "ulimit -n 200; exec \"$0\" --low-limit"])
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text, "200\n200 200\n", "{}", String::from_utf8_lossy(&output.stderr));
    TestResult::Passed
}

fn print_low_limit() -> ExitCode {
    let code = "import resource\nprint(*resource.getrlimit(resource.RLIMIT_NOFILE))";
    let mut request = python(code);
    request.limits = request.limits.enforceable();
    println!("{}", request.limits.open_files);
    print!("{}", succeed(&request));
    ExitCode::SUCCESS
}

/// Returns the states of the children of a process: `Z` for one that nobody has waited for.
fn children(parent: u32) -> Vec<char> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let stats = processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    let state = |stat: String| {
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?.chars().next()?;
        (fields.next()? == parent.to_string()).then_some(state)
    };
    stats.filter_map(state).collect()
}

/// A new spawner removes the control groups of a killed one.
fn stale_cgroup(limited: &waders_sandbox::Request) {
    let killed = Spawner::start().unwrap();
    let mut long = limited.clone();
    long.argv = ["/bin/sleep", "100"].map(str::to_owned).to_vec();
    let step = start_with(&killed, &long).unwrap();
    wait_until(|| count_cgroups(killed.pid()) == 1);
    kill(Pid::from_raw(killed.pid() as i32), Signal::SIGKILL).unwrap();
    assert!(step.wait().0.is_err());
    let pid = killed.pid();
    drop(killed);
    wait_until(|| {
        drop(Spawner::start().unwrap());
        count_cgroups(pid) == 0
    });
}

/// Counts the control groups of a spawner.
fn count_cgroups(spawner: u32) -> usize {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap();
    let paths = text.lines().filter_map(|line| line.split_once(':')?.1.split_once(":/"));
    let dirs =
        paths.flat_map(|(_, group)| ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"].map(|root| format!("{root}/{group}")));
    let dirs: std::collections::BTreeSet<String> = dirs.collect();
    let entries = dirs.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten();
    let prefix = format!("waders-{spawner}-");
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)).count()
}

fn no_isolation() {
    let marker = marker();
    let mut request =
        request(&["/bin/sh", "-c", &format!("(setsid sh -c 'sleep 100; : {marker}' &); env; ls /proc/1/comm")]);
    request.isolation = Isolation::None;
    assert!(matches!(run(&request).0, Err(Error::Request(_))), "mounts were accepted without namespaces");
    request.mounts.clear();
    request.cwd = "/".into();
    let output = succeed(&request);
    assert!(output.contains("HOME=/home/waders") && !output.contains("CARGO"), "{output}");
    assert_eq!(count_running(&marker), 0);
    request.argv = vec![PYTHON.to_owned(), "-c".to_owned(), CLEANS_UP.to_owned()];
    request.limits.timeout = Some(Duration::from_secs(2));
    request.limits.grace = Duration::from_secs(30);
    let (outcome, output) = run(&request);
    assert_eq!(outcome.unwrap().exit, Exit::TimedOut);
    assert!(output.contains("cleaned up"));
}

/// Returns a unique text by which a process can be found.
fn marker() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("marker-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Counts the shells with the marker in their arguments, outside and inside sandboxes.
fn count_running(marker: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(marker) && (line.starts_with("/bin/sh") || line.starts_with("sh\0"))).count()
}

fn wait_until_running(marker: &str) {
    wait_until(|| count_running(marker) > 0);
}

fn wait_until_ended(marker: &str) {
    wait_until(|| count_running(marker) == 0);
}

fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("the condition did not become true in 10 s");
}
