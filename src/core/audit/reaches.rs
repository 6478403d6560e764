//! What a step tried to reach and was not given: paths of the repository and of the host, programs, addresses. Most absent
//! paths that a program asks for mean nothing, such as the search for shared libraries and modules; these are left out.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::audit::classify::Classified;
use crate::audit::read_set::{ReadSet, SocketOperation};
use crate::base::sandbox_paths;

/// Something that a step tried to reach and was not given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Reach {
    /// A path below `/src` at which nothing was found, relative to the build root. Whether the repository has a file there
    /// is not known here.
    Source {
        /// The path.
        path: String,
    },
    /// A directory below `/src` that was listed although no module was imported from it, relative to the build root.
    Listing {
        /// The path.
        path: String,
    },
    /// An absolute path that may exist on the host.
    Host {
        /// The path.
        path: String,
    },
    /// A program that is not on `PATH` in the sandbox.
    Program {
        /// Its name.
        name: String,
    },
    /// An address outside of the sandbox.
    Network {
        /// The address.
        address: String,
    },
    /// The address of a host name: what was asked for is not known, since the sandbox has no name server.
    HostName,
}

/// Paths of services that the C library asks before it reads `/etc`.
const SERVICES: [&str; 4] = ["/var/run/nscd", "/var/db", "/run/systemd", "/run/nscd"];
/// The top directories of machines that do not exist in sandboxes: hier(7), and those of other systems and of CI services.
const HOST: [&str; 18] = [
    "/Users",
    "/Volumes",
    "/app",
    "/boot",
    "/builds",
    "/data",
    "/github",
    "/home",
    "/media",
    "/mnt",
    "/nix",
    "/opt",
    "/root",
    "/run",
    "/snap",
    "/srv",
    "/var",
    "/workspace",
];
/// Parts of names that tools look for in every directory up to the root. Whether they exist decides nothing that a step may
/// depend on: those that matter are inputs already.
const CONFIGURATION: [&str; 10] = [
    ".coveragerc",
    ".git",
    ".hg",
    ".pytest.ini",
    "pyproject.toml",
    "pytest.ini",
    "pytest.toml",
    "setup.cfg",
    "setup.py",
    "tox.ini",
];

/// Everything that a step tried to reach. `path_variable` is its `PATH`. With `has_network`, addresses were within reach.
pub fn reaches(set: &ReadSet, classified: &Classified, path_variable: &str, has_network: bool) -> BTreeSet<Reach> {
    let mut found: BTreeSet<Reach> = BTreeSet::new();
    let mut absent_programs: BTreeSet<&str> = BTreeSet::new();
    for path in &classified.absent {
        match program(path, path_variable) {
            Some(name) => drop(absent_programs.insert(name)),
            None => found.extend(absent_path(path)),
        }
    }
    let exists = |name: &str| {
        path_variable.split(':').any(|dir| set.files.get(&format!("{dir}/{name}")).is_some_and(|a| !a.is_absent()))
    };
    let missing = absent_programs.into_iter().filter(|name| !exists(name));
    found.extend(missing.map(|name| Reach::Program { name: name.to_owned() }));
    found.extend(listings(classified));
    if !has_network {
        found.extend(addresses(set));
        if set.has_read("/etc/hosts") || set.files.contains_key("/etc/hosts") {
            found.insert(Reach::HostName);
        }
    }
    found
}

/// The name of a program that was looked for on `PATH`.
fn program<'p>(path: &'p str, path_variable: &str) -> Option<&'p str> {
    let (dir, name) = path.rsplit_once('/')?;
    // The interpreter looks for its settings beside itself (`Modules/getpath.py` of CPython).
    let is_setting = ["pyvenv.cfg", "pybuilddir.txt"].contains(&name) || name.ends_with("._pth");
    (!is_setting && path_variable.split(':').any(|searched| searched == dir)).then_some(name)
}

fn absent_path(path: &str) -> Option<Reach> {
    let below = |dir: &str| path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some(inside) = path.strip_prefix(sandbox_paths::SRC).and_then(|path| path.strip_prefix('/')) {
        return (!is_search(inside)).then(|| Reach::Source { path: inside.to_owned() });
    }
    let is_of_sandbox = SERVICES.into_iter().any(below) || below(sandbox_paths::HOME);
    (HOST.into_iter().any(below) && !is_of_sandbox).then(|| Reach::Host { path: path.to_owned() })
}

/// Whether a path is one that tools and imports look for everywhere.
fn is_search(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    path.split('/').any(|name| name == "__pycache__" || name.starts_with("__init__."))
        || CONFIGURATION.contains(&name)
        || name == "conftest.py"
        || name.ends_with(".so")
        || name.ends_with(".pyc")
}

/// The listed directories that are not packages: an import lists the directory of the module, too.
fn listings(classified: &Classified) -> impl Iterator<Item = Reach> {
    let sources = classified.used.get(&crate::audit::Origin::Source);
    let with_modules: BTreeSet<&str> =
        sources.into_iter().flatten().filter(|path| path.ends_with(".py")).flat_map(|path| ancestors(path)).collect();
    classified.listed.iter().filter_map(move |dir| {
        let path = dir.strip_prefix(sandbox_paths::SRC)?.strip_prefix('/')?;
        let is_made = path.split('/').any(|name| name == "__pycache__" || name == ".pytest_cache");
        (!with_modules.contains(dir.as_str()) && !is_made).then(|| Reach::Listing { path: path.to_owned() })
    })
}

fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// The addresses outside of the sandbox. Port 0 is how programs find out which of their own addresses they would use.
fn addresses(set: &ReadSet) -> impl Iterator<Item = Reach> {
    set.sockets.iter().filter_map(|socket| {
        let address = &socket.address;
        let leaves = match socket.operation {
            SocketOperation::Create => address == "packet",
            SocketOperation::Bind => false,
            SocketOperation::Connect | SocketOperation::Send => match address.strip_prefix("unix:") {
                Some(path) => is_host_socket(path),
                None => address.parse().is_ok_and(|address: SocketAddr| !is_inside(address.ip())),
            },
        };
        leaves.then(|| Reach::Network { address: address.clone() })
    })
}

fn is_inside(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// A socket in a directory that the sandbox does not have, such as that of a container engine.
fn is_host_socket(path: &str) -> bool {
    ["/run/", "/var/"].iter().any(|dir| path.starts_with(dir)) && !SERVICES.iter().any(|dir| path.starts_with(dir))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::read_set::{Found, Socket, Use};
    use crate::base::Digest;
    use std::collections::BTreeMap;

    fn check(change: impl FnOnce(&mut ReadSet), expected: &[Reach]) {
        let mut set = ReadSet::new(Digest::of(b""), BTreeMap::new());
        change(&mut set);
        let sources = ["pkg/a.py", "data/b.json"].map(str::to_owned).into();
        let classified = Classified::new(&set, &sources);
        let found: Vec<Reach> = reaches(&set, &classified, "/deps/bin:/usr/bin", false).into_iter().collect();
        assert_eq!(found, expected);
    }

    fn absent(path: &str, expected: &[Reach]) {
        check(|set| set.add(path, [Use::Probed], Found::Absent), expected);
    }

    #[test]
    fn absent_paths_are_reaches_unless_every_program_looks_for_them() {
        absent("/src/data/x.json", &[Reach::Source { path: "data/x.json".to_owned() }]);
        absent("/home/me/.aws/credentials", &[Reach::Host { path: "/home/me/.aws/credentials".to_owned() }]);
        absent("/opt/model.bin", &[Reach::Host { path: "/opt/model.bin".to_owned() }]);
        for usual in [
            "/deps/bin/pyvenv.cfg",
            "/usr/bin/python3.11._pth",
            "/usr/lib/libx.so.1",
            "/etc/ld.so.preload",
            "/src/pkg/__init__.cpython-311.so",
            "/src/pkg/conftest.py",
            "/src/setup.py",
            "/setup.py",
            "/.git",
            "/home/waders/.config/x",
            "/var/run/nscd/socket",
            "/proc/self/x",
        ] {
            absent(usual, &[]);
        }
    }

    #[test]
    fn a_program_is_missing_if_no_directory_of_path_has_it() {
        absent("/usr/bin/git", &[Reach::Program { name: "git".to_owned() }]);
        let found_later = |set: &mut ReadSet| {
            set.add("/deps/bin/sh", [Use::Executed], Found::Absent);
            set.add("/usr/bin/sh", [Use::Executed], Found::File);
        };
        check(found_later, &[]);
    }

    #[test]
    fn listings_of_packages_belong_to_imports() {
        let list = |set: &mut ReadSet| {
            set.add("/src/pkg", [Use::Read], Found::Directory);
            set.add("/src/pkg/a.py", [Use::Read], Found::File);
            set.add("/src/data", [Use::Read], Found::Directory);
        };
        check(list, &[Reach::Listing { path: "data".to_owned() }]);
    }

    #[test]
    fn addresses_outside_of_the_sandbox_are_reaches() {
        let connect = |address: &'static str, expected: &[Reach]| {
            let socket = Socket { operation: SocketOperation::Connect, address: address.to_owned() };
            check(|set| set.sockets = [socket].into(), expected);
        };
        let network = |address: &str| [Reach::Network { address: address.to_owned() }];
        connect("192.0.2.1:80", &network("192.0.2.1:80"));
        connect("[2001:db8::1]:443", &network("[2001:db8::1]:443"));
        connect("unix:/var/run/docker.sock", &network("unix:/var/run/docker.sock"));
        for inside in ["127.0.0.1:5432", "[::1]:80", "unix:@abstract", "unix:/tmp/socket", "unix:/var/run/nscd/socket"]
        {
            connect(inside, &[]);
        }
        check(|set| set.add("/etc/hosts", [Use::Read], Found::File), &[Reach::HostName]);
    }
}
