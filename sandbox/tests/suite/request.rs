//! Requests of every kind: each is executed exactly as stated or refused with a reason, and none stops the spawner.

use std::io::{Read, Seek};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::{SocketAddr, UnixListener};

use waders_sandbox::{Error, Isolation, Network};

use crate::fixtures::{PYTHON, SharedTempDir, chain, python, read_only, request, run, spawner, start, succeed};
use crate::harness::{Suite, TestResult};

pub fn add(suite: &mut Suite) {
    suite.test("arguments are not interpreted as options, paths or shell syntax", arguments);
    suite.test("an environment of 300 KB is passed completely and without additions", large_environment);
    suite.test("an error about a missing program names it", missing_program);
    suite.test("invalid arguments, variables and mount points are refused by name", invalid_values);
    suite.test("a source that is a link, a file or missing is refused", bad_sources);
    suite.test("a link in a source does not lead to the host, and no mount point passes through it", links_in_sources);
    suite.test("a source that is swapped for a link never shows the link's target", swapped_source);
    suite.test("more mounts than one message can carry are refused", too_many_mounts);
    suite.test("a hundred mounts are accepted", many_mounts);
    suite.test(
        "a sandbox cannot reach another one or the host through abstract sockets or loopback",
        sandboxes_are_separate,
    );
    suite.test("an error about a missing working directory names it", missing_directory);
    suite.test("a weaker level is applied when requested and reported", weaker_level);
    suite.add("the host's network can be requested, but not its abstract sockets", host_network);
    suite.test("memory addresses are the same in each run", same_addresses);
    suite.test("output can go to pipes, memory files and regular files", kinds_of_output);
    suite.test("an output file can be reopened as /dev/stdout", reopened_output);
}

fn arguments() {
    let words = ["--bind", "-c", "@file", "$(id)", "`id`", "", "a b", "\n", "*", "--", "ü", "--waders-spawner"];
    let mut request = request(&[PYTHON, "-c", "import sys; print(ascii(sys.argv[1:]))"]);
    request.argv.extend(words.iter().map(ToString::to_string));
    let expected =
        r"['--bind', '-c', '@file', '$(id)', '`id`', '', 'a b', '\n', '*', '--', '\xfc', '--waders-spawner']";
    assert_eq!(succeed(&request).trim_end(), expected);
}

fn large_environment() {
    let mut request = python("import os; print(len(os.environ), sum(map(len, os.environ.values())))");
    request.env.clear();
    request.env.insert("LC_ALL".to_owned(), "C.UTF-8".to_owned());
    for number in 0..3 {
        request.env.insert(format!("LARGE{number}"), "x".repeat(100_000));
    }
    assert_eq!(succeed(&request).trim_end(), "4 300007");
}

fn check(mut change: impl FnMut(&mut waders_sandbox::Request), expected: &str) {
    let mut request = python("print('ran')");
    change(&mut request);
    let (outcome, output) = run(&request);
    let error = outcome.map(|outcome| outcome.exit).expect_err("the step ran");
    let text = chain(&error);
    assert!(text.contains(expected), "`{text}` does not contain `{expected}`");
    assert_eq!(output, "");
}

fn same_addresses() {
    let code = "print(id(object()), id([0] * 100_000), open('/proc/self/maps').read().split()[0])";
    let request = python(code);
    assert_eq!(succeed(&request), succeed(&request));
}

fn missing_program() {
    check(
        |request| request.argv[0] = "/usr/bin/nothing".to_owned(),
        "cannot execute `/usr/bin/nothing` in the sandbox: No such file",
    );
    check(|request| request.argv[0] = "/usr".to_owned(), "cannot execute `/usr` in the sandbox: Permission denied");
    assert!(matches!(run(&request(&["/nothing"])).0, Err(Error::Exec { .. })));
}

fn invalid_values() {
    check(|request| request.argv.clear(), "argv is empty");
    check(|request| request.argv.push("a\0b".to_owned()), "`a\\0b` contains a null byte");
    check(|request| drop(request.env.insert("A=B".to_owned(), String::new())), "invalid variable name `A=B`");
    check(|request| drop(request.env.insert("HOME".to_owned(), "/x:0:0".to_owned())), "HOME `/x:0:0` contains a colon");
    for at in ["relative", "/a/../b", "/"] {
        check(|request| request.mounts.push(read_only(at, "/usr")), &format!("mount point `{at}`"));
    }
}

fn bad_sources() {
    let temp = SharedTempDir::new();
    let (link, file) = (temp.path().join("link"), temp.path().join("file"));
    symlink("/usr", &link).unwrap();
    std::fs::write(&file, "").unwrap();
    check(|request| request.mounts.push(read_only("/in", &link)), "cannot open the directory");
    check(|request| request.mounts.push(read_only("/in", &file)), "cannot open the directory");
    check(|request| request.mounts.push(read_only("/in", temp.path().join("nothing"))), "No such file");
    check(|request| request.mounts.push(read_only("/in", "usr")), "source `usr` is not absolute");
}

fn links_in_sources() {
    let temp = SharedTempDir::new();
    let (inputs, secret) = (temp.dir("inputs"), temp.dir("secret"));
    std::fs::write(secret.join("word"), "secret").unwrap();
    symlink(&secret, inputs.join("absolute")).unwrap();
    symlink("../secret", inputs.join("relative")).unwrap();
    symlink("absolute", inputs.join("chain")).unwrap();
    let mut request =
        python("import os\nfor name in sorted(os.listdir('/in')): print(name, os.path.exists(f'/in/{name}'))");
    request.mounts.push(read_only("/in", &inputs));
    assert_eq!(succeed(&request), "absolute False\nchain False\nrelative False\n");
    for name in ["absolute", "relative", "chain"] {
        let at = format!("/in/{name}/below");
        check(
            |request| request.mounts.extend([read_only("/in", &inputs), read_only(&at, "/usr")]),
            "passes through a link or a file",
        );
    }
    assert_eq!(std::fs::read_dir(&secret).unwrap().count(), 1, "a mount point was created on the host");
}

fn swapped_source() {
    let temp = SharedTempDir::new();
    let (good, secret, moved) = (temp.dir("good"), temp.dir("secret"), temp.path().join("moved"));
    std::fs::write(good.join("word"), "declared").unwrap();
    std::fs::write(secret.join("word"), "secret").unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (stopped, name) = (std::sync::Arc::clone(&stop), good.clone());
    let swapping = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            std::fs::rename(&name, &moved).unwrap();
            symlink(&secret, &name).unwrap();
            std::fs::remove_file(&name).unwrap();
            std::fs::rename(&moved, &name).unwrap();
        }
    });
    for _ in 0..100 {
        let mut request = request(&["/bin/cat", "/in/word"]);
        request.mounts.push(read_only("/in", &good));
        let (outcome, output) = run(&request);
        assert!(outcome.is_err() && output.is_empty() || output == "declared", "{output}");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    swapping.join().unwrap();
}

fn too_many_mounts() {
    check(
        |request| request.mounts.extend((0..260).map(|number| read_only(&format!("/in/{number}"), "/usr"))),
        "mounts have a source, the maximum is 249",
    );
}

fn many_mounts() {
    let mut request = python("import os; print(sum(os.path.exists(f'/in/{number}/bin/env') for number in range(100)))");
    request.mounts.extend((0..100).map(|number| read_only(&format!("/in/{number}"), "/usr")));
    assert_eq!(succeed(&request), "100\n");
}

const LISTENS: &str = r"
import socket, time
abstract, tcp = socket.socket(socket.AF_UNIX), socket.socket()
abstract.bind('\0meeting'); abstract.listen()
tcp.bind(('127.0.0.1', 45454)); tcp.listen()
print('listening', flush=True)
time.sleep(60)
";
const CONNECTS: &str = r"
import socket
for family, address in [(socket.AF_UNIX, '\0meeting'), (socket.AF_INET, ('127.0.0.1', 45454)), (socket.AF_UNIX, '\0host'), (socket.AF_INET, ('127.0.0.1', HOST))]:
    try:
        socket.socket(family).connect(address)
        print('connected to', address)
    except OSError:
        pass
socket.socket(socket.AF_UNIX).bind('\0meeting')
";

fn sandboxes_are_separate() {
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("host-{}", std::process::id());
    let _abstract = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let mut listening = start(&python(LISTENS)).unwrap();
    listening.wait_for_output("listening");
    let code = CONNECTS
        .replace("HOST", &host.local_addr().unwrap().port().to_string())
        .replace("\\0host", &format!("\\0{name}"));
    assert_eq!(succeed(&python(&code)), "");
    let outside = SocketAddr::from_abstract_name("meeting").unwrap();
    assert!(
        std::os::unix::net::UnixStream::connect_addr(&outside).is_err(),
        "the host connected to the sandbox's socket"
    );
}

fn missing_directory() {
    check(|request| request.cwd = "/nowhere".into(), "cannot enter `/nowhere`: No such file");
}

fn weaker_level() {
    let mut request = python("print('ran')");
    request.isolation = Isolation::NoLandlock;
    assert_eq!(succeed(&request), "ran\n");
}

fn host_network() -> TestResult {
    if spawner().kernel().landlock_abi < 6 {
        return TestResult::Skipped("Landlock ABI 6".to_owned());
    }
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("host-network-{}", std::process::id());
    let _abstract = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let code = format!(
        "import socket\nsocket.create_connection(('127.0.0.1', {}))\ntry:\n    \
         socket.socket(socket.AF_UNIX).connect('\\0{name}')\n    print('connected')\nexcept PermissionError:\n    pass",
        host.local_addr().unwrap().port()
    );
    let mut request = python(&code);
    request.network = Network::Host;
    assert_eq!(succeed(&request), "");
    TestResult::Passed
}

fn kinds_of_output() {
    let request =
        request(&["/bin/sh", "-c", "echo out; echo again > /dev/stdout; echo error > /dev/stderr; sleep 100 &"]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let memory = nix::sys::memfd::memfd_create("output", nix::sys::memfd::MFdFlags::MFD_CLOEXEC).unwrap();
    let running = spawner().run(&request, writer.into(), memory.try_clone().unwrap()).unwrap();
    // Returns only after every writer is closed: by the step's processes and by the spawner.
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "out\nagain\n");
    running.wait().unwrap();
    let mut memory = std::fs::File::from(memory);
    memory.rewind().unwrap();
    text.clear();
    memory.read_to_string(&mut text).unwrap();
    assert_eq!(text, "error\n");
}

fn reopened_output() {
    assert_eq!(succeed(&request(&["/bin/sh", "-c", "echo a > /dev/stdout; echo b >> /dev/stderr"])), "a\nb\n");
}
