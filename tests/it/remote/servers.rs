//! Real servers for the tests. They listen on the loopback interface and end with the test.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server.
pub(crate) struct Casd {
    child: Child,
    pub(crate) port: u16,
    dir: PathBuf,
}

impl Casd {
    /// Starts a server with its contents in `dir`. `None`, after a message, where the program is missing.
    pub(crate) fn start(dir: &Path) -> Option<Casd> {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        Casd::start_on(dir, port, &[])
    }

    /// Starts a server with this port and further arguments.
    pub(crate) fn start_on(dir: &Path, port: u16, arguments: &[&str]) -> Option<Casd> {
        let Some(program) = program() else {
            println!("skipped: WADERS_TEST_CASD is not set, and `target/ci/buildbox/buildbox-casd` does not exist");
            return None;
        };
        std::fs::create_dir_all(dir.join("cas")).unwrap();
        // The server would share the port with another one that sets SO_REUSEPORT.
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "port {port} is taken");
        let log = File::create(dir.join("casd.log")).unwrap();
        let child = Command::new(program)
            .arg(format!("--bind=127.0.0.1:{port}"))
            .arg("--log-level=warning")
            .args(arguments)
            .arg(dir.join("cas"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Casd { child, port, dir: dir.to_owned() };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(server);
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

fn program() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ci/buildbox/buildbox-casd");
    let program = std::env::var_os("WADERS_TEST_CASD").map_or(default, PathBuf::from);
    program.exists().then_some(program)
}
