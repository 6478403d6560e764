//! The automatic size limit of the store, with runs of the program: the store stays below the limit, what the last run used is kept, and
//! nothing is removed while another process has the store open or where the user does not want it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use waders::store::Store;

const LIMIT_BYTES: u64 = 3 << 20;

struct Repository {
    dir: tempfile::TempDir,
}

impl Repository {
    fn new() -> Repository {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("pants.toml", "[GLOBAL]\nbackend_packages = ['pants.backend.python']\n");
        write("waders.toml", "[store]\nmax_size = '3MiB'\n");
        write("BUILD", "files(name='data', sources=['*.bin'])\narchive(name='all', format='tar', files=[':data'])\n");
        Repository { dir }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("cache/waders")
    }

    /// Runs the program and returns what it wrote to both streams.
    fn run(&self, args: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waders"));
        command.args(args).current_dir(self.dir.path()).env("XDG_CACHE_HOME", self.dir.path().join("cache"));
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(output.status.success(), "{text}");
        text
    }

    /// Packages a file of 1 MB that no earlier run had, which takes 2 MB in the store.
    fn package(&self, number: u8, args: &[&str]) -> String {
        let content: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8 ^ number).collect();
        fs::write(self.dir.path().join("a.bin"), content).unwrap();
        self.run(&[args, &["package", "::"]].concat())
    }

    fn size_bytes(&self) -> u64 {
        let total = |value: &serde_json::Value| value["total"]["disk_bytes"].as_u64();
        let text = self.run(&["store", "du", "--json"]);
        total(&serde_json::from_str(&text).unwrap()).unwrap_or_else(|| panic!("{text}"))
    }
}

fn has_removed(text: &str) -> bool {
    text.contains("that were not used recently from the store")
}

#[test]
fn runs_keep_the_store_below_its_limit_and_what_they_used() {
    let repository = Repository::new();
    assert!(!has_removed(&repository.package(1, &[])));
    for number in 2..6 {
        assert!(has_removed(&repository.package(number, &[])), "{number}");
        assert!(repository.size_bytes() <= LIMIT_BYTES, "{number}");
        assert!(repository.run(&["store", "verify"]).starts_with("verified "));
    }
    let before = files(&repository.root());
    repository.run(&["package", "::"]);
    assert_eq!(files(&repository.root()), before, "the last results are still cached");
}

#[test]
fn nothing_is_removed_while_the_store_is_in_use_or_if_the_user_forbids_it() {
    let repository = Repository::new();
    repository.package(1, &[]);
    let user = Store::open(&repository.root()).unwrap();
    assert!(!has_removed(&repository.package(2, &[])));
    drop(user);
    assert!(!has_removed(&repository.package(3, &["--no-store-auto-gc"])));
    assert!(repository.size_bytes() > LIMIT_BYTES);
    assert!(has_removed(&repository.package(4, &[])));
    assert!(repository.size_bytes() <= LIMIT_BYTES);
}

/// The names of all blobs and trees.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut left = vec![root.join("blob"), root.join("tree")];
    let mut found = Vec::new();
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() { left.push(entry) } else { found.push(entry) }
        }
    }
    found.sort();
    found
}
