//! Real servers for the tests. They listen on the loopback interface and end with the test.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The user of a server that executes actions, where the tests run as root.
const WORKER: u32 = 1001;

/// A running server.
pub(crate) struct Casd {
    child: Child,
    pub(crate) port: u16,
    dir: PathBuf,
}

impl Casd {
    /// Starts a server with its contents in `dir`. `None`, after a message, where the program is missing.
    pub(crate) fn start(dir: &Path) -> Option<Casd> {
        Casd::start_with(dir, &[])
    }

    /// Starts a server with further arguments.
    pub(super) fn start_with(dir: &Path, arguments: &[&str]) -> Option<Casd> {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        Casd::start_on(dir, port, arguments)
    }

    /// Starts a server that also executes actions, in containers of bubblewrap, as an ordinary user: root cannot map users in such
    /// a container. `None`, after a message, where a program is missing.
    pub(super) fn start_executing(dir: &Path) -> Option<Casd> {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let runner = program()?.with_file_name("buildbox-run");
        for needed in [&runner, Path::new("/usr/bin/bwrap")] {
            if !needed.exists() {
                println!("skipped: `{}` does not exist", needed.display());
                return None;
            }
        }
        let cas = dir.join("cas");
        std::fs::create_dir_all(&cas).unwrap();
        // The other user may be unable to reach the build directory.
        let [server, runner] = [program()?, runner].map(|program| {
            let copy = dir.join(program.file_name().unwrap());
            // Not by this process: a child of another test could inherit the open file, so that it cannot be executed.
            assert!(Command::new("/bin/cp").args([&program, &copy]).status().unwrap().success());
            copy
        });
        let mut command = Command::new("/usr/bin/setpriv");
        if nix::unistd::geteuid().is_root() {
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
            std::os::unix::fs::chown(&cas, Some(WORKER), Some(WORKER)).unwrap();
            command.args([format!("--reuid={WORKER}"), format!("--regid={WORKER}"), "--clear-groups".to_owned()]);
        }
        command.arg("--pdeathsig=KILL").arg(server).arg("--jobs=2").arg(format!("--buildbox-run={}", runner.display()));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/tmp");
        Some(Casd::spawn(command, dir, port))
    }

    /// Starts a server with this port and further arguments.
    pub(crate) fn start_on(dir: &Path, port: u16, arguments: &[&str]) -> Option<Casd> {
        std::fs::create_dir_all(dir.join("cas")).unwrap();
        let mut command = Command::new(program()?);
        command.args(arguments);
        Some(Casd::spawn(command, dir, port))
    }

    fn spawn(mut command: Command, dir: &Path, port: u16) -> Casd {
        // The server would share the port with another one that sets SO_REUSEPORT.
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "port {port} is taken");
        let log = File::create(dir.join("casd.log")).unwrap();
        let child = command
            .arg(format!("--bind=127.0.0.1:{port}"))
            .arg("--log-level=warning")
            .arg(dir.join("cas"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Casd { child, port, dir: dir.to_owned() };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not start: {}", std::fs::read_to_string(server.dir.join("casd.log")).unwrap());
    }

    /// The address for the settings.
    pub(crate) fn address(&self) -> String {
        format!("grpc://127.0.0.1:{}", self.port)
    }
}

impl Drop for Casd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of the server; `None`, after a message, where it is missing.
fn program() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ci/buildbox/buildbox-casd");
    let program = std::env::var_os("WADERS_TEST_CASD").map_or(default, PathBuf::from);
    if !program.exists() {
        println!("skipped: WADERS_TEST_CASD is not set, and `target/ci/buildbox/buildbox-casd` does not exist");
        return None;
    }
    Some(program)
}
