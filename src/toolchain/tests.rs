//! Toolchains from a small package archive in a temporary directory or on the loopback interface. Tests that run the
//! resulting interpreters are in `tests/it/toolchains.rs`.

use std::fs;
use std::path::PathBuf;

use super::debian::fixture::{self, Package, key, write_archive, write_keyring};
use super::*;
use crate::base::RelPath;
use crate::net;
use crate::net::server::{Server, reply};
use crate::store::Node;

const PACKAGES: [Package<'_>; 5] = [
    Package { name: "cc", version: "1", depends: "libc6", files: &[("usr/bin/cc", "compiler")] },
    Package {
        name: "dash",
        version: "1",
        depends: "libc6",
        files: &[("bin/dash", "dash"), ("usr/share/doc/dash/x", "x")],
    },
    Package { name: "libc6", version: "2.36-1", depends: "", files: &[("lib/x86_64-linux-gnu/libc.so.6", "libc")] },
    Package {
        name: "libpython3.11-dev",
        version: "3.11.2-6",
        depends: "python3.11",
        files: &[("usr/include/python3.11/Python.h", "header")],
    },
    Package {
        name: "python3.11",
        version: "3.11.2-6",
        depends: "libc6 (>= 2)",
        files: &[("usr/bin/python3.11", "elf")],
    },
];

struct Fixture {
    dir: tempfile::TempDir,
    store: Store,
    net: Client,
    settings: ToolchainSettings,
    lock: Lock,
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        write_keyring(&path("keyring.gpg"), &key(1));
        write_archive(&path("mirror"), &PACKAGES, &key(1));
        let debian = DebianSettings {
            mirror: Some(format!("file://{}", path("mirror").display())),
            suite: Some("test".to_owned()),
            keyring: Some(path("keyring.gpg")),
            ..DebianSettings::default()
        };
        let providers = vec![Provider::Debian, Provider::Standalone, Provider::Host];
        let settings =
            ToolchainSettings { providers, debian, standalone: Default::default(), host: Default::default() };
        let store = Store::open(&path("store")).unwrap();
        let net = Client::new(net::NetworkSettings { attempts: 1, ..net::NetworkSettings::default() });
        Fixture { store, net, settings, lock: Lock::default(), dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn use_empty_store(&mut self) {
        self.store = Store::open(&self.path("another store")).unwrap();
    }

    fn provide_with(&mut self, packages: &[&str], python: Option<&str>, frozen: bool) -> Result<Toolchain, Error> {
        let request = Request {
            platform: "linux-x86_64".to_owned(),
            packages: packages.iter().map(|name| name.to_string()).collect(),
            python: python.map(|text| Constraints::parse(&[text.to_owned()]).unwrap()),
            build_packages: Vec::new(),
        };
        provide(&mut self.lock, &request, &ProviderContext::new(&self.store, &self.net, &self.settings, frozen))
    }

    fn provide(&mut self, frozen: bool) -> Result<Toolchain, Error> {
        self.provide_with(&["dash"], Some(">=3.9"), frozen)
    }

    fn error(&mut self, frozen: bool) -> String {
        self.provide(frozen).unwrap_err().to_string()
    }
}

#[test]
fn a_locked_toolchain_is_restored_without_the_index_byte_for_byte() {
    let mut fixture = Fixture::new();
    let provided = fixture.provide(false).unwrap();
    assert_eq!(provided.python, Some(PathBuf::from("/usr/bin/python3.11")));
    let paths = |toolchain: &Toolchain| {
        fixture.store.tree(toolchain.mounts["/usr"]).unwrap().nodes.keys().map(RelPath::to_string).collect::<Vec<_>>()
    };
    assert_eq!(paths(&provided), ["bin/dash", "bin/python3.11", "bin/sh", "lib/x86_64-linux-gnu/libc.so.6"]);

    fs::remove_dir_all(fixture.path("mirror/dists")).unwrap();
    fixture.use_empty_store();
    assert_eq!(fixture.provide(true).unwrap(), provided);
    fs::remove_dir_all(fixture.path("mirror")).unwrap();
    assert_eq!(fixture.provide(true).unwrap(), provided, "a stored toolchain needs no mirror");
}

#[test]
fn a_frozen_lock_is_not_changed() {
    let mut fixture = Fixture::new();
    assert!(fixture.error(true).starts_with("`waders.lock` is missing, and it must not be changed"));
    fixture.provide(false).unwrap();
    let before = fixture.lock.clone();
    let error = fixture.provide_with(&["dash", "libc6"], None, true).unwrap_err();
    assert!(error.to_string().contains("its system tree was locked for `dash`") && error.hint().is_some(), "{error}");
    let error = fixture.provide_with(&["dash"], Some("==3.11.*"), true).unwrap_err();
    assert!(error.to_string().contains("no interpreter for `==3.11.*`"), "{error}");
    assert_eq!(fixture.lock, before);
}

#[test]
fn constraints_that_select_the_same_interpreter_share_its_record() {
    let mut fixture = Fixture::new();
    let one = fixture.provide(false).unwrap();
    assert_eq!(fixture.provide_with(&["dash"], Some("==3.11.*"), false).unwrap(), one);
    let python = fixture.lock.records().iter().find(|record| record.name == "python").unwrap();
    assert_eq!(python.wanted, ["==3.11.*", ">=3.9"]);
}

#[test]
fn packages_for_builds_are_locked_apart_from_the_system_tree() {
    let mut fixture = Fixture::new();
    let plain = fixture.provide(false).unwrap();
    let request = |packages: &[&str]| Request {
        platform: "linux-x86_64".to_owned(),
        packages: vec!["dash".to_owned()],
        python: Some(Constraints::parse(&[">=3.9".to_owned()]).unwrap()),
        build_packages: packages.iter().map(|name| name.to_string()).collect(),
    };
    let mut provide = |packages: &[&str], frozen| {
        let context = ProviderContext::new(&fixture.store, &fixture.net, &fixture.settings, frozen);
        provide(&mut fixture.lock, &request(packages), &context)
    };
    let error = provide(&["cc"], true).unwrap_err().to_string();
    assert!(error.contains("does not contain the build packages `cc libpython3.11-dev`"), "{error}");
    let build = provide(&["cc"], false).unwrap();
    provide(&["cc", "dash"], false).unwrap();
    assert_eq!(provide(&["cc"], true).unwrap(), build, "both records are kept");
    assert_eq!(provide(&[], true).unwrap(), plain);
    let has = |toolchain: &Toolchain, path: &str| {
        let tree = fixture.store.tree(toolchain.mounts["/usr"]).unwrap();
        tree.nodes.contains_key(&RelPath::parse(path).unwrap())
    };
    for path in ["bin/cc", "include/python3.11/Python.h"] {
        assert!(has(&build, path) && !has(&plain, path), "{path}");
    }
    let files = |record: &Record| record.files.iter().map(|file| file.name.clone()).collect::<Vec<_>>();
    let record = fixture.lock.records().iter().find(|record| record.name == "build").unwrap();
    assert_eq!(files(record), ["cc", "libpython3.11-dev"], "the packages of other records are not repeated");
}

#[test]
fn an_archive_signed_with_an_untrusted_key_is_refused() {
    let mut fixture = Fixture::new();
    write_archive(&fixture.path("mirror"), &PACKAGES, &key(2));
    assert!(fixture.error(false).contains("none of the 1 trusted keys"), "{}", fixture.error(false));
}

#[test]
fn a_head_that_was_modified_after_signing_is_refused() {
    let mut fixture = Fixture::new();
    let path = fixture.path("mirror/dists/test/InRelease");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Version: 1.0", "Version: 1.1")).unwrap();
    assert!(fixture.error(false).contains("invalid signature"));
    // Unsigned text before the signed text must not be parsed either.
    fs::write(&path, format!("Codename: evil\n\n{text}")).unwrap();
    assert!(fixture.error(false).contains("invalid signature"));
}

#[test]
fn an_index_with_another_hash_than_the_head_lists_is_refused() {
    let mut fixture = Fixture::new();
    let path = fixture.path("mirror/dists/test/main/binary-amd64/Packages.gz");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(fixture.error(false).contains("has the SHA-256 hash"));
    fs::write(&path, "").unwrap();
    assert!(fixture.error(false).contains("has 0 bytes instead of the expected"));
}

#[test]
fn a_modified_package_is_refused_and_nothing_is_locked() {
    let mut fixture = Fixture::new();
    let path = fixture.path("mirror/pool/dash_1.deb");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(fixture.error(false), "cannot download the locked package `dash` (1)");
    assert_eq!(fixture.lock, Lock::default());
}

#[test]
fn a_package_that_is_no_longer_in_the_archive_comes_from_the_snapshot_mirror() {
    let mut fixture = Fixture::new();
    let provided = fixture.provide(false).unwrap();
    fs::rename(fixture.path("mirror"), fixture.path("snapshot")).unwrap();
    let server = Server::start(|_| reply(404, &[], b""));
    fixture.settings.debian.mirror = Some(server.url("/debian"));
    fixture.use_empty_store();
    let error = fixture.provide(true).unwrap_err();
    assert!(error.hint().unwrap().contains("snapshot_mirror"), "{error}");
    let snapshot = Server::serve_directory(fixture.path("snapshot"));
    fixture.settings.debian.snapshot_mirror = Some(snapshot.url(""));
    assert_eq!(fixture.provide(true).unwrap(), provided);
}

#[test]
fn a_tree_that_differs_from_the_lock_is_refused() {
    let mut fixture = Fixture::new();
    fixture.provide(false).unwrap();
    let system = fixture.lock.records().iter().find(|record| record.name == "system").unwrap().clone();
    fixture.lock.insert(Record { tree: Digest::of(b"another"), ..system });
    assert!(fixture.error(true).contains("but `waders.lock` records"));
}

#[test]
fn missing_files_of_the_store_are_restored() {
    let mut fixture = Fixture::new();
    let provided = fixture.provide(false).unwrap();
    fs::remove_dir_all(fixture.path("store/blob")).unwrap();
    fs::create_dir(fixture.path("store/blob")).unwrap();
    let request = Request {
        platform: "linux-x86_64".to_owned(),
        packages: vec!["dash".to_owned()],
        python: Some(Constraints::parse(&[">=3.9".to_owned()]).unwrap()),
        build_packages: Vec::new(),
    };
    assert!(fixture.store.materialize(provided.mounts["/usr"]).is_err());
    let context = ProviderContext::new(&fixture.store, &fixture.net, &fixture.settings, true);
    assert_eq!(restore(&mut fixture.lock, &request, &context).unwrap(), provided);
    assert!(fixture.store.materialize(provided.mounts["/usr"]).is_ok());
}

#[test]
fn the_first_download_of_a_standalone_archive_is_locked() {
    let mut fixture = Fixture::new();
    let (content, server) = serve_interpreter("python/bin/python3.12");
    fixture.settings.standalone = StandaloneSettings {
        url_template: Some(server.url("/{build}/cpython-{version}-{arch}.tar.gz")),
        versions: vec!["3.12.7+20241016".to_owned()],
        ..StandaloneSettings::default()
    };
    let provided = fixture.provide_with(&["dash"], Some("==3.12.*"), false).unwrap();
    assert_eq!(provided.python, Some(PathBuf::from("/toolchain/python3.12/bin/python3.12")));
    assert_eq!(server.requests()[0].path, "/20241016/cpython-3.12.7-x86_64.tar.gz");
    let tree = fixture.store.tree(provided.mounts["/toolchain/python3.12"]).unwrap();
    let paths: Vec<String> = tree.nodes.keys().map(RelPath::to_string).collect();
    assert_eq!(paths, ["bin/python", "bin/python3", "bin/python3.12", "lib/python3.12/os.py"]);
    assert!(
        matches!(&tree.nodes[&RelPath::parse("bin/python").unwrap()], Node::Symlink { target } if target == "python3.12")
    );

    fixture.use_empty_store();
    assert_eq!(fixture.provide_with(&["dash"], Some("==3.12.*"), true).unwrap(), provided);
    fixture.use_empty_store();
    fs::remove_dir_all(fixture.path("another store")).unwrap();
    fixture.use_empty_store();
    *content.lock().unwrap() = archive_of("python/bin/python3.12", "something else");
    let error = fixture.provide_with(&["dash"], Some("==3.12.*"), true).unwrap_err();
    assert!(error.to_string().contains("expected"), "{error}");
}

#[test]
fn a_standalone_archive_without_the_interpreter_is_refused() {
    let mut fixture = Fixture::new();
    let (_, server) = serve_interpreter("python/bin/python3.11");
    let url_template = Some(server.url("/{version}.tar.gz"));
    let versions = vec!["3.12.7".to_owned()];
    fixture.settings.standalone = StandaloneSettings { url_template, versions, ..StandaloneSettings::default() };
    let error = fixture.provide_with(&["dash"], Some("==3.12.*"), false).unwrap_err();
    assert!(error.to_string().contains("`bin/python3.12` is missing"), "{error}");
}

/// The list of uv with one archive, at the address of the server.
fn list_of(server: &Server) -> Vec<standalone::ListedArchive> {
    let entry = serde_json::json!({
        "version": "3.12.7", "url": server.url("/20241016/cpython-3.12.7%2B20241016.tar.gz"), "os": "linux",
        "arch": "x86_64", "libc": "gnu", "variant": "default", "implementation": "cpython",
    });
    standalone::parse_list(serde_json::json!([entry]).to_string().as_bytes()).unwrap()
}

/// A host interpreter that can be copied: its program needs no libraries.
fn write_host_interpreter(fixture: &mut Fixture, version: &str) {
    let minor = prefix::minor_version(version);
    let prefix = fixture.path("versions").join(version);
    for (path, content) in [
        (format!("lib/python{minor}/os.py"), Vec::new()),
        (format!("bin/python{minor}"), format!("\x7fELF\0{version}\0").into_bytes()),
    ] {
        let path = prefix.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    fixture.settings.host.versions_dirs = vec![fixture.path("versions")];
}

fn locked_provider(fixture: &Fixture) -> Provider {
    fixture.lock.records().iter().find(|record| record.name == "python").unwrap().provider
}

#[test]
fn an_archive_in_the_list_of_uv_is_locked_and_restored() {
    let mut fixture = Fixture::new();
    let error = fixture.provide_with(&["dash"], Some("==3.12.*"), false).unwrap_err();
    assert!(matches!(error, Error::NoArchiveList));

    let (_, server) = serve_interpreter("python/bin/python3.12");
    fixture.settings.standalone.list = Some(list_of(&server));
    let provided = fixture.provide_with(&["dash"], Some("==3.12.*"), false).unwrap();
    assert_eq!(provided.python_version.as_deref(), Some("3.12.7"));
    assert!(provided.portable);
    assert!(!fixture.lock.to_string().contains("127.0.0.1"), "the lock names no host");

    let (_, mirror) = serve_interpreter("python/bin/python3.12");
    fixture.settings.standalone = StandaloneSettings { mirror: Some(mirror.url("/")), ..Default::default() };
    fixture.use_empty_store();
    assert_eq!(fixture.provide_with(&["dash"], Some("==3.12.*"), true).unwrap(), provided);
    assert_eq!(mirror.requests()[0].path, "/20241016/cpython-3.12.7%2B20241016.tar.gz");
}

#[test]
fn portable_providers_are_preferred_to_the_host() {
    let mut fixture = Fixture::new();
    write_host_interpreter(&mut fixture, "3.9.1");
    fixture.provide_with(&["dash"], Some(">=3.9"), false).unwrap();
    assert_eq!(locked_provider(&fixture), Provider::Debian);
}

#[test]
fn the_host_is_used_with_a_warning_if_no_other_provider_can_be_used() {
    let mut fixture = Fixture::new();
    write_host_interpreter(&mut fixture, "3.12.1");
    let server = Server::start(|_| reply(404, &[], b""));
    fixture.settings.standalone.list = Some(list_of(&server));
    let request = Request {
        platform: "linux-x86_64".to_owned(),
        packages: vec!["dash".to_owned()],
        python: Some(Constraints::parse(&["==3.12.*".to_owned()]).unwrap()),
        build_packages: Vec::new(),
    };
    let context = ProviderContext::new(&fixture.store, &fixture.net, &fixture.settings, false);
    let provided = provide(&mut fixture.lock, &request, &context).unwrap();
    assert_eq!(provided.python_version.as_deref(), Some("3.12.1"));
    let notices: Vec<String> = context.take_notices().into_iter().map(|notice| notice.message).collect();
    assert!(notices[0].starts_with("another provider is used: "), "{notices:?}");
    assert!(notices[1].starts_with("`waders.lock` contains Python 3.12.1 as a copy"), "{notices:?}");
    provide(&mut fixture.lock, &request, &context).unwrap();
    assert_eq!(context.take_notices(), [], "a locked interpreter causes no warning");
}

#[test]
fn an_unknown_package_or_platform_is_named() {
    let mut fixture = Fixture::new();
    let error = fixture.provide_with(&["dash", "nonsense"], None, false).unwrap_err();
    assert_eq!(error.to_string(), "package `nonsense` is not in the package archive");
    let request = Request { platform: "plan9-mips".to_owned(), packages: vec![], python: None, build_packages: vec![] };
    let context = ProviderContext::new(&fixture.store, &fixture.net, &fixture.settings, false);
    let error = provide(&mut fixture.lock, &request, &context).unwrap_err();
    assert_eq!(error.to_string(), "unsupported platform `plan9-mips`");
}

#[test]
fn an_unreachable_archive_is_reported_with_its_setting() {
    let mut fixture = Fixture::new();
    fs::remove_dir_all(fixture.path("mirror")).unwrap();
    assert_eq!(fixture.error(false), "cannot read the package archive");
    fixture.settings.debian.mirror = Some(Server::start(|_| Vec::new()).url("/gone"));
    let error = fixture.provide(false).unwrap_err();
    assert!(error.hint().unwrap().contains("`mirror` in `[system]`"), "{error:?}");
}

#[test]
fn without_a_mirror_or_a_keyring_the_setting_is_named() {
    let mut fixture = Fixture::new();
    fixture.settings.debian.keyring = None;
    assert!(fixture.error(false).starts_with("no keyring found"));
    fixture.settings.debian.mirror = None;
    assert_eq!(fixture.error(false), "no package archive is configured");
}

/// An archive that contains its own keyring, whose settings name no keyring.
fn archive_with_keyring(fingerprints: &[String]) -> Fixture {
    let mut fixture = Fixture::new();
    let keyring = fixture::armored(&key(1)).leak();
    let files: &[(&str, &str)] = vec![("usr/share/keyrings/debian-archive-test.asc", &*keyring)].leak();
    let package = Package { name: "debian-archive-keyring", version: "1", depends: "", files };
    let packages: Vec<Package<'_>> = PACKAGES.into_iter().chain([package]).collect();
    write_archive(&fixture.path("mirror"), &packages, &key(1));
    fixture.settings.debian.keyring = None;
    fixture.settings.debian.key_fingerprints = fingerprints.to_vec();
    fixture
}

fn fingerprint(seed: u64) -> String {
    use pgp::types::KeyDetails as _;
    key(seed).fingerprint().to_string()
}

#[test]
fn a_machine_without_a_keyring_takes_the_keys_with_known_fingerprints_from_the_archive() {
    let mut fixture = archive_with_keyring(&[fingerprint(2), fingerprint(1).to_uppercase()]);
    assert!(fixture.provide(false).is_ok());
    // The keyring in the archive is not verified. Only the fingerprint makes its keys trusted.
    let mut forged = archive_with_keyring(&[fingerprint(2)]);
    assert!(forged.error(false).starts_with("no key of the package archive has the fingerprint"));
    let mut short = archive_with_keyring(&[fingerprint(1)[32..].to_owned()]);
    assert!(short.error(false).ends_with("is not the fingerprint of a key"));
    let mut without = Fixture::new();
    without.settings.debian.keyring = None;
    without.settings.debian.key_fingerprints = vec![fingerprint(1)];
    assert!(without.error(false).starts_with("no keyring found"));
}

#[test]
fn fingerprints_restrict_the_keys_of_a_keyring() {
    let mut fixture = Fixture::new();
    fixture.settings.debian.key_fingerprints = vec![fingerprint(1)];
    assert!(fixture.provide(false).is_ok());
    // A key of the keyring that is not named, and would be found in the archive, too.
    let keyring = fixture.path("keyring.gpg");
    let mut other = archive_with_keyring(&[fingerprint(2)]);
    other.settings.debian.keyring = Some(keyring);
    assert!(other.error(false).starts_with("no key of the package archive has the fingerprint"));
}

#[test]
fn an_archive_that_another_key_of_its_keyring_signed_is_refused() {
    let mut fixture = archive_with_keyring(&[fingerprint(1)]);
    let head = fixture.path("mirror/dists/test/InRelease");
    let text = fs::read_to_string(&head).unwrap();
    let signed = text.split_once("\n\n").unwrap().1.split("-----BEGIN PGP SIGNATURE").next().unwrap().trim_end();
    fs::write(&head, fixture::sign(&format!("{signed}\n"), &key(2))).unwrap();
    let error = fixture.error(false);
    assert!(error.starts_with("invalid signature of the package archive"), "{error}");
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
fn different_keys_make_different_signatures() {
    assert_ne!(fixture::sign("x\n", &key(1)), fixture::sign("x\n", &key(2)));
}
