//! Toolchains from a small archive that is served on the loopback: what must hold, and what must be refused. What runs
//! in a real root is in `tests/it/toolchains.rs`.

use std::fs;
use std::path::PathBuf;

use super::debian::fixture::{self, Package, key, write_archive, write_keyring};
use super::*;
use crate::base::RelPath;
use crate::net;
use crate::net::server::{Server, reply};
use crate::store::Node;

const PACKAGES: [Package<'_>; 3] = [
    Package {
        name: "dash",
        version: "1",
        depends: "libc6",
        files: &[("bin/dash", "dash"), ("usr/share/doc/dash/x", "x")],
    },
    Package { name: "libc6", version: "2.36-1", depends: "", files: &[("lib/x86_64-linux-gnu/libc.so.6", "libc")] },
    Package {
        name: "python3.11",
        version: "3.11.2-6",
        depends: "libc6 (>= 2)",
        files: &[("usr/bin/python3.11", "elf")],
    },
];

struct World {
    dir: tempfile::TempDir,
    store: Store,
    net: Client,
    settings: Settings,
    lock: Lock,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        write_keyring(&path("keyring.gpg"), &key(1));
        write_archive(&path("mirror"), &PACKAGES, &key(1));
        let debian = debian::Settings {
            mirror: Some(format!("file://{}", path("mirror").display())),
            suite: Some("test".to_owned()),
            keyring: Some(path("keyring.gpg")),
            ..debian::Settings::default()
        };
        let providers = vec![Provider::Debian, Provider::Standalone, Provider::Host];
        let settings = Settings { providers, debian, standalone: Default::default(), host: Default::default() };
        let store = Store::open(&path("store")).unwrap();
        let net = Client::new(net::NetworkSettings { attempts: 1, ..net::NetworkSettings::default() });
        World { store, net, settings, lock: Lock::default(), dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn forget(&mut self) {
        self.store = Store::open(&self.path("another store")).unwrap();
    }

    fn ensure_with(&mut self, packages: &[&str], python: Option<&str>, frozen: bool) -> Result<Toolchain, Error> {
        let wanted = Wanted {
            platform: "linux-x86_64".to_owned(),
            packages: packages.iter().map(|name| name.to_string()).collect(),
            python: python.map(|text| Constraints::parse(&[text.to_owned()]).unwrap()),
        };
        ensure(&mut self.lock, &wanted, &Context::new(&self.store, &self.net, &self.settings, frozen))
    }

    fn ensure(&mut self, frozen: bool) -> Result<Toolchain, Error> {
        self.ensure_with(&["dash"], Some(">=3.9"), frozen)
    }

    fn refused(&mut self, frozen: bool) -> String {
        self.ensure(frozen).unwrap_err().to_string()
    }
}

#[test]
fn what_was_locked_comes_back_without_the_index_and_byte_for_byte() {
    let mut world = World::new();
    let made = world.ensure(false).unwrap();
    assert_eq!(made.python, Some(PathBuf::from("/usr/bin/python3.11")));
    let paths = |toolchain: &Toolchain| {
        world.store.tree(toolchain.mounts["/usr"]).unwrap().nodes.keys().map(RelPath::to_string).collect::<Vec<_>>()
    };
    assert_eq!(paths(&made), ["bin/dash", "bin/python3.11", "bin/sh", "lib/x86_64-linux-gnu/libc.so.6"]);

    fs::remove_dir_all(world.path("mirror/dists")).unwrap();
    world.forget();
    assert_eq!(world.ensure(true).unwrap(), made);
    fs::remove_dir_all(world.path("mirror")).unwrap();
    assert_eq!(world.ensure(true).unwrap(), made, "what is stored needs no mirror");
}

#[test]
fn a_frozen_lock_is_not_changed() {
    let mut world = World::new();
    assert!(world.refused(true).starts_with("`waders.lock` is missing, and it may not be written"));
    world.ensure(false).unwrap();
    let before = world.lock.clone();
    let error = world.ensure_with(&["dash", "libc6"], None, true).unwrap_err();
    assert!(error.to_string().contains("its system tree was locked for `dash`") && error.hint().is_some(), "{error}");
    let error = world.ensure_with(&["dash"], Some("==3.11.*"), true).unwrap_err();
    assert!(error.to_string().contains("no interpreter for `==3.11.*`"), "{error}");
    assert_eq!(world.lock, before);
}

#[test]
fn constraints_that_choose_the_same_interpreter_share_its_record() {
    let mut world = World::new();
    let one = world.ensure(false).unwrap();
    assert_eq!(world.ensure_with(&["dash"], Some("==3.11.*"), false).unwrap(), one);
    let python = world.lock.records().iter().find(|record| record.name == "python").unwrap();
    assert_eq!(python.wanted, ["==3.11.*", ">=3.9"]);
}

#[test]
fn an_archive_signed_by_a_stranger_is_refused() {
    let mut world = World::new();
    write_archive(&world.path("mirror"), &PACKAGES, &key(2));
    assert!(world.refused(false).contains("none of the 1 trusted keys"), "{}", world.refused(false));
}

#[test]
fn a_head_that_was_changed_after_signing_is_refused() {
    let mut world = World::new();
    let path = world.path("mirror/dists/test/InRelease");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Version: 1.0", "Version: 1.1")).unwrap();
    assert!(world.refused(false).contains("signature is not valid"));
    // Unsigned text before what is signed must not be read either.
    fs::write(&path, format!("Codename: evil\n\n{text}")).unwrap();
    assert!(world.refused(false).contains("signature is not valid"));
}

#[test]
fn an_index_that_the_head_does_not_vouch_for_is_refused() {
    let mut world = World::new();
    let path = world.path("mirror/dists/test/main/binary-amd64/Packages.gz");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(world.refused(false).contains("has the SHA-256 hash"));
    fs::write(&path, "").unwrap();
    assert!(world.refused(false).contains("has 0 bytes instead of the expected"));
}

#[test]
fn a_package_that_was_changed_is_refused_and_nothing_is_locked() {
    let mut world = World::new();
    let path = world.path("mirror/pool/dash_1.deb");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(world.refused(false), "cannot get the locked package `dash` (1)");
    assert_eq!(world.lock, Lock::default());
}

#[test]
fn a_package_that_left_the_mirror_comes_from_the_snapshot() {
    let mut world = World::new();
    let made = world.ensure(false).unwrap();
    fs::rename(world.path("mirror"), world.path("snapshot")).unwrap();
    let server = Server::start(|_| reply(404, &[], b""));
    world.settings.debian.mirror = Some(server.url("/debian"));
    world.forget();
    let error = world.ensure(true).unwrap_err();
    assert!(error.hint().unwrap().contains("snapshot_mirror"), "{error}");
    let snapshot = Server::serve_directory(world.path("snapshot"));
    world.settings.debian.snapshot_mirror = Some(snapshot.url(""));
    assert_eq!(world.ensure(true).unwrap(), made);
}

#[test]
fn a_lock_that_says_another_tree_is_not_believed() {
    let mut world = World::new();
    world.ensure(false).unwrap();
    let system = world.lock.records().iter().find(|record| record.name == "system").unwrap().clone();
    world.lock.insert(Record { tree: Digest::of(b"another"), ..system });
    assert!(world.refused(true).contains("where the lock says"));
}

#[test]
fn a_store_that_lost_a_file_is_restored() {
    let mut world = World::new();
    let made = world.ensure(false).unwrap();
    fs::remove_dir_all(world.path("store/blob")).unwrap();
    fs::create_dir(world.path("store/blob")).unwrap();
    let wanted = Wanted {
        platform: "linux-x86_64".to_owned(),
        packages: vec!["dash".to_owned()],
        python: Some(Constraints::parse(&[">=3.9".to_owned()]).unwrap()),
    };
    assert!(world.store.materialize(made.mounts["/usr"]).is_err());
    let context = Context::new(&world.store, &world.net, &world.settings, true);
    assert_eq!(restore(&mut world.lock, &wanted, &context).unwrap(), made);
    assert!(world.store.materialize(made.mounts["/usr"]).is_ok());
}

#[test]
fn an_archive_of_an_interpreter_is_locked_by_what_comes_first() {
    let mut world = World::new();
    let (content, server) = serve_interpreter("python/bin/python3.12");
    world.settings.standalone = standalone::Settings {
        url_template: Some(server.url("/{build}/cpython-{version}-{arch}.tar.gz")),
        versions: vec!["3.12.7+20241016".to_owned()],
    };
    let made = world.ensure_with(&["dash"], Some("==3.12.*"), false).unwrap();
    assert_eq!(made.python, Some(PathBuf::from("/toolchain/python3.12/bin/python3.12")));
    assert_eq!(server.requests()[0].path, "/20241016/cpython-3.12.7-x86_64.tar.gz");
    let tree = world.store.tree(made.mounts["/toolchain/python3.12"]).unwrap();
    let paths: Vec<String> = tree.nodes.keys().map(RelPath::to_string).collect();
    assert_eq!(paths, ["bin/python", "bin/python3", "bin/python3.12", "lib/python3.12/os.py"]);
    assert!(
        matches!(&tree.nodes[&RelPath::parse("bin/python").unwrap()], Node::Symlink { target } if target == "python3.12")
    );

    world.forget();
    assert_eq!(world.ensure_with(&["dash"], Some("==3.12.*"), true).unwrap(), made);
    world.forget();
    fs::remove_dir_all(world.path("another store")).unwrap();
    world.forget();
    *content.lock().unwrap() = archive_of("python/bin/python3.12", "something else");
    let error = world.ensure_with(&["dash"], Some("==3.12.*"), true).unwrap_err();
    assert!(error.to_string().contains("expected"), "{error}");
}

#[test]
fn an_archive_without_the_interpreter_is_refused() {
    let mut world = World::new();
    let (_, server) = serve_interpreter("python/bin/python3.11");
    let url_template = Some(server.url("/{version}.tar.gz"));
    world.settings.standalone = standalone::Settings { url_template, versions: vec!["3.12.7".to_owned()] };
    let error = world.ensure_with(&["dash"], Some("==3.12.*"), false).unwrap_err();
    assert!(error.to_string().contains("it has no program `bin/python3.12`"), "{error}");
}

#[test]
fn an_unknown_package_or_platform_is_named() {
    let mut world = World::new();
    let error = world.ensure_with(&["dash", "nonsense"], None, false).unwrap_err();
    assert_eq!(error.to_string(), "the archive has no package `nonsense`");
    let wanted = Wanted { platform: "plan9-mips".to_owned(), packages: vec![], python: None };
    let context = Context::new(&world.store, &world.net, &world.settings, false);
    let error = ensure(&mut world.lock, &wanted, &context).unwrap_err();
    assert_eq!(error.to_string(), "no toolchain is offered for the platform `plan9-mips`");
}

#[test]
fn an_archive_that_cannot_be_reached_is_told_with_its_setting() {
    let mut world = World::new();
    fs::remove_dir_all(world.path("mirror")).unwrap();
    assert_eq!(world.refused(false), "the archive of packages cannot be read");
    world.settings.debian.mirror = Some(Server::start(|_| Vec::new()).url("/gone"));
    let error = world.ensure(false).unwrap_err();
    assert!(error.hint().unwrap().contains("`mirror` in `[system]`"), "{error:?}");
}

#[test]
fn without_a_mirror_or_a_keyring_the_setting_is_named() {
    let mut world = World::new();
    world.settings.debian.keyring = None;
    assert!(world.refused(false).starts_with("no keyring is known"));
    world.settings.debian.mirror = None;
    assert_eq!(world.refused(false), "no archive of packages is known");
}

fn serve_interpreter(program: &str) -> (std::sync::Arc<std::sync::Mutex<Vec<u8>>>, Server) {
    let content = std::sync::Arc::new(std::sync::Mutex::new(archive_of(program, "program")));
    let served = std::sync::Arc::clone(&content);
    (content, Server::start(move |_| reply(200, &[], &served.lock().unwrap())))
}

fn archive_of(program: &str, content: &str) -> Vec<u8> {
    let packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(packer);
    for path in
        [program, "python/lib/python3.12/os.py", "python/lib/python3.12/test/x.py", "python/lib/libpython3.12.a"]
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn a_signature_is_made_by_one_key_only() {
    assert_ne!(fixture::sign("x\n", &key(1)), fixture::sign("x\n", &key(2)));
}
