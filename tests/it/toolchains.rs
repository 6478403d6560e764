//! Toolchains from a real package archive and from this machine's interpreters. The variable `WADERS_TEST_MIRROR` names a
//! mirror of the archive, as in `WADERS_TEST_MIRROR=file:///… cargo test`; without it these tests are skipped.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use waders::net::{self, Client};
use waders::store::{Node, Store};
use waders::toolchain::{
    Constraints, DEFAULT_PACKAGES, Error, Lock, Provider, ProviderContext, ROOT_LINKS, Request, Toolchain,
    ToolchainSettings, debian, host, provide, standalone,
};
use waders::tracked::Tracker;

fn mirror() -> Option<String> {
    std::env::var("WADERS_TEST_MIRROR").ok()
}

fn settings(mirror: &str) -> ToolchainSettings {
    ToolchainSettings {
        providers: vec![Provider::Debian, Provider::Standalone, Provider::Host],
        debian: debian::DebianSettings {
            mirror: Some(mirror.to_owned()),
            suite: Some("bookworm".to_owned()),
            keyring_dirs: vec![PathBuf::from("/usr/share/keyrings")],
            ..debian::DebianSettings::default()
        },
        standalone: standalone::StandaloneSettings { list: Some(Vec::new()), ..Default::default() },
        host: host::HostSettings { versions_dirs: versions_dirs(), path: Vec::new() },
    }
}

/// The directory of pyenv's interpreters in the user's home directory.
fn versions_dirs() -> Vec<PathBuf> {
    let home = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.dir);
    home.map(|home| home.join(".pyenv/versions")).into_iter().collect()
}

/// The minor version of a full version: `3.12` for `3.12.1`.
fn minor(version: &str) -> String {
    version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

fn request(python: &[&str]) -> Request {
    let texts: Vec<String> = python.iter().map(|text| text.to_string()).collect();
    Request {
        platform: "linux-x86_64".to_owned(),
        packages: DEFAULT_PACKAGES.map(str::to_owned).to_vec(),
        python: (!texts.is_empty()).then(|| Constraints::parse(&texts).unwrap()),
        build_packages: Vec::new(),
    }
}

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
    net: Client,
    settings: ToolchainSettings,
    lock: Lock,
}

impl Bench {
    fn new(mirror: &str) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let net = Client::new(net::NetworkSettings::default());
        Bench { dir, store, net, settings: settings(mirror), lock: Lock::default() }
    }

    fn provide(&mut self, request: &Request, frozen: bool) -> Result<Toolchain, Error> {
        provide(&mut self.lock, request, &ProviderContext::new(&self.store, &self.net, &self.settings, frozen))
    }

    /// Runs a program in a root file system with the toolchain and nothing of the host but `/dev` and `/proc`. Returns its
    /// standard output.
    fn run(&self, toolchain: &Toolchain, argv: &[&str]) -> String {
        let root = self.dir.path().join("root");
        std::fs::create_dir_all(&root).unwrap();
        let mut script = format!("set -e; mount -t tmpfs none {0}; cd {0}; mkdir dev proc tmp\n", root.display());
        for (at, tree) in &toolchain.mounts {
            let image = self.store.materialize(*tree).unwrap();
            script += &format!("mkdir -p .{at}; mount --rbind {} .{at}\n", image.display());
        }
        for (link, target) in ROOT_LINKS {
            script += &format!("ln -s {target} {link}\n");
        }
        script += "mount --rbind /dev dev; mount --rbind /proc proc\nexec chroot . \"$@\"\n";
        let output = Command::new("unshare")
            .args(["-r", "-m", "-n", "/bin/sh", "-c", &script, "sh"])
            .args(argv)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The files of the interpreter that contain a path of the host.
    fn files_with(&self, toolchain: &Toolchain, dir: &Path) -> Vec<String> {
        let name = regex::bytes::Regex::new(&regex::escape(dir.to_str().unwrap())).unwrap();
        let (_, tree) = toolchain.mounts.iter().find(|(at, _)| at.starts_with("/toolchain/")).unwrap();
        let contains_path = |node: &Node| match node {
            Node::File { digest, .. } => name.is_match(&self.store.get(*digest).unwrap()),
            _ => false,
        };
        let nodes = self.store.tree(*tree).unwrap().nodes;
        nodes.into_iter().filter(|(_, node)| contains_path(node)).map(|(path, _)| path.to_string()).collect()
    }

    fn run_python(&self, toolchain: &Toolchain) -> String {
        let python = toolchain.python.as_ref().unwrap().to_str().unwrap();
        self.run(toolchain, &[python, "-I", "-c", PROBE])
    }
}

/// Imports the modules that depend on system libraries and reads data of the system tree.
const PROBE: &str = "
import bz2, ctypes, hashlib, lzma, readline, sqlite3, ssl, sys, uuid, zlib, zoneinfo, subprocess, multiprocessing, locale
import curses, decimal, json, socket, asyncio
assert sqlite3.connect(':memory:').execute('select 1+1').fetchone() == (2,)
assert ctypes.CDLL('libstdc++.so.6') and ctypes.CDLL('libc.so.6').getpid() > 0
assert str(zoneinfo.ZoneInfo('Europe/Vienna')) and len(ssl.create_default_context().get_ca_certs()) > 100
assert subprocess.check_output(['sh', '-c', 'echo a b | sed s/a/c/ | awk \"{print \\$1}\" | grep c; test -x /usr/bin/env']) == b'c\\n'
print(sys.version.split()[0], sys.executable, sys.prefix, locale.getpreferredencoding())
";

#[test]
fn an_interpreter_of_the_archive_runs_without_files_of_the_host() {
    let Some(mirror) = mirror() else { return println!("skipped: WADERS_TEST_MIRROR is not set") };
    let mut bench = Bench::new(&mirror);
    let started = Instant::now();
    let toolchain = bench.provide(&request(&["CPython>=3.11,<4"]), false).unwrap();
    println!("# provided in {:?}: {toolchain:?}", started.elapsed());
    assert_eq!(bench.run_python(&toolchain), "3.11.2 /usr/bin/python3.11 /usr UTF-8\n");
    assert!(toolchain.portable);
    let more = "import distutils.core, lib2to3.pgen2; print(distutils.__name__)";
    assert_eq!(bench.run(&toolchain, &["/usr/bin/python3", "-W", "ignore", "-c", more]).trim(), "distutils");
    println!("{}", bench.run(&toolchain, &["/bin/sh", "-c", "du -shL /usr; find /usr /etc | wc -l; du -sm /usr/*/* | sort -rn | head -25; ls /usr/bin | tr '\\n' ' '; find /usr -xtype l"]));

    let started = Instant::now();
    let again = bench.provide(&request(&["CPython>=3.11,<4"]), true).unwrap();
    println!("# again in {:?}", started.elapsed());
    assert_eq!(again, toolchain);

    let path = bench.dir.path().join("waders.lock");
    bench.lock.save(&Tracker::default(), &path).unwrap();
    println!("{}", std::fs::read_to_string(path).unwrap());

    // Another machine has only the lock and an empty store.
    let mut other = Bench { lock: bench.lock.clone(), ..Bench::new(&mirror) };
    let started = Instant::now();
    assert_eq!(other.provide(&request(&["CPython>=3.11,<4"]), true).unwrap(), toolchain);
    println!("# downloaded by hash in {:?}", started.elapsed());
}

#[test]
fn copied_interpreters_run_without_files_of_the_host() {
    let Some(mirror) = mirror() else { return println!("skipped: WADERS_TEST_MIRROR is not set") };
    let mut bench = Bench::new(&mirror);
    let found = host::find_interpreters(&bench.settings.host);
    if found.is_empty() {
        return println!("skipped: no interpreter of pyenv found");
    }
    println!("# {found:?}");
    for interpreter in found.iter().filter(|found| found.version.starts_with("3.") && minor(&found.version) != "3.11") {
        if ["3.6", "3.7", "3.8"].contains(&minor(&interpreter.version).as_str()) {
            continue;
        }
        let started = Instant::now();
        let exact = format!("=={}", interpreter.version);
        let toolchain = bench.provide(&request(&[&exact]), false).unwrap();
        println!("# {} provided in {:?}", interpreter.version, started.elapsed());
        let minor = minor(&interpreter.version);
        let expected =
            format!("{0} /toolchain/python{minor}/bin/python{minor} /toolchain/python{minor}", interpreter.version);
        let output = bench.run_python(&toolchain);
        assert!(output.starts_with(&expected), "{output}");
        assert!(!toolchain.portable);
        assert_eq!(bench.files_with(&toolchain, &interpreter.prefix), Vec::<String>::new());
        let started = Instant::now();
        assert_eq!(bench.provide(&request(&[&exact]), true).unwrap(), toolchain);
        println!("# again in {:?}", started.elapsed());
    }
}

#[test]
fn a_copy_of_the_system_interpreter_runs() {
    let Some(mirror) = mirror() else { return println!("skipped: WADERS_TEST_MIRROR is not set") };
    let mut bench = Bench::new(&mirror);
    bench.settings.host = host::HostSettings { versions_dirs: Vec::new(), path: vec![PathBuf::from("/usr/bin")] };
    bench.settings.providers = vec![Provider::Host];
    let Some(interpreter) = host::find_interpreters(&bench.settings.host).pop() else {
        return println!("skipped: no interpreter in /usr/bin");
    };
    let toolchain = bench.provide(&request(&[&format!("=={}", interpreter.version)]), false).unwrap();
    let minor = minor(&interpreter.version);
    let output = bench.run_python(&toolchain);
    let expected =
        format!("{} /toolchain/python{minor}/bin/python{minor} /toolchain/python{minor}", interpreter.version);
    assert!(output.starts_with(&expected), "{output}");
}
