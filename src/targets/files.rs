//! Every file of the repository that is not ignored, from one parallel walk. Globs are matched against this list; no
//! file is read, and no directory that an earlier run has listed as it is.

use std::fs;
use std::fs::Metadata;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rayon::prelude::*;

use crate::base::glob::Globs;
use crate::base::{Digest, RelPath};
use crate::tracked::Tracker;

/// What a file that a goal writes is called until it is whole (`goals::rewrite`): nobody's source, also where a killed run
/// left one behind.
pub const UNFINISHED: &str = ".waders-rewrite-";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot list `{path}`")]
    List { path: PathBuf, source: std::io::Error },
    #[error("`{pattern}` is not an ignore pattern")]
    Pattern { pattern: String, source: ignore::Error },
}

#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Sorted, so that what a directory holds is one range.
    all: Vec<RelPath>,
    /// Sorted: every directory that holds a file, at any depth.
    dirs: Vec<Dir>,
    /// Names that are not UTF-8, or lists that could not be read: walked past.
    pub passed_over: Vec<String>,
}

#[derive(Clone, Debug)]
struct Dir {
    path: RelPath,
    /// Places in `all`: what lies in the directory and below it.
    below: Range<usize>,
    /// Places in `all`: what lies directly in it.
    own: Vec<usize>,
}

/// What directories held when an earlier run listed them. Whoever implements it vouches that a listing is known only as
/// long as the directory holds the same names.
pub trait Memory: Sync {
    /// What was learnt of a directory that had this metadata.
    fn known(&self, dir: &RelPath, now: &Metadata) -> Option<&[u8]>;
    /// `then` is from before the directory was listed, and `at` the time of that.
    fn learn(&self, dir: &RelPath, then: &Metadata, at: SystemTime, listing: Vec<u8>);
}

/// Remembers nothing.
impl Memory for () {
    fn known(&self, _: &RelPath, _: &Metadata) -> Option<&[u8]> {
        None
    }

    fn learn(&self, _: &RelPath, _: &Metadata, _: SystemTime, _: Vec<u8>) {}
}

impl Files {
    /// `pants_ignore` is in gitignore syntax; a later pattern wins over an earlier one and over git's own.
    pub fn walk(
        root: &Path,
        pants_ignore: &[String],
        use_gitignore: bool,
        memory: &dyn Memory,
        tracker: &Tracker,
    ) -> Result<Files, Error> {
        let (ignored, rules) = ignored(root, tracker, pants_ignore, use_gitignore)?;
        let real_root = fs::canonicalize(root).map_err(|source| Error::List { path: root.to_owned(), source })?;
        let walk = Walk { root, real_root: &real_root, ignored, rules, memory, tracker };
        let found = walk.dir(&RelPath::root(), std::slice::from_ref(&real_root))?;
        let mut files = Files::sorted(found.files);
        files.passed_over = found.passed_over;
        files.passed_over.sort();
        Ok(files)
    }

    pub fn of(mut all: Vec<RelPath>) -> Files {
        all.par_sort_unstable();
        all.dedup();
        Files::sorted(all)
    }

    fn sorted(all: Vec<RelPath>) -> Files {
        let mut dirs = vec![Dir { path: RelPath::root(), below: 0..all.len(), own: Vec::new() }];
        // Places in `dirs`: the directory at hand, and those that hold it.
        let mut open = vec![0];
        for (place, file) in all.iter().enumerate() {
            while let Some(closed) = open.pop_if(|dir| !file.starts_with(&dirs[*dir].path)) {
                dirs[closed].below.end = place;
            }
            let here = open.last().map_or(0, |dir| dirs[*dir].path.as_str().len());
            for (at, _) in file.as_str().match_indices('/').filter(|(at, _)| *at > here) {
                let path = RelPath::parse(&file.as_str()[..at]).unwrap_or_default();
                open.push(dirs.len());
                dirs.push(Dir { path, below: place..all.len(), own: Vec::new() });
            }
            dirs[open.last().copied().unwrap_or_default()].own.push(place);
        }
        Files { all, dirs, passed_over: Vec::new() }
    }

    /// All of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &RelPath> {
        self.all.iter()
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn contains(&self, file: &RelPath) -> bool {
        self.all.binary_search(file).is_ok()
    }

    /// Whether a directory holds a file, at any depth.
    pub fn is_dir(&self, dir: &RelPath) -> bool {
        dir.is_root() || self.dir(dir).is_some()
    }

    /// The files directly in a directory, sorted.
    pub fn in_dir(&self, dir: &RelPath) -> impl Iterator<Item = &RelPath> {
        self.dir(dir).into_iter().flat_map(|dir| &dir.own).map(|place| &self.all[*place])
    }

    /// The files in a directory and below, sorted.
    pub fn below(&self, dir: &RelPath) -> &[RelPath] {
        self.dir(dir).map_or(&[], |dir| &self.all[dir.below.clone()])
    }

    fn dir(&self, path: &RelPath) -> Option<&Dir> {
        self.dirs.binary_search_by(|dir| dir.path.cmp(path)).ok().map(|place| &self.dirs[place])
    }

    /// The files that match globs relative to `dir`, sorted.
    pub fn matching(&self, dir: &RelPath, globs: &Globs) -> Vec<RelPath> {
        let skip = if dir.is_root() { 0 } else { dir.as_str().len() + 1 };
        let matches = |file: &&RelPath| globs.matches(&file.as_str()[skip..]);
        if globs.is_recursive() {
            return self.below(dir).iter().filter(matches).cloned().collect();
        }
        self.in_dir(dir).filter(matches).cloned().collect()
    }
}

/// The rules, and a word that stands for them: other rules, another word.
fn ignored(
    root: &Path,
    tracker: &Tracker,
    pants_ignore: &[String],
    use_gitignore: bool,
) -> Result<(Gitignore, [u8; 32]), Error> {
    let mut builder = GitignoreBuilder::new(root);
    let mut texts = vec![format!("listing-1 {use_gitignore}").into_bytes()];
    if use_gitignore {
        // Only what git itself would read; a broken line in it is git's own business.
        for file in [".git/info/exclude", ".gitignore"] {
            let path = root.join(file);
            if tracker.is_file(&path) {
                texts.push(tracker.read(&path).unwrap_or_default());
                drop(builder.add(path));
            }
        }
    }
    for pattern in pants_ignore {
        texts.push(pattern.clone().into_bytes());
        let added = builder.add_line(None, pattern);
        added.map_err(|source| Error::Pattern { pattern: pattern.clone(), source })?;
    }
    let rules = builder.build().map_err(|source| Error::Pattern { pattern: pants_ignore.join(" "), source })?;
    Ok((rules, *Digest::of(&texts.join(b"\0".as_slice())).hash()))
}

struct Walk<'a> {
    root: &'a Path,
    real_root: &'a Path,
    ignored: Gitignore,
    rules: [u8; 32],
    memory: &'a dyn Memory,
    tracker: &'a Tracker,
}

#[derive(Default)]
struct Found {
    /// Sorted.
    files: Vec<RelPath>,
    passed_over: Vec<String>,
}

enum Entry {
    File(RelPath),
    /// With the lineage beyond a link.
    Dir(RelPath, Option<Vec<PathBuf>>),
}

impl Entry {
    fn path(&self) -> &RelPath {
        match self {
            Entry::File(path) | Entry::Dir(path, _) => path,
        }
    }
}

/// A name in a directory that is not ignored; of links it is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Dir,
    Link,
}

impl Walk<'_> {
    /// `lineage` are the real directories that links on the way here were left from: entering one again is a loop.
    fn dir(&self, dir: &RelPath, lineage: &[PathBuf]) -> Result<Found, Error> {
        let mut found = Found::default();
        let names = match self.names(dir, &mut found.passed_over) {
            Err(source) if dir.is_root() => return Err(Error::List { path: self.root.to_owned(), source }),
            Err(error) => {
                found.passed_over.push(format!("{dir}: {error}"));
                return Ok(found);
            }
            Ok(names) => names,
        };
        let entry = |(child, kind)| match kind {
            Kind::File => Some(Entry::File(child)),
            Kind::Dir => Some(Entry::Dir(child, None)),
            Kind::Link => self.link(child, lineage),
        };
        let mut kept: Vec<Entry> = names.into_iter().filter_map(entry).collect();
        kept.sort_unstable_by(|left, right| left.path().cmp(right.path()));
        self.entries(kept, lineage, &mut found)?;
        Ok(found)
    }

    /// What lies in a directory, remembered or listed.
    fn names(&self, dir: &RelPath, passed_over: &mut Vec<String>) -> std::io::Result<Vec<(RelPath, Kind)>> {
        let path = dir.to_path(self.root);
        let (now, metadata) = (SystemTime::now(), self.tracker.metadata(&path)?);
        let known = self.memory.known(dir, &metadata);
        if let Some(names) = known.and_then(|listing| self.remembered(dir, listing)) {
            return Ok(names);
        }
        let mut names = Vec::new();
        let before = passed_over.len();
        for entry in fs::read_dir(&path)?.flatten() {
            let name = entry.file_name();
            let Some(child) = name.to_str().and_then(|name| dir.push(name).ok()) else {
                passed_over.push(format!("{dir}/{}: the name is not UTF-8", name.to_string_lossy()));
                continue;
            };
            if child.file_name().is_some_and(|name| name.starts_with(UNFINISHED)) {
                continue;
            }
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_symlink() {
                names.push((child, Kind::Link));
            } else if (kind.is_dir() || kind.is_file()) && !self.is_ignored(&child, kind.is_dir()) {
                names.push((child, if kind.is_dir() { Kind::Dir } else { Kind::File }));
            }
        }
        if passed_over.len() == before {
            self.memory.learn(dir, &metadata, now, self.listing(&names));
        }
        Ok(names)
    }

    /// The rules, then each name after a letter for its kind; no name holds a NUL.
    fn listing(&self, names: &[(RelPath, Kind)]) -> Vec<u8> {
        let mut listing = self.rules.to_vec();
        for (path, kind) in names {
            let letter = match kind {
                Kind::File => 'f',
                Kind::Dir => 'd',
                Kind::Link => 'l',
            };
            listing.extend(format!("{letter}{}\0", path.file_name().unwrap_or_default()).as_bytes());
        }
        listing
    }

    /// Nothing where it was written under other rules.
    fn remembered(&self, dir: &RelPath, listing: &[u8]) -> Option<Vec<(RelPath, Kind)>> {
        let names = std::str::from_utf8(listing.strip_prefix(&self.rules)?).ok()?;
        let name = |text: &str| {
            let kind = match text.get(..1)? {
                "f" => Kind::File,
                "d" => Kind::Dir,
                "l" => Kind::Link,
                _ => return None,
            };
            Some((dir.push(&text[1..]).ok()?, kind))
        };
        names.split_terminator('\0').map(name).collect()
    }

    /// Directories at once, and everything in order: no list is sorted as a whole.
    fn entries(&self, entries: Vec<Entry>, lineage: &[PathBuf], found: &mut Found) -> Result<(), Error> {
        let below: Vec<_> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::File(_) => None,
                Entry::Dir(dir, lineage_there) => Some((dir, lineage_there.as_deref().unwrap_or(lineage))),
            })
            .collect();
        let dirs: Vec<Found> = match below[..] {
            // What one thread does at once is not worth being handed over.
            [] | [_] => below.iter().map(|(dir, lineage)| self.dir(dir, lineage)).collect::<Result<_, _>>()?,
            _ => below.par_iter().map(|(dir, lineage)| self.dir(dir, lineage)).collect::<Result<_, _>>()?,
        };
        let mut dirs = dirs.into_iter();
        for entry in entries {
            match entry {
                Entry::File(file) => found.files.push(file),
                Entry::Dir(..) => {
                    let mut below = dirs.next().unwrap_or_default();
                    found.files.append(&mut below.files);
                    found.passed_over.append(&mut below.passed_over);
                }
            }
        }
        Ok(())
    }

    /// A link counts as what it leads to, inside the repository. A dangling one counts as nothing.
    fn link(&self, link: RelPath, lineage: &[PathBuf]) -> Option<Entry> {
        let real = self.tracker.real_path(&link.to_path(self.root), self.real_root).ok()?;
        if !real.starts_with(self.real_root) || self.is_ignored(&link, real.is_dir()) {
            return None;
        }
        if real.is_file() {
            return Some(Entry::File(link));
        }
        let here = link.parent().map(|dir| dir.to_path(self.root));
        let here = here.and_then(|here| fs::canonicalize(here).ok());
        let lineage: Vec<PathBuf> = lineage.iter().cloned().chain(here).collect();
        let is_loop = lineage.iter().any(|from| from.starts_with(&real));
        (real.is_dir() && !is_loop).then_some(Entry::Dir(link, Some(lineage)))
    }

    fn is_ignored(&self, path: &RelPath, is_dir: bool) -> bool {
        self.ignored.matched(path, is_dir).is_ignore()
    }
}

#[cfg(test)]
mod tests {
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
    fn ignore_patterns_are_gitignore_and_a_later_negation_wins() {
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
    fn what_a_killed_run_left_half_written_is_no_source() {
        let root = tree(&["a/.waders-rewrite-x1y2z3", "a/b.py"]);
        assert_eq!(names(&walk(root.path(), &[])), ["a/b.py"]);
    }

    #[test]
    fn links_are_followed_inside_and_loops_end() {
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
    fn a_name_that_is_not_utf8_is_passed_over_and_named() {
        use std::os::unix::ffi::OsStrExt;
        let root = tree(&["a.py"]);
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff.py")), "").expect("file");
        let files = walk(root.path(), &[]);
        assert_eq!(names(&files), ["a.py"]);
        assert_eq!(files.passed_over.len(), 1);
    }

    /// Remembers every listing for good, whatever the directory looks like.
    #[derive(Default)]
    struct Forever(std::sync::Mutex<std::collections::HashMap<RelPath, &'static [u8]>>);

    impl Memory for Forever {
        fn known(&self, dir: &RelPath, _: &Metadata) -> Option<&[u8]> {
            self.0.lock().expect("no thread panicked").get(dir).copied()
        }

        fn learn(&self, dir: &RelPath, _: &Metadata, _: SystemTime, listing: Vec<u8>) {
            self.0.lock().expect("no thread panicked").insert(dir.clone(), listing.leak());
        }
    }

    #[test]
    fn what_is_remembered_is_not_listed_again_unless_other_rules_hold() {
        let root = tree(&["a/f.py", "a/b/g.py", "c/h.log"]);
        std::os::unix::fs::symlink("../c", root.path().join("a/to_c")).expect("link");
        let memory = Forever::default();
        let walk = |ignore: &str| {
            let files =
                Files::walk(root.path(), &[ignore.to_owned()], true, &memory, &Tracker::default()).expect("walks");
            names(&files).join(" ")
        };
        let all = "a/b/g.py a/f.py a/to_c/h.log c/h.log";
        assert_eq!(walk("*.tmp"), all);
        fs::write(root.path().join("a/new.py"), "").expect("file");
        fs::remove_file(root.path().join("a/to_c")).expect("link");
        assert_eq!(walk("*.tmp"), "a/b/g.py a/f.py c/h.log", "a link is looked at each time");
        assert_eq!(walk("*.log"), "a/b/g.py a/f.py a/new.py");
        fs::write(root.path().join(".gitignore"), "b/").expect("file");
        assert_eq!(walk("*.log"), ".gitignore a/f.py a/new.py");
    }

    #[test]
    fn a_directory_holds_one_range() {
        let path = |text: &str| RelPath::parse(text).expect("clean");
        let files = Files::of(["a-b/x", "a/b/y", "a/x", "a/c/d/z", "a.py", "b"].map(path).to_vec());
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
    fn what_is_walked_is_sorted() {
        let root = tree(&["a-b/x", "a/b/y", "a/x", "a/c/d/z", "a.py", "b", "a/b-c/d", "a/b.py"]);
        let files = walk(root.path(), &[]);
        assert_eq!(names(&files), names(&Files::of(files.iter().cloned().collect())));
        assert_eq!(files.len(), 8);
    }
}
