//! Audited steps: the trace has everything that a step names, and the audit changes nothing of what the step can do.

use std::time::Duration;

use waders_sandbox::{Error, Exit, Found, Isolation, Request, SocketOperation, Trace, Uses};

use crate::fixtures::{PYTHON, SharedTempDir, copied, python, read_only, request, run, succeed};
use crate::harness::Suite;

pub fn add(suite: &mut Suite) {
    suite.test("a trace has files that are read, written, probed, listed and executed", kinds_of_access);
    suite.test("a trace has paths relative to directories, also those that are open", relative_paths);
    suite.test("a trace has the accesses of all processes and threads", processes_and_threads);
    suite.test("a trace has the addresses of sockets", sockets);
    suite.test("an audit does not change what is denied, nor any output", same_results);
    suite.test("an audited step with frequent signals ends", frequent_signals);
    suite.test("an audited step that is killed has a trace", killed);
    suite.test("a step cannot end its audit", cannot_end_audit);
    suite.test("invalid pointers are answered by the kernel, as without an audit", invalid_pointers);
    suite.test("an audit without namespaces is refused", unisolated);
}

fn audited(mut request: Request) -> (Trace, String) {
    request.audit = true;
    let (outcome, output) = run(&request);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit, Exit::Code(0), "{output}");
    (outcome.trace.unwrap(), output)
}

fn with_sources(code: &str) -> (SharedTempDir, Request) {
    let temp = SharedTempDir::new();
    let source = temp.dir("src");
    std::fs::create_dir(source.join("dir")).unwrap();
    for name in ["read.txt", "probed.txt", "unused.txt", "dir/entry.txt"] {
        std::fs::write(source.join(name), name).unwrap();
    }
    std::os::unix::fs::symlink("read.txt", source.join("link.txt")).unwrap();
    let mut request = python(code);
    request.mounts.push(copied("/src", source));
    request.cwd = "/src".into();
    (temp, request)
}

fn kinds_of_access() {
    let code = "
import os, subprocess
open('/src/read.txt').read(); open('/src/link.txt').read()
os.stat('/src/probed.txt'); os.listdir('/src/dir')
open('/tmp/new', 'w').write('1'); open('/tmp/new').read()
os.path.exists('/src/absent.txt'); os.path.exists('/srv/other')
os.link('/src/dir/entry.txt', '/src/hard'); os.mkdir('/tmp/made'); os.rename('/tmp/new', '/tmp/renamed')
subprocess.run(['/bin/true'])
";
    let (_temp, request) = with_sources(code);
    let (trace, _) = audited(request);
    let check = |path: &str, uses: Uses, found: Found| {
        let access = trace.files.get(path).unwrap_or_else(|| panic!("`{path}` is missing"));
        assert!(access.uses.contains(uses) && access.found == found, "{path}: {access:?}");
    };
    check("/src/read.txt", Uses::READ, Found::File);
    check("/src/link.txt", Uses::READ, Found::File);
    assert_eq!(trace.files["/src/link.txt"].real.as_deref(), Some("/src/read.txt"));
    check("/src/probed.txt", Uses::PROBED, Found::File);
    assert!(!trace.files["/src/probed.txt"].uses.contains(Uses::READ));
    check("/src/dir", Uses::READ, Found::Directory);
    check("/src/dir/entry.txt", Uses::READ, Found::File);
    check("/src/hard", Uses::WRITTEN, Found::Absent);
    check("/src/absent.txt", Uses::PROBED, Found::Absent);
    check("/srv/other", Uses::PROBED, Found::Absent);
    check("/tmp/new", Uses::READ | Uses::WRITTEN, Found::Absent);
    check("/tmp/renamed", Uses::WRITTEN, Found::Absent);
    check("/tmp/made", Uses::WRITTEN, Found::Absent);
    check("/bin/true", Uses::EXECUTED, Found::File);
    check(PYTHON, Uses::EXECUTED, Found::File);
    assert!(!trace.files.contains_key("/src/unused.txt") && trace.lost == 0 && trace.interrupted == 0);
}

fn relative_paths() {
    let code = "
import os
open('read.txt').read()
os.chdir('dir'); open('./entry.txt').read(); os.path.exists('../absent.txt')
fd = os.open('/src', os.O_RDONLY); os.stat('probed.txt', dir_fd=fd); os.chdir('/')
os.stat('dir/entry.txt', dir_fd=fd)
";
    let (_temp, request) = with_sources(code);
    let (trace, _) = audited(request);
    for path in ["/src/read.txt", "/src/dir/entry.txt", "/src/absent.txt", "/src/probed.txt"] {
        assert!(trace.files.contains_key(path), "{path}");
    }
    assert_eq!(trace.files["/src/absent.txt"].found, Found::Absent);
}

fn processes_and_threads() {
    let code = "
import os, subprocess, threading
def work(name):
    for number in range(50): os.path.exists(f'/src/absent/{name}/{number}')
threads = [threading.Thread(target=work, args=(f'thread{i}',)) for i in range(4)]
children = []
for i in range(4):
    pid = os.fork()
    if pid == 0:
        work(f'child{i}'); os._exit(0)
    children.append(pid)
[thread.start() for thread in threads]; [thread.join() for thread in threads]
[os.waitpid(pid, 0) for pid in children]
subprocess.run(['/bin/sh', '-c', 'test -e /src/absent/shell/0; exec /bin/cat /src/read.txt'], check=True)
";
    let (_temp, request) = with_sources(code);
    let (trace, output) = audited(request);
    assert_eq!(output, "read.txt");
    for name in (0..4).flat_map(|i| [format!("thread{i}"), format!("child{i}")]) {
        for number in 0..50 {
            assert!(trace.files.contains_key(&format!("/src/absent/{name}/{number}")), "{name} {number}");
        }
    }
    assert!(trace.files.contains_key("/src/absent/shell/0") && trace.files.contains_key("/src/read.txt"));
}

fn sockets() {
    let code = "
import socket
def attempt(family, kind, address):
    with socket.socket(family, kind) as s:
        try: s.connect(address)
        except OSError: pass
attempt(socket.AF_INET, socket.SOCK_STREAM, ('192.0.2.1', 80))
attempt(socket.AF_INET6, socket.SOCK_STREAM, ('2001:db8::1', 443))
attempt(socket.AF_UNIX, socket.SOCK_STREAM, '/run/nothing')
attempt(socket.AF_UNIX, socket.SOCK_STREAM, '\\0abstract')
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.bind(('127.0.0.1', 5353))
    s.sendto(b'x', ('127.0.0.1', 5354))
    s.sendmsg([b'x'], [], 0, ('127.0.0.1', 5355))
";
    let (trace, _) = audited(python(code));
    let has = |operation, address: &str| {
        let found = trace.sockets.iter().any(|s| s.operation == operation && s.address == address);
        assert!(found, "{address}: {:?}", trace.sockets);
    };
    has(SocketOperation::Connect, "192.0.2.1:80");
    has(SocketOperation::Connect, "[2001:db8::1]:443");
    has(SocketOperation::Connect, "unix:/run/nothing");
    has(SocketOperation::Connect, "unix:@abstract");
    has(SocketOperation::Bind, "127.0.0.1:5353");
    has(SocketOperation::Send, "127.0.0.1:5354");
    has(SocketOperation::Send, "127.0.0.1:5355");
    has(SocketOperation::Create, "inet6");
}

fn same_results() {
    let code = "
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
for call in (165, 272, 437, 101): # mount, unshare, openat2, ptrace on x86-64
    print(call, libc.syscall(call, 0, 0, 0, 0, 0), ctypes.get_errno())
try: os.chmod('/tmp', 0o4755)
except OSError as error: print(error.errno)
try: socket.socket(socket.AF_VSOCK)
except OSError as error: print(error.errno)
print(sorted(os.listdir('/')), sorted(os.listdir('/proc/self/fd')), os.getpid())
print(open('/proc/self/status').read().split('NoNewPrivs:')[1].split()[0])
";
    let plain = succeed(&python(code));
    assert_eq!(audited(python(code)).1, plain);
}

fn frequent_signals() {
    let code = "
import os, signal
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
for number in range(5000): os.path.exists('/tmp/absent'); open('/dev/null').close()
signal.setitimer(signal.ITIMER_REAL, 0)
print('ended')
";
    let (trace, output) = audited(python(code));
    assert_eq!(output, "ended\n");
    assert!(trace.calls + trace.interrupted >= 10_000, "{} {}", trace.calls, trace.interrupted);
}

fn killed() {
    let mut request = python("import os\nos.path.exists('/tmp/before')\nwhile True: os.path.exists('/tmp/absent')");
    request.audit = true;
    request.limits.timeout = Some(Duration::from_millis(1500));
    request.limits.grace = Duration::from_millis(100);
    let outcome = run(&request).0.unwrap();
    assert_eq!(outcome.exit, Exit::TimedOut);
    assert!(outcome.trace.unwrap().files.contains_key("/tmp/before"));
}

fn cannot_end_audit() {
    let code = "
import os, signal
for pid in [1, -1]:
    try: os.kill(pid, signal.SIGKILL)
    except OSError: pass
    for number in range(1, 4):
        try: os.kill(number, signal.SIGSTOP) if number != os.getpid() else None
        except OSError: pass
for name in os.listdir('/proc/self/fd'):
    try:
        if 'seccomp' in os.readlink(f'/proc/self/fd/{name}'): print('the step has the listener')
    except OSError: pass
os.path.exists('/tmp/after')
";
    let mut request = python(&format!(
        "import os\nif os.fork() == 0:\n os.execv('{PYTHON}', ['python3', '-c', {code:?}])\nos.wait()"
    ));
    request.env.insert("HOME".to_owned(), "/tmp".to_owned());
    request.audit = true;
    let (outcome, output) = run(&request);
    let outcome = outcome.unwrap();
    assert_eq!(output, "");
    assert!(outcome.trace.is_some(), "{:?}", outcome.exit);
}

fn invalid_pointers() {
    let code = "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for address in (0, 1, 2**47 - 1, 2**63):
    libc.syscall(257, -100, ctypes.c_void_p(address), 0); print(ctypes.get_errno())
    libc.syscall(42, 0, ctypes.c_void_p(address), 16); print(ctypes.get_errno())
";
    let mut plain = python(code);
    plain.mounts.push(read_only("/in", "/usr"));
    assert_eq!(audited(plain.clone()).1, succeed(&plain));
}

fn unisolated() {
    let mut request = request(&["/bin/true"]);
    request.isolation = Isolation::None;
    request.mounts.clear();
    request.audit = true;
    let error = run(&request).0.map(|outcome| outcome.exit).unwrap_err();
    assert!(matches!(&error, Error::Request(why) if why.contains("an audit needs namespaces")), "{error:?}");
}
