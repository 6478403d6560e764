//! `publish` against real servers on the loopback interface: a registry that asks for a password, and a package index.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;
use sha2::{Digest, Sha256};
use waders::net::{Client, NetworkSettings};

use crate::transcripts::workspace::Workspace;

/// A bcrypt hash of the password `secret`.
const PASSWORD_HASH: &str = "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

/// A server that is stopped at the end of the test.
pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts a program at a free port, and waits until it accepts connections.
    fn start(command: impl FnOnce(u16) -> Command) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = command(port).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(30), "the server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Server { child, port }
    }
}

/// The index server, from the packages that `.ci/run` installs.
fn index_program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ci/bin/pypi-server")
}

/// A registry that asks for the password `secret` of the user `joe`. Its files are in the directory.
pub(super) fn start_registry(dir: &Path) -> Server {
    fs::write(dir.join("passwords"), format!("joe:{PASSWORD_HASH}\n")).unwrap();
    Server::start(|port| {
        let settings = format!(
            "version: 0.1\nhttp: {{addr: '127.0.0.1:{port}'}}\nstorage: {{filesystem: {{rootdirectory: {0}/images}}}}\n\
             auth: {{htpasswd: {{realm: test, path: {0}/passwords}}}}\n",
            dir.display()
        );
        fs::write(dir.join("registry.yml"), settings).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(dir.join("registry.yml"));
        command
    })
}

fn start_index(dir: &Path) -> Server {
    fs::create_dir(dir.join("packages")).unwrap();
    Server::start(|port| {
        let mut command = Command::new(index_program());
        command.args(["run", "-i", "127.0.0.1", "-p", &port.to_string(), "-a", ".", "-P", "."]);
        command.arg(dir.join("packages"));
        command
    })
}

/// The state of the test: the servers, and what the user has set up for them.
struct Setup {
    workspace: Workspace,
    dir: tempfile::TempDir,
    registry: Server,
    index: Server,
}

impl Setup {
    /// `None` if a server is missing.
    fn new() -> Option<Setup> {
        if Command::new("docker-registry").arg("--version").output().is_err() || !index_program().exists() {
            println!("skipped: docker-registry or pypiserver is not installed");
            return None;
        }
        let workspace = Workspace::running()?;
        let dir = tempfile::tempdir().unwrap();
        let (registry, index) = (start_registry(dir.path()), start_index(dir.path()));
        let settings =
            format!("[distutils]\nindex-servers = local\n[local]\nrepository = http://127.0.0.1:{}/\n", index.port);
        fs::write(workspace.repository("publishing").join(".pypirc"), settings).unwrap();
        Some(Setup { workspace, dir, registry, index })
    }

    /// Publishes with the password for the registry, and returns the exit code, the messages and the list.
    fn publish(&self, password: &str, spec: &str) -> (i32, String, Value) {
        let auth = BASE64_STANDARD.encode(format!("joe:{password}"));
        let login = format!(r#"{{"auths":{{"127.0.0.1:{}":{{"auth":"{auth}"}}}}}}"#, self.registry.port);
        fs::write(self.dir.path().join("config.json"), login).unwrap();
        let registries = format!(r#"{{"here": {{"address": "127.0.0.1:{}", "default": True}}}}"#, self.registry.port);
        let list = self.dir.path().join("published.json");
        let mut command = self.workspace.waders("publishing", &["publish", spec]);
        command.arg(format!("--publish-output={}", list.display())).env("DOCKER_CONFIG", self.dir.path());
        command.env("WADERS_DOCKER_REGISTRIES", registries).env("TWINE_USERNAME", "joe").env("TWINE_PASSWORD", "x");
        let Output { status, stderr, .. } = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert!(!stderr.contains(&auth), "{stderr}");
        let published = fs::read(&list).unwrap_or_else(|_| panic!("{stderr}"));
        (status.code().unwrap(), stderr, serde_json::from_slice(&published).unwrap())
    }
}

#[test]
fn images_and_distributions_arrive_at_their_servers() {
    let Some(setup) = Setup::new() else { return };
    let (code, stderr, list) = setup.publish("secret", "::");
    assert_eq!(code, 0, "{stderr}");
    let host = format!("127.0.0.1:{}", setup.registry.port);
    let status = |name: &str| {
        let found = list.as_array().unwrap().iter().find(|entry| entry["names"].to_string().contains(name));
        found.unwrap_or_else(|| panic!("{name}: {list}"))["status"].clone()
    };
    assert_eq!(status("image:1.0"), "published");
    assert_eq!(status("kept:latest"), "skipped");
    assert_eq!(status("fixture_published-1.0.tar.gz"), "published");
    assert!(stderr.contains("✓ fixture_published-1.0.tar.gz published to @local."), "{stderr}");
    assert!(stderr.contains("of which the registry had all layers"), "the second tag sends nothing again: {stderr}");

    let client = Client::new(NetworkSettings::default());
    let manifest = |tag: &str| {
        let url = format!("http://joe:secret@{host}/v2/image/manifests/{tag}");
        client.page(&url, "application/vnd.oci.image.manifest.v1+json", 1 << 20).unwrap().body
    };
    assert_eq!(manifest("1.0"), manifest("stable"));
    let sha256 = format!("{:x}", Sha256::digest(manifest("1.0")));
    assert!(stderr.contains(&format!("✓ {host}/image:1.0 published (sha256:{sha256}).")), "{stderr}");
    let page = client.get(&format!("http://127.0.0.1:{}/simple/fixture-published/", setup.index.port), 1 << 20);
    let page = String::from_utf8(page.unwrap()).unwrap();
    assert!(page.contains("fixture_published-1.0-py3-none-any.whl#sha256="), "{page}");

    // An index keeps what it has; the image is not affected.
    let (code, stderr, _) = setup.publish("secret", "::");
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("✕ fixture_published-1.0.tar.gz failed for @local.\n"), "{stderr}");
    assert!(stderr.contains(&format!("✓ {host}/image:1.0 published")), "{stderr}");

    let (code, stderr, list) = setup.publish("wrong", "src/app:image");
    assert_eq!(code, 69, "{stderr}");
    assert!(stderr.contains("with status 401") && stderr.contains("other credentials"), "{stderr}");
    assert_eq!((&list[0]["status"], &list[0]["published"]), (&"failed".into(), &false.into()));
}
