//! Tests of images composed of small wheels, and of images used by real interpreters.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

fn environment() -> Environment {
    Environment::linux_x86_64("3.12.1", (2, 36)).expect("version")
}

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    (dir, store)
}

fn tree(store: &Store, files: &[(&str, &str)]) -> Digest {
    let nodes = files.iter().map(|(path, content)| {
        let digest = store.put(content.as_bytes()).expect("put");
        (RelPath::parse(path).expect("clean"), Node::File { digest, executable: false })
    });
    store.put_tree(&Tree { nodes: nodes.collect() }).expect("tree")
}

/// Paths and contents.
type Files<'a> = &'a [(&'a str, &'a str)];

/// `layers` are the files and bytecode files of each wheel, `expected` the files of the image without the skeleton.
fn check(layers: &[(Files<'_>, Files<'_>)], expected: &[(&str, &str)], conflicts: &[(&str, Option<usize>, usize)]) {
    let (_dir, store) = open();
    let layers: Vec<Layer> = layers
        .iter()
        .map(|(wheel, bytecode)| Layer { wheel: tree(&store, wheel), bytecode: Some(tree(&store, bytecode)) })
        .collect();
    let image = compose(&store, "/usr/bin/python3.12", &environment(), &layers).expect("image");
    let nodes = store.tree(image.tree).expect("tree").nodes;
    let files: Vec<(String, String)> = nodes
        .into_iter()
        .filter_map(|(path, node)| match node {
            Node::File { digest, .. } if !is_skeleton(&path) => {
                Some((path.to_string(), String::from_utf8(store.get(digest).expect("blob")).expect("text")))
            }
            _ => None,
        })
        .collect();
    assert_eq!(files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>(), expected);
    let found: Vec<_> = image.conflicts.iter().map(|found| (found.path.as_str(), found.kept, found.dropped)).collect();
    assert_eq!(found, conflicts);
}

/// Whether a file belongs to no wheel.
fn is_skeleton(path: &RelPath) -> bool {
    let names = ["pyvenv.cfg", "waders_distribution_order.pth", "waders_source_roots.pth", "waders_test_results.py"];
    path.file_name().is_some_and(|name| names.contains(&name))
}

#[test]
fn wheels_are_merged() {
    check(
        &[
            (
                &[
                    ("site-packages/ns/__init__.py", ""),
                    ("site-packages/ns/a.py", "a"),
                    ("bin/a", "s"),
                    ("data/share/x", "x"),
                ],
                &[],
            ),
            (&[("site-packages/ns/__init__.py", ""), ("site-packages/ns/b.py", "b"), ("include/p/h.h", "h")], &[]),
        ],
        &[
            ("bin/a", "s"),
            ("include/site/python3.12/p/h.h", "h"),
            ("lib/python3.12/site-packages/ns/__init__.py", ""),
            ("lib/python3.12/site-packages/ns/a.py", "a"),
            ("lib/python3.12/site-packages/ns/b.py", "b"),
            ("share/x", "x"),
        ],
        &[],
    );
}

#[test]
fn the_file_of_the_first_wheel_is_kept_with_its_bytecode() {
    check(
        &[
            (
                &[("site-packages/t/__init__.py", "1"), ("site-packages/t/a.py", "a")],
                &[("site-packages/t/__pycache__/a.c.pyc", "A")],
            ),
            (
                &[("site-packages/t/__init__.py", "2"), ("site-packages/t/b.py", "b")],
                &[("site-packages/t/__pycache__/__init__.c.pyc", "2"), ("site-packages/t/__pycache__/b.c.pyc", "B")],
            ),
        ],
        &[
            ("lib/python3.12/site-packages/t/__init__.py", "1"),
            ("lib/python3.12/site-packages/t/__pycache__/a.c.pyc", "A"),
            ("lib/python3.12/site-packages/t/__pycache__/b.c.pyc", "B"),
            ("lib/python3.12/site-packages/t/a.py", "a"),
            ("lib/python3.12/site-packages/t/b.py", "b"),
        ],
        &[("lib/python3.12/site-packages/t/__init__.py", Some(0), 1)],
    );
}

#[test]
fn a_file_and_a_directory_at_one_path_are_a_conflict() {
    let (file, directory) = (("site-packages/t", "file"), ("site-packages/t/a.py", "a"));
    let path = "lib/python3.12/site-packages/t";
    check(
        &[(&[file], &[]), (&[directory], &[])],
        &[(path, "file")],
        &[("lib/python3.12/site-packages/t/a.py", Some(0), 1)],
    );
    check(
        &[(&[directory], &[]), (&[file], &[])],
        &[("lib/python3.12/site-packages/t/a.py", "a")],
        &[(path, Some(0), 1)],
    );
}

#[test]
fn a_wheel_cannot_replace_the_interpreter() {
    check(
        &[(&[("bin/python", "evil"), ("data/pyvenv.cfg", "evil")], &[])],
        &[],
        &[("bin/python", None, 0), ("pyvenv.cfg", None, 0)],
    );
}

/// The interpreter on the host's path and its version, such as `3.11.2`.
fn real_python() -> Option<(String, String)> {
    python_named("python3")
}

fn python_named(name: &str) -> Option<(String, String)> {
    let script = "import sys; print(sys.executable, '.'.join(map(str, sys.version_info[:3])))";
    let output = Command::new(name).args(["-I", "-c", script]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().rsplit_once(' ').map(|(path, version)| (path.to_owned(), version.to_owned()))
}

fn run(argv: &[String], cwd: &Path) -> String {
    let environment = [("PYTHONHASHSEED", "0"), ("SOURCE_DATE_EPOCH", "315705600")];
    let output =
        Command::new(&argv[0]).args(&argv[1..]).current_dir(cwd).env_clear().envs(environment).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn files_below(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(&next).expect("a directory") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                left.push(path);
            } else {
                files.insert(path.strip_prefix(dir).expect("below").to_owned(), std::fs::read(&path).expect("read"));
            }
        }
    }
    files
}

#[test]
fn an_interpreter_recognises_the_image_as_a_venv() {
    let Some((python, version)) = real_python() else { return println!("skipped: `python3` is missing") };
    let (_dir, store) = open();
    let environment = Environment::linux_x86_64(&version, (2, 36)).expect("version");
    let files = [
        ("site-packages/demo.py", "x = 7\n"),
        ("site-packages/demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"),
    ];
    let parts = [Layer { wheel: tree(&store, &files), bytecode: None }];
    let image = compose(&store, &python, &environment, &parts).expect("image");
    let root = store.materialize(image.tree).expect("materialized");
    let script = "import demo, sys, importlib.metadata as m; print(demo.x, m.version('demo'), sys.prefix, sys.prefix != sys.base_prefix)";
    let argv = [root.join("bin/python").display().to_string(), "-B".to_owned(), "-c".to_owned(), script.to_owned()];
    assert_eq!(run(&argv, &root), format!("7 1.0 {} True\n", root.display()));
}

#[test]
fn bytecode_depends_on_neither_location_nor_time() {
    let Some((python, version)) = real_python() else { return println!("skipped: `python3` is missing") };
    let environment = Environment::linux_x86_64(&version, (2, 36)).expect("version");
    let compiled = |source_dir: &Path| {
        let out = tempfile::tempdir().expect("a directory");
        let package = source_dir.join("site-packages/demo");
        std::fs::create_dir_all(&package).expect("a directory");
        let source = "NAMES = 'a' in {'a', 'b', 'c', 'd'}\ndef f(x):\n    'text'\n    return x in ('p', 'q')\n";
        std::fs::write(package.join("__init__.py"), source).expect("written");
        std::fs::write(package.join("template.py"), "{{ no python }}").expect("written");
        let argv = compile_argv(
            &python,
            &source_dir.join("site-packages").display().to_string(),
            &out.path().join("site-packages").display().to_string(),
            &format!("{ROOT}/{}", site_packages(&environment)),
        );
        run(&argv, source_dir);
        files_below(out.path())
    };
    let (one, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let first = compiled(one.path());
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(first, compiled(&other.path().join("much/further/down")));
    let (path, bytes) = first.first_key_value().expect("one file");
    assert_eq!(first.len(), 1, "files that do not compile are skipped");
    assert!(path.starts_with("site-packages/demo/__pycache__"));
    assert_eq!(bytes[4..8], [1, 0, 0, 0], "the flags of unchecked hash-based bytecode");
    let installed = format!("{ROOT}/lib/{}/site-packages/demo/__init__.py", environment.python_name());
    assert!(bytes.windows(installed.len()).any(|window| window == installed.as_bytes()));
}

/// Up to Python 3.11, `None` has a hash that depends on its address, and sets are written in the order of hashes.
#[test]
fn bytecode_does_not_depend_on_addresses() {
    let mut old = ["python3.8", "python3.9", "python3.10"].into_iter().filter_map(python_named);
    let Some((python, _)) = old.next().or_else(real_python) else { return println!("skipped: `python3` is missing") };
    let source = tempfile::tempdir().expect("a directory");
    let text = "def f(x, /, y):\n    return x in {(1, None), (None, 3), (2, 2), None, ..., 1.5, 'é', b'1'}\nclass A:\n    n = 10 ** 30\n";
    std::fs::write(source.path().join("a.py"), text).expect("written");
    let compiled = || {
        let out = tempfile::tempdir().expect("a directory");
        let [from, to] = [source.path(), out.path()].map(|path| path.display().to_string());
        run(&compile_argv(&python, &from, &to, "/installed"), source.path());
        files_below(out.path())
    };
    let first = compiled();
    (0..5).for_each(|_| assert_eq!(compiled(), first));
    let path = source.path().join("a.pyc");
    std::fs::write(&path, first.values().next().expect("one file")).expect("written");
    let imported = "import a; print(a.f((None, 3), 0), a.f(b'2', 0), a.A.n)";
    let argv = [python.as_str(), "-c", imported].map(str::to_owned);
    std::fs::remove_file(source.path().join("a.py")).expect("removed");
    assert_eq!(run(&argv, source.path()), format!("True False 1{}\n", "0".repeat(30)));
}

/// The source distribution contains its own build backend, so that the test needs no other.
#[test]
fn a_source_distribution_is_built_into_the_tree_of_a_wheel() {
    let Some((python, _)) = real_python() else { return println!("skipped: `python3` is missing") };
    let (source, out) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let backend = r##"
import os, zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "Demo_Pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        wheel.writestr("demo.py", "x = 1\n")
        wheel.writestr("Demo_Pkg-1.0.data/scripts/run", "#!python\nprint()\n")
        wheel.writestr("Demo_Pkg-1.0.data/headers/a.h", "")
        wheel.writestr("Demo_Pkg-1.0.dist-info/entry_points.txt", "[console_scripts]\ndemo = demo:f.g\n")
        wheel.writestr("Demo_Pkg-1.0.dist-info/RECORD", "")
    return name
"##;
    std::fs::create_dir(source.path().join("backend")).expect("a directory");
    std::fs::write(source.path().join("backend/own.py"), backend).expect("written");
    // Modules of the source distribution must not shadow those of the interpreter.
    std::fs::write(source.path().join("zipfile.py"), "raise SystemExit('shadowed')").expect("written");
    let system = "[build-system]\nrequires = []\nbuild-backend = 'own'\nbackend-path = ['backend']\n";
    std::fs::write(source.path().join("pyproject.toml"), system).expect("written");
    run(&build_argv(&python, &out.path().display().to_string()), source.path());
    let files = files_below(out.path());
    let names: Vec<String> = files.keys().map(|path| path.display().to_string()).collect();
    let info = "site-packages/Demo_Pkg-1.0.dist-info";
    let expected = [
        format!("{info}/INSTALLER"),
        format!("{info}/RECORD"),
        format!("{info}/entry_points.txt"),
        "site-packages/demo.py".into(),
        "wheel/Demo_Pkg-1.0-py3-none-any.whl".into(),
    ];
    assert_eq!(names[..3], ["bin/demo", "bin/run", "include/demo-pkg/a.h"]);
    assert_eq!(names[3..], expected);
    assert_eq!(files[Path::new("bin/run")], b"#!/deps/bin/python\nprint()\n");
    assert!(files[Path::new("bin/demo")].ends_with(b"    sys.exit(f.g())\n"));
}

#[test]
fn packages_are_found_in_the_order_of_their_names() {
    let Some((python, _)) = real_python() else { return println!("skipped: `python3` is missing") };
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["one/b", "one/a", "one/c", "two/a"] {
        let info = dir.path().join(format!("{name}-1.dist-info"));
        std::fs::create_dir_all(&info).expect("a directory");
        std::fs::write(info.join("METADATA"), format!("Name: {name}\nVersion: 1\n")).expect("written");
    }
    let program = format!(
        "{}
import os
listed = os.listdir
os.listdir = lambda path: sorted(listed(path), reverse=True)
from importlib import metadata
names = [found.metadata['Name'] for found in metadata.distributions(path=['two', 'one'])]
assert names == ['two/a', 'one/a', 'one/b', 'one/c'], names
sys.path[:0] = ['two', 'one']
assert metadata.metadata('a')['Name'] == 'two/a'
",
        distribution_order()
    );
    run(&[python, "-c".to_owned(), program], dir.path());
}

#[test]
fn the_recipe_has_a_new_number_when_the_files_change_that_it_adds() {
    // Otherwise the store gives environments with the files of an earlier version.
    let added = Digest::of([&sandbox_source_roots(), DISTRIBUTION_ORDER, TEST_RESULTS_SOURCE].concat().as_bytes());
    let (recipe, digest) = ("venv-6", "7897f0299d0c");
    assert!(crate::packaging::recipes::all().contains_key(recipe));
    assert_eq!(&added.hex()[..12], digest, "raise the number of the recipe, and write both here");
}
