//! Tests of exported environments: what is kept, what is replaced, and what is reported.

use super::*;
use crate::base::RelPath;
use crate::store::{Node, Tree};

struct Fixture {
    store: Store,
    export: ExportDirectory,
    /// Deleted when the fixture is dropped.
    _dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        Fixture { store, export: ExportDirectory { root: dir.path().join("dist/export/python") }, _dir: dir }
    }

    fn location(&self) -> PathBuf {
        self.export.root.join("virtualenvs/default/3.12.1")
    }

    /// Places an environment with the package `own` in this version.
    fn place(&self, version: &str) -> Result<Placed, Error> {
        let path = format!("lib/python3.12/site-packages/own-{version}.dist-info/METADATA");
        let node = Node::File { digest: self.store.put(version.as_bytes()).unwrap(), executable: false };
        let nodes = BTreeMap::from([(RelPath::parse(&path).unwrap(), node)]);
        let tree = self.store.put_tree(&Tree { nodes }).unwrap();
        let packages = BTreeMap::from([("own".to_owned(), version.to_owned())]);
        self.export.place(&self.store, &Environment::Copy { tree, packages }, &self.location())
    }

    fn install(&self, package: &str) {
        fs::create_dir_all(self.location().join("lib/python3.12/site-packages").join(format!("{package}.dist-info")))
            .unwrap();
    }
}

#[test]
fn an_unchanged_environment_keeps_what_the_user_installed() {
    let fixture = Fixture::new();
    assert_eq!(fixture.place("1").unwrap().change, Change::Created);
    fixture.install("My_Tool-2.0");
    let placed = fixture.place("1").unwrap();
    assert_eq!((placed.change, placed.dropped), (Change::Unchanged, vec![]));
    assert!(installed_packages(&fixture.location()).contains_key("my-tool"));
}

#[test]
fn another_environment_replaces_the_link_and_reports_what_the_user_installed() {
    let fixture = Fixture::new();
    fixture.place("1").unwrap();
    fixture.install("My_Tool-2.0");
    let placed = fixture.place("2").unwrap();
    assert_eq!(placed.dropped, [("my-tool".to_owned(), "2.0".to_owned())]);
    assert_eq!(installed_packages(&fixture.location())["own"], "2");
    let back = fixture.place("1").unwrap();
    assert_eq!((back.change, back.dropped), (Change::Switched, vec![]));
    assert!(installed_packages(&fixture.location()).contains_key("my-tool"), "the first environment was kept");
}

#[test]
fn a_copy_is_writable_and_shares_no_file_with_the_store() {
    let fixture = Fixture::new();
    fixture.place("1").unwrap();
    let file = fixture.location().join("lib/python3.12/site-packages/own-1.dist-info/METADATA");
    fs::write(&file, "edited").unwrap();
    assert!(fixture.store.verify().unwrap().damaged.is_empty());
    assert_eq!(fs::read_to_string(file).unwrap(), "edited");
}

#[test]
fn the_environments_that_were_used_last_are_kept() {
    let fixture = Fixture::new();
    for version in ["1", "2", "3", "4", "5", "6"] {
        fixture.place(version).unwrap();
    }
    let unfinished = fixture.export.root.join(ENVIRONMENTS).join(".unfinished-999999999-0");
    fs::create_dir(&unfinished).unwrap();
    fixture.place("7").unwrap();
    assert_eq!(entries(&fixture.export.root.join(ENVIRONMENTS)).len(), KEPT);
    assert!(!unfinished.exists());
}

#[test]
fn a_directory_of_another_program_is_moved_away() {
    let fixture = Fixture::new();
    fs::create_dir_all(fixture.location().join("bin")).unwrap();
    let moved = fixture.place("1").unwrap().moved.unwrap();
    assert!(moved.join("bin").is_dir());
    assert!(fixture.location().is_symlink());
}

#[test]
fn a_failure_leaves_the_previous_environment() {
    let fixture = Fixture::new();
    fixture.place("1").unwrap();
    fs::remove_dir_all(fixture.store.root().join("blob")).unwrap();
    let path = RelPath::parse("lib/gone").unwrap();
    let gone = Node::File { digest: Digest::of(b"never stored"), executable: false };
    let tree = fixture.store.put_tree(&Tree { nodes: BTreeMap::from([(path, gone)]) }).unwrap();
    let environment = Environment::Copy { tree, packages: BTreeMap::new() };
    assert!(fixture.export.place(&fixture.store, &environment, &fixture.location()).is_err());
    assert_eq!(installed_packages(&fixture.location())["own"], "1");
    assert_eq!(entries(&fixture.export.root.join(ENVIRONMENTS)).len(), 1, "nothing unfinished is left");
}
