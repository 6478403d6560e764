//! Walks over small directory trees.

use std::fs::Metadata;

use super::*;

fn tree(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("temporary directory");
    for file in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().expect("has a parent")).expect("directories");
        fs::write(path, "").expect("file");
    }
    root
}

fn names(files: &Files) -> Vec<&str> {
    files.iter().map(RelPath::as_str).collect()
}

fn walk(root: &Path, ignore: &[&str]) -> Files {
    let ignore: Vec<String> = ignore.iter().map(|pattern| (*pattern).to_owned()).collect();
    Files::walk(root, &ignore, true, &(), &Tracker::default()).expect("walks")
}

#[test]
fn ignore_patterns_have_gitignore_syntax_and_later_negations_win() {
    let root = tree(&["a.py", ".git/x", ".github/y", "dist/z", "sub/dist/z", "sub/__pycache__/m"]);
    let files = walk(root.path(), &[".*/", "/dist/", "__pycache__", "!.github/"]);
    assert_eq!(names(&files), [".github/y", "a.py", "sub/dist/z"]);
}

#[test]
fn only_the_root_gitignore_is_read() {
    let root = tree(&["a.py", "b.log", "sub/c.py"]);
    fs::write(root.path().join(".gitignore"), "*.log\n").expect("file");
    fs::write(root.path().join("sub/.gitignore"), "c.py\n").expect("file");
    assert_eq!(names(&walk(root.path(), &[])), [".gitignore", "a.py", "sub/.gitignore", "sub/c.py"]);
}

#[test]
fn temporary_files_of_a_killed_run_are_not_sources() {
    let root = tree(&["a/.waders-rewrite-x1y2z3", "a/b.py"]);
    assert_eq!(names(&walk(root.path(), &[])), ["a/b.py"]);
}

#[test]
fn links_within_the_repository_are_followed_and_loops_end() {
    let root = tree(&["a/f.py", "b/g.py"]);
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, root.path().join(at)).expect("link");
    link("../b", "a/to_b");
    link("../a", "b/to_a");
    link(".", "a/here");
    link("/", "a/out");
    link("nowhere", "a/dangling");
    link("f.py", "a/copy.py");
    let files = walk(root.path(), &[]);
    assert_eq!(names(&files), ["a/copy.py", "a/f.py", "a/to_b/g.py", "b/g.py", "b/to_a/copy.py", "b/to_a/f.py"]);
}

#[test]
fn a_name_that_is_not_utf8_is_skipped_and_reported() {
    use std::os::unix::ffi::OsStrExt;
    let root = tree(&["a.py"]);
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff.py")), "").expect("file");
    let files = walk(root.path(), &[]);
    assert_eq!(names(&files), ["a.py"]);
    assert_eq!(files.skipped_entries.len(), 1);
}

/// Returns every cached listing without checking the directory.
#[derive(Default)]
struct UnconditionalCache(std::sync::Mutex<std::collections::HashMap<RelPath, &'static [u8]>>);

impl DirectoryCache for UnconditionalCache {
    fn get(&self, dir: &RelPath, _: &Metadata) -> Option<&[u8]> {
        self.0.lock().expect("no thread panicked").get(dir).copied()
    }

    fn insert(&self, dir: &RelPath, _: &Metadata, _: SystemTime, listing: Vec<u8>) {
        self.0.lock().expect("no thread panicked").insert(dir.clone(), listing.leak());
    }
}

#[test]
fn cached_directories_are_not_listed_again_unless_the_ignore_rules_change() {
    let root = tree(&["a/f.py", "a/b/g.py", "c/h.log"]);
    std::os::unix::fs::symlink("../c", root.path().join("a/to_c")).expect("link");
    let cache = UnconditionalCache::default();
    let walk = |ignore: &str| {
        let files = Files::walk(root.path(), &[ignore.to_owned()], true, &cache, &Tracker::default()).expect("walks");
        names(&files).join(" ")
    };
    let all = "a/b/g.py a/f.py a/to_c/h.log c/h.log";
    assert_eq!(walk("*.tmp"), all);
    fs::write(root.path().join("a/new.py"), "").expect("file");
    fs::remove_file(root.path().join("a/to_c")).expect("link");
    assert_eq!(walk("*.tmp"), "a/b/g.py a/f.py c/h.log", "links are always resolved");
    assert_eq!(walk("*.log"), "a/b/g.py a/f.py a/new.py");
    fs::write(root.path().join(".gitignore"), "b/").expect("file");
    assert_eq!(walk("*.log"), ".gitignore a/f.py a/new.py");
}

#[test]
fn the_files_of_a_directory_are_one_range() {
    let path = |text: &str| RelPath::parse(text).expect("clean");
    let files = Files::from_paths(["a-b/x", "a/b/y", "a/x", "a/c/d/z", "a.py", "b"].map(path).to_vec());
    let below = |dir: &str| files.below(&path(dir)).iter().map(RelPath::as_str).collect::<Vec<_>>();
    assert_eq!(below("a"), ["a/b/y", "a/c/d/z", "a/x"]);
    assert_eq!(below("a/c"), ["a/c/d/z"]);
    assert_eq!(below("a-b"), ["a-b/x"]);
    assert_eq!(below(""), names(&files));
    assert_eq!((below("a.py"), below("c")), (vec![], vec![]));
    let in_dir = |dir: &str| files.in_dir(&path(dir)).map(RelPath::as_str).collect::<Vec<_>>();
    assert_eq!(in_dir("a"), ["a/x"]);
    assert_eq!(in_dir("a/c"), Vec::<&str>::new());
    assert_eq!(in_dir(""), ["a.py", "b"]);
    assert!(files.is_dir(&path("a/c")) && !files.is_dir(&path("a.py")) && Files::default().is_dir(&path("")));
}

#[test]
fn the_result_of_a_walk_is_sorted() {
    let root = tree(&["a-b/x", "a/b/y", "a/x", "a/c/d/z", "a.py", "b", "a/b-c/d", "a/b.py"]);
    let files = walk(root.path(), &[]);
    assert_eq!(names(&files), names(&Files::from_paths(files.iter().cloned().collect())));
    assert_eq!(files.len(), 8);
}

#[test]
fn links_out_of_the_repository_are_noted_and_not_followed() {
    let (root, outside) = (tree(&["a/f.py"]), tree(&["g.py"]));
    std::os::unix::fs::symlink(outside.path().join("g.py"), root.path().join("a/g.py")).expect("link");
    std::os::unix::fs::symlink(outside.path(), root.path().join("a/dir")).expect("link");
    std::os::unix::fs::symlink("nowhere", root.path().join("a/dangling")).expect("link");
    let files = walk(root.path(), &[]);
    assert_eq!(names(&files), ["a/f.py"]);
    assert_eq!(files.outside_links.iter().map(RelPath::as_str).collect::<Vec<_>>(), ["a/dir", "a/g.py"]);
}
