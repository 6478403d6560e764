//! TLS: the authorities that are trusted, and certificates of clients.

use std::path::{Path, PathBuf};
use std::process::Command;

use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use waders::engine::action_cache::Needs;
use waders::engine::remote::RemoteSettings;

use super::fake::{Behaviour, Fake};
use super::machines::{Machine, READS, WRITES, action, settings};

fn openssl(dir: &Path, arguments: &str) -> bool {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output();
    output.is_ok_and(|output| output.status.success())
}

/// Makes an authority and the certificates `server`, `client` and `expired`, and of another authority `stranger`. Returns whether that is possible.
fn make_certificates(dir: &Path) -> bool {
    let request = "req -nodes -newkey rsa:2048 -subj";
    std::fs::write(dir.join("leaf.ext"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    let authority =
        |name: &str| openssl(dir, &format!("{request} /CN={name} -x509 -days 2 -keyout {name}.key -out {name}.pem"));
    let leaf = |name: &str, ca: &str, days: i32| {
        openssl(dir, &format!("{request} /CN={name} -keyout {name}.key -out {name}.csr"))
            && openssl(
                dir,
                &format!(
                    "x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days {days} -extfile leaf.ext -out {name}.pem"
                ),
            )
    };
    authority("ca")
        && authority("other")
        && leaf("server", "ca", 2)
        && leaf("client", "ca", 2)
        && leaf("expired", "ca", -1)
        && leaf("stranger", "other", 2)
}

#[test]
fn only_trusted_servers_are_used_and_only_known_clients_are_served() {
    let dir = tempfile::tempdir().unwrap();
    if !make_certificates(dir.path()) {
        return println!("skipped: no `openssl` that can make certificates");
    }
    let path = |name: &str| dir.path().join(name);
    let read = |name: &str| std::fs::read(path(name)).unwrap();
    let identity = |name: &str| Identity::from_pem(read(&format!("{name}.pem")), read(&format!("{name}.key")));
    let tls = || ServerTlsConfig::new().identity(identity("server"));
    let open = Fake::start_with(Behaviour::default(), Some(tls()));
    let expired = Fake::start_with(Behaviour::default(), Some(ServerTlsConfig::new().identity(identity("expired"))));
    let closed =
        Fake::start_with(Behaviour::default(), Some(tls().client_ca_root(Certificate::from_pem(read("ca.pem")))));
    let with = |server: &Fake, ca: Option<PathBuf>, identity: Option<&str>| {
        let client_identity = identity.map(|name| (path(&format!("{name}.pem")), path(&format!("{name}.key"))));
        let settings = RemoteSettings { ca_certs: ca, client_identity, ..settings(&server.secure_address()) };
        let machine = Machine::with(settings, WRITES, None);
        machine.run("over TLS", b"", &[]);
        machine.finish();
        machine
    };
    let ca = || Some(path("ca.pem"));
    for machine in [with(&open, ca(), None), with(&closed, ca(), Some("client"))] {
        assert_eq!((machine.cache.summary().stored, machine.warnings()), (1, Vec::new()));
        assert!(machine.fetch(&action("over TLS"), Needs::WholeOutput).is_some());
    }
    // The system does not know the authority; another authority; no certificate; a certificate of another authority.
    let refused = [
        with(&open, None, None),
        with(&open, Some(path("other.pem")), None),
        with(&closed, ca(), None),
        with(&closed, ca(), Some("stranger")),
    ];
    for (number, machine) in refused.into_iter().enumerate() {
        let warnings = machine.warnings();
        assert_eq!((machine.cache.summary().stored, warnings.len()), (0, 1), "{number}: {warnings:?}");
        assert!(warnings[0].contains("remote_ca_certs_path"), "{number}: {warnings:?}");
    }
    // The certificate of the server ended yesterday, or the clock of this machine is wrong.
    let warnings = with(&expired, ca(), None).warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("Expired") && warnings[0].contains("check the clocks of this machine"),
        "{warnings:?}"
    );
    // A server with TLS, and a client without.
    let machine = Machine::new(&open.address(), READS);
    assert_eq!(machine.fetch(&action("over TLS"), Needs::Outcome), None);
    assert!(machine.warnings()[0].contains("cannot reach"));
}
