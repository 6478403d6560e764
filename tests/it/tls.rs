//! Certificate verification of the HTTP client, with a server whose certificate is signed by an unknown authority.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use waders::net::{Client, Error, NetworkSettings};

struct TlsServer {
    process: Child,
    port: u16,
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn openssl(dir: &Path, arguments: &str) -> bool {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output();
    output.is_ok_and(|output| output.status.success())
}

/// Starts a server; `None` if the program `openssl` is missing or cannot do so.
fn start(dir: &Path) -> Option<TlsServer> {
    let request = "req -nodes -newkey rsa:2048 -subj";
    std::fs::write(dir.join("leaf.ext"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    let made = openssl(dir, &format!("{request} /CN=Authority -x509 -days 2 -keyout ca.key -out ca.pem"))
        && openssl(dir, &format!("{request} /CN=127.0.0.1 -keyout leaf.key -out leaf.csr"))
        && openssl(
            dir,
            "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile leaf.ext -out leaf.pem",
        );
    if !made {
        return None;
    }
    let mut process = Command::new("openssl")
        .args("s_server -www -accept 127.0.0.1:0 -cert leaf.pem -key leaf.key".split(' '))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let lines = BufReader::new(process.stdout.take()?).lines();
    let port =
        lines.map_while(Result::ok).find_map(|line| line.strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok());
    Some(TlsServer { process, port: port? })
}

#[test]
fn only_configured_authorities_are_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = start(dir.path()) else { return println!("skipped: no `openssl` that can run a server") };
    let url = format!("https://127.0.0.1:{}/", server.port);
    let get = |ca_bundle| {
        let idle_timeout = Duration::from_secs(5);
        let settings = NetworkSettings { ca_bundle, attempts: 1, idle_timeout, ..NetworkSettings::default() };
        Client::new(settings).get(&url, 1 << 20)
    };
    let refused = get(None).unwrap_err();
    assert!(matches!(refused, Error::Unreachable { .. }), "{refused:?}");
    assert!(refused.hint(None).unwrap().contains("SSL_CERT_FILE"), "{refused:?}");
    let page = get(Some(dir.path().join("ca.pem"))).unwrap();
    assert!(String::from_utf8_lossy(&page).contains("s_server"));
}
