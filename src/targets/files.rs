//! All files of the repository that are not ignored, found by one parallel walk. Globs are matched against this list.
//! Reads no files, and lists a directory only if its cached listing is outdated.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rayon::prelude::*;

use crate::base::glob::Globs;
use crate::base::{Digest, RelPath, UNFINISHED_PREFIX};
use crate::targets::DirectoryCache;
use crate::tracked::Tracker;

/// The repository cannot be walked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The build root cannot be listed.
    #[error("cannot list `{path}`")]
    List {
        /// The directory.
        path: PathBuf,
        /// The answer of the operating system.
        source: std::io::Error,
    },
    /// A pattern of `[GLOBAL] pants_ignore` is invalid.
    #[error("invalid ignore pattern `{pattern}`")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The cause.
        source: ignore::Error,
    },
}

/// The files of a repository.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Sorted, so that the content of a directory is one range.
    all: Vec<RelPath>,
    /// Every directory that contains a file at any depth. Sorted.
    dirs: Vec<Dir>,
    /// Entries that the walk skipped, each with the reason: names that are not UTF-8, directories that cannot be
    /// listed.
    pub skipped_entries: Vec<String>,
    /// Links that lead out of the repository, sorted. What they lead to is not part of it.
    pub outside_links: Vec<RelPath>,
}

#[derive(Clone, Debug)]
struct Dir {
    path: RelPath,
    /// Indexes in `all` of the files in the directory and below it.
    below: Range<usize>,
    /// Indexes in `all` of the files directly in the directory.
    own: Vec<usize>,
}

impl Files {
    /// Walks the repository. `pants_ignore` has the syntax of `.gitignore`; later patterns take precedence over earlier
    /// ones and over `.gitignore`, which is read if `use_gitignore` is set.
    pub fn walk(
        root: &Path,
        pants_ignore: &[String],
        use_gitignore: bool,
        cache: &dyn DirectoryCache,
        tracker: &Tracker,
    ) -> Result<Files, Error> {
        let (ignored, rules_digest) = build_ignore_rules(root, tracker, pants_ignore, use_gitignore)?;
        let real_root = fs::canonicalize(root).map_err(|source| Error::List { path: root.to_owned(), source })?;
        let walk = Walk { root, real_root: &real_root, ignored, rules_digest, cache, tracker };
        let found = walk.dir(&RelPath::root(), std::slice::from_ref(&real_root))?;
        let mut files = Files::from_sorted(found.files);
        files.skipped_entries = found.skipped_entries;
        files.skipped_entries.sort();
        files.outside_links = found.outside_links;
        files.outside_links.sort();
        Ok(files)
    }

    /// A list of files without a walk.
    pub fn from_paths(mut all: Vec<RelPath>) -> Files {
        all.par_sort_unstable();
        all.dedup();
        Files::from_sorted(all)
    }

    fn from_sorted(all: Vec<RelPath>) -> Files {
        let mut dirs = vec![Dir { path: RelPath::root(), below: 0..all.len(), own: Vec::new() }];
        // Indexes in `dirs` of the current directory and its ancestors.
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
        Files { all, dirs, skipped_entries: Vec::new(), outside_links: Vec::new() }
    }

    /// All files, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &RelPath> {
        self.all.iter()
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are no files.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether the repository contains this file.
    pub fn contains(&self, file: &RelPath) -> bool {
        self.all.binary_search(file).is_ok()
    }

    /// Whether the path is a directory that contains a file at any depth.
    pub fn is_dir(&self, dir: &RelPath) -> bool {
        dir.is_root() || self.dir(dir).is_some()
    }

    /// Whether the path is a file or a directory of the repository.
    pub fn has_path(&self, path: &RelPath) -> bool {
        self.contains(path) || self.is_dir(path)
    }

    /// The files directly in a directory, sorted.
    pub fn in_dir(&self, dir: &RelPath) -> impl Iterator<Item = &RelPath> {
        self.dir(dir).into_iter().flat_map(|dir| &dir.own).map(|place| &self.all[*place])
    }

    /// The files in a directory and below it, sorted.
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

/// The ignore rules, and a digest of them: cached listings depend on the rules.
fn build_ignore_rules(
    root: &Path,
    tracker: &Tracker,
    pants_ignore: &[String],
    use_gitignore: bool,
) -> Result<(Gitignore, [u8; 32]), Error> {
    let mut builder = GitignoreBuilder::new(root);
    let mut texts = vec![format!("listing-1 {use_gitignore}").into_bytes()];
    if use_gitignore {
        // Invalid lines are skipped, as git does.
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
    rules_digest: [u8; 32],
    cache: &'a dyn DirectoryCache,
    tracker: &'a Tracker,
}

#[derive(Default)]
struct WalkResult {
    /// Sorted.
    files: Vec<RelPath>,
    skipped_entries: Vec<String>,
    outside_links: Vec<RelPath>,
}

enum Entry {
    File(RelPath),
    /// A directory. If it is reached by a link, with the directories from which links were followed.
    Dir(RelPath, Option<Vec<PathBuf>>),
}

impl Entry {
    fn path(&self) -> &RelPath {
        match self {
            Entry::File(path) | Entry::Dir(path, _) => path,
        }
    }
}

/// The type of a directory entry. Links are resolved and matched against the ignore rules later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryKind {
    File,
    Dir,
    Link,
}

impl Walk<'_> {
    /// Walks a directory. `link_origins` are the real directories from which links on the way here were followed; a
    /// link back into one of them is a loop.
    fn dir(&self, dir: &RelPath, link_origins: &[PathBuf]) -> Result<WalkResult, Error> {
        let mut found = WalkResult::default();
        let names = match self.names(dir, &mut found.skipped_entries) {
            Err(source) if dir.is_root() => return Err(Error::List { path: self.root.to_owned(), source }),
            Err(error) => {
                found.skipped_entries.push(format!("{dir}: {error}"));
                return Ok(found);
            }
            Ok(names) => names,
        };
        let mut entry = |(child, kind)| match kind {
            EntryKind::File => Some(Entry::File(child)),
            EntryKind::Dir => Some(Entry::Dir(child, None)),
            EntryKind::Link => self.link(child, link_origins, &mut found.outside_links),
        };
        let mut kept: Vec<Entry> = names.into_iter().filter_map(&mut entry).collect();
        kept.sort_unstable_by(|left, right| left.path().cmp(right.path()));
        self.entries(kept, link_origins, &mut found)?;
        Ok(found)
    }

    /// The entries of a directory, from the cache or from the file system.
    fn names(&self, dir: &RelPath, skipped_entries: &mut Vec<String>) -> std::io::Result<Vec<(RelPath, EntryKind)>> {
        let path = dir.to_path(self.root);
        #[expect(
            clippy::disallowed_methods,
            reason = "recent changes of a directory make its cached entries unreliable"
        )]
        let (now, metadata) = (SystemTime::now(), self.tracker.metadata(&path)?);
        let cached = self.cache.get(dir, &metadata);
        if let Some(names) = cached.and_then(|listing| self.decode_listing(dir, listing)) {
            return Ok(names);
        }
        let mut names = Vec::new();
        let before = skipped_entries.len();
        for entry in fs::read_dir(&path)?.flatten() {
            let name = entry.file_name();
            let Some(child) = name.to_str().and_then(|name| dir.push(name).ok()) else {
                skipped_entries.push(format!("{dir}/{}: the name is not UTF-8", name.to_string_lossy()));
                continue;
            };
            if child.file_name().is_some_and(|name| name.starts_with(UNFINISHED_PREFIX)) {
                continue;
            }
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_symlink() {
                names.push((child, EntryKind::Link));
            } else if (kind.is_dir() || kind.is_file()) && !self.is_ignored(&child, kind.is_dir()) {
                names.push((child, if kind.is_dir() { EntryKind::Dir } else { EntryKind::File }));
            }
        }
        if skipped_entries.len() == before {
            self.cache.insert(dir, &metadata, now, self.listing(&names));
        }
        Ok(names)
    }

    /// Encodes a listing: the digest of the ignore rules, then each entry as a letter for its type, its name and a NUL.
    fn listing(&self, names: &[(RelPath, EntryKind)]) -> Vec<u8> {
        let mut listing = self.rules_digest.to_vec();
        for (path, kind) in names {
            let letter = match kind {
                EntryKind::File => 'f',
                EntryKind::Dir => 'd',
                EntryKind::Link => 'l',
            };
            listing.extend(format!("{letter}{}\0", path.file_name().unwrap_or_default()).as_bytes());
        }
        listing
    }

    /// Decodes a listing. `None` if it was made with other ignore rules.
    fn decode_listing(&self, dir: &RelPath, listing: &[u8]) -> Option<Vec<(RelPath, EntryKind)>> {
        let names = std::str::from_utf8(listing.strip_prefix(&self.rules_digest)?).ok()?;
        let name = |text: &str| {
            let kind = match text.get(..1)? {
                "f" => EntryKind::File,
                "d" => EntryKind::Dir,
                "l" => EntryKind::Link,
                _ => return None,
            };
            Some((dir.push(&text[1..]).ok()?, kind))
        };
        names.split_terminator('\0').map(name).collect()
    }

    /// Walks subdirectories in parallel and appends all results in order, so that no list needs sorting as a whole.
    fn entries(&self, entries: Vec<Entry>, link_origins: &[PathBuf], found: &mut WalkResult) -> Result<(), Error> {
        let below: Vec<_> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::File(_) => None,
                Entry::Dir(dir, lineage_there) => Some((dir, lineage_there.as_deref().unwrap_or(link_origins))),
            })
            .collect();
        let dirs: Vec<WalkResult> = match below[..] {
            // A single directory is not worth a parallel task.
            [] | [_] => {
                below.iter().map(|(dir, link_origins)| self.dir(dir, link_origins)).collect::<Result<_, _>>()?
            }
            _ => below.par_iter().map(|(dir, link_origins)| self.dir(dir, link_origins)).collect::<Result<_, _>>()?,
        };
        let mut dirs = dirs.into_iter();
        for entry in entries {
            match entry {
                Entry::File(file) => found.files.push(file),
                Entry::Dir(..) => {
                    let mut below = dirs.next().unwrap_or_default();
                    found.files.append(&mut below.files);
                    found.skipped_entries.append(&mut below.skipped_entries);
                    found.outside_links.append(&mut below.outside_links);
                }
            }
        }
        Ok(())
    }

    /// Resolves a link to a file or directory in the repository. Dangling links and loops are omitted, links that leave the
    /// repository are added to `outside`.
    fn link(&self, link: RelPath, link_origins: &[PathBuf], outside: &mut Vec<RelPath>) -> Option<Entry> {
        let real = self.tracker.real_path(&link.to_path(self.root), self.real_root).ok()?;
        if self.is_ignored(&link, real.is_dir()) {
            return None;
        }
        if !real.starts_with(self.real_root) {
            outside.push(link);
            return None;
        }
        if real.is_file() {
            return Some(Entry::File(link));
        }
        let here = link.parent().map(|dir| dir.to_path(self.root));
        let here = here.and_then(|here| fs::canonicalize(here).ok());
        let link_origins: Vec<PathBuf> = link_origins.iter().cloned().chain(here).collect();
        let is_loop = link_origins.iter().any(|from| from.starts_with(&real));
        (real.is_dir() && !is_loop).then_some(Entry::Dir(link, Some(link_origins)))
    }

    fn is_ignored(&self, path: &RelPath, is_dir: bool) -> bool {
        self.ignored.matched(path, is_dir).is_ignore()
    }
}

#[cfg(test)]
mod tests;
