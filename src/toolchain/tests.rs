//! Whole toolchains from real input: an archive of packages and this machine's interpreters. The archive is a mirror that
//! the builder of the tests names, `WADERS_TEST_MIRROR=file:///… cargo test`; without one these tests are skipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::*;
use crate::net;

const MIRROR: Option<&str> = option_env!("WADERS_TEST_MIRROR");

fn settings(mirror: &str) -> Settings {
    Settings {
        providers: vec![Provider::Debian, Provider::Standalone, Provider::Host],
        debian: debian::Settings {
            mirror: Some(mirror.to_owned()),
            suite: Some("bookworm".to_owned()),
            keyring_dirs: vec![PathBuf::from("/usr/share/keyrings")],
            ..debian::Settings::default()
        },
        standalone: standalone::Settings::default(),
        host: host::Settings { versions_dirs: versions_dirs(), path: Vec::new() },
    }
}

/// pyenv's, in the home of whoever runs the tests.
fn versions_dirs() -> Vec<PathBuf> {
    let home = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.dir);
    home.map(|home| home.join(".pyenv/versions")).into_iter().collect()
}

fn wanted(python: &[&str]) -> Wanted {
    let texts: Vec<String> = python.iter().map(|text| text.to_string()).collect();
    Wanted {
        platform: "linux-x86_64".to_owned(),
        packages: DEFAULT_PACKAGES.map(str::to_owned).to_vec(),
        python: (!texts.is_empty()).then(|| Constraints::parse(&texts).unwrap()),
    }
}

#[test]
fn packages_to_fetch_are_listed() {
    let Some(mirror) = MIRROR else { return println!("skipped: no WADERS_TEST_MIRROR") };
    let net = net::Client::new(&net::Settings::default()).unwrap();
    let started = Instant::now();
    let archive = Archive::open(&settings(mirror).debian, &net, "linux-x86_64").unwrap();
    println!(
        "# opened {} in {:?}; interpreters {:?}",
        archive.version(),
        started.elapsed(),
        archive.interpreters().unwrap()
    );
    let started = Instant::now();
    let system = archive.resolve(&wanted(&[]).packages, &[]).unwrap();
    let packages = archive.interpreter_packages("python3.11").unwrap();
    let python = archive.resolve(&packages, &system).unwrap();
    println!("# resolved {} + {} in {:?}: {packages:?}", system.len(), python.len(), started.elapsed());
    for file in system.iter().chain(&python) {
        println!("{} {} {} {}", file.name, file.version, file.path, file.size);
    }
}
