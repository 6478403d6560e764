//! Which directories and links an image has below what is added to it, as far as that decides where a file appears. What files contain
//! is not known here.

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::layer::MERGED;
use crate::base::RelPath;

/// The directories of every system that is composed.
const DIRECTORIES: [&str; 16] = [
    "etc",
    "home",
    "home/app",
    "opt",
    "root",
    "run",
    "srv",
    "tmp",
    "usr",
    "usr/bin",
    "usr/lib",
    "usr/local",
    "usr/local/bin",
    "usr/sbin",
    "var",
    "var/tmp",
];

/// The number of links that are followed, that of Linux (path_resolution(7)).
const LINK_LIMIT: usize = 40;

/// How layers remove what lower layers have:
/// <https://github.com/opencontainers/image-spec/blob/main/layer.md#representing-changes>.
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// A member of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Member {
    /// A directory.
    Directory(RelPath),
    /// A symbolic link and its target.
    Link(RelPath, String),
    /// Anything else at a path.
    File(RelPath),
    /// What lower layers have at a path is removed.
    Removed(RelPath),
    /// What lower layers have in a directory is removed.
    Emptied(RelPath),
}

/// What a path of an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Directory,
    Link(String),
    File,
}

/// The paths of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Existing {
    paths: BTreeMap<RelPath, Kind>,
}

impl Member {
    /// The members of the archive of a layer. Paths that are not valid in a store are left out: nothing can be added there.
    pub fn read(archive: impl Read) -> std::io::Result<Vec<Member>> {
        let mut members = Vec::new();
        for entry in tar::Archive::new(archive).entries()? {
            let entry = entry?;
            let path = entry.path()?;
            let Some(path) = path.to_str().and_then(clean).filter(|path| !path.is_root()) else { continue };
            let link = entry.link_name()?.and_then(|target| target.to_str().map(str::to_owned));
            members.push(match (entry.header().entry_type(), link) {
                (tar::EntryType::Directory, _) => Member::Directory(path),
                (tar::EntryType::Symlink, Some(target)) => Member::Link(path, target),
                _ => removal(&path).unwrap_or(Member::File(path)),
            });
        }
        Ok(members)
    }
}

/// What a whiteout removes; `None` for other files.
fn removal(path: &RelPath) -> Option<Member> {
    let (dir, name) = (path.parent().unwrap_or_default(), path.file_name()?);
    match name.strip_prefix(WHITEOUT) {
        Some(_) if name == OPAQUE => Some(Member::Emptied(dir)),
        Some(removed) => Some(Member::Removed(dir.push(removed).ok()?)),
        None => None,
    }
}

/// A path of an archive, which may begin with `./` or `/` and end with a slash.
fn clean(path: &str) -> Option<RelPath> {
    RelPath::root().resolve(path.trim_start_matches('/').trim_end_matches('/')).ok()
}

impl Existing {
    /// The paths that matter of an image that is composed of the system tree.
    pub fn composed() -> Existing {
        let parse = |path: &str| RelPath::parse(path).expect("constants are clean");
        let directories = DIRECTORIES.into_iter().map(|path| (parse(path), Kind::Directory));
        let links = MERGED.into_iter().map(|name| (parse(name), Kind::Link(format!("usr/{name}"))));
        Existing { paths: directories.chain(links).collect() }
    }

    /// Adds the members of a layer above those that were added before.
    pub fn add(&mut self, members: Vec<Member>) {
        // What a layer removes is in the layers below, wherever it is named in its archive.
        for member in &members {
            match member {
                Member::Removed(path) => self.remove(path, true),
                Member::Emptied(path) => self.remove(path, false),
                _ => {}
            }
        }
        for member in members {
            match member {
                Member::Directory(path) => self.insert(path, Kind::Directory),
                Member::Link(path, target) => self.insert(path, Kind::Link(target)),
                Member::File(path) => self.insert(path, Kind::File),
                Member::Removed(_) | Member::Emptied(_) => {}
            }
        }
    }

    fn insert(&mut self, path: RelPath, kind: Kind) {
        for above in path.ancestors().filter(|above| !above.is_root()) {
            self.paths.entry(above).or_insert(Kind::Directory);
        }
        if kind != Kind::Directory && self.paths.get(&path) == Some(&Kind::Directory) {
            self.remove(&path, true);
        }
        self.paths.insert(path, kind);
    }

    /// Removes what is below a path, and perhaps the path.
    fn remove(&mut self, path: &RelPath, whole: bool) {
        self.paths.retain(|other, _| if other == path { !whole } else { !other.starts_with(path) });
    }

    /// Whether a path without links is a directory.
    pub fn is_directory(&self, path: &RelPath) -> bool {
        path.is_root() || self.paths.get(path) == Some(&Kind::Directory)
    }

    /// The path that a path leads to, through all links. Links out of the image, and those in a circle, lead nowhere: the path is returned
    /// as it is.
    pub fn resolve(&self, path: &RelPath) -> RelPath {
        let mut rest: Vec<String> = path.components().rev().map(str::to_owned).collect();
        let (mut done, mut followed) = (RelPath::root(), 0);
        while let Some(component) = rest.pop() {
            if component == ".." {
                done = done.parent().unwrap_or_default();
                continue;
            }
            let Ok(next) = done.push(&component) else { return path.clone() };
            match self.paths.get(&next) {
                Some(Kind::Link(target)) => {
                    followed += 1;
                    if followed > LINK_LIMIT {
                        return path.clone();
                    }
                    if target.starts_with('/') {
                        done = RelPath::root();
                    }
                    let components = target.split('/').filter(|part| !part.is_empty() && *part != ".");
                    rest.extend(components.rev().map(str::to_owned));
                }
                _ => done = next,
            }
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    fn link(at: &str, target: &str) -> Member {
        Member::Link(path(at), target.to_owned())
    }

    #[test]
    fn links_are_followed() {
        let mut image = Existing::default();
        image.add(vec![
            Member::Directory(path("usr/bin")),
            link("bin", "usr/bin"),
            link("var/run", "/run"),
            link("usr/bin/python", "python3"),
            link("usr/up", "../srv/./x"),
            link("loop", "loop"),
        ]);
        for (from, to) in [
            ("bin/app", "usr/bin/app"),
            ("var/run/x", "run/x"),
            ("bin/python", "usr/bin/python3"),
            ("usr/up", "srv/x"),
            ("loop", "loop"),
            ("none/x", "none/x"),
        ] {
            assert_eq!(image.resolve(&path(from)), path(to), "{from}");
        }
        assert!(image.is_directory(&path("usr")) && !image.is_directory(&path("bin")));
    }

    #[test]
    fn upper_layers_replace_and_remove_what_lower_ones_have() {
        let mut image = Existing::default();
        image.add(vec![
            Member::Directory(path("a")),
            Member::File(path("a/x")),
            Member::Directory(path("d/e")),
            link("l", "d"),
        ]);
        image.add(vec![removal(&path("a/.wh.x")).unwrap(), removal(&path("d/.wh..wh..opq")).unwrap()]);
        assert!(image.is_directory(&path("a")) && image.is_directory(&path("d")) && !image.is_directory(&path("d/e")));
        image.add(vec![Member::Directory(path("l")), Member::File(path("a"))]);
        assert_eq!(image.resolve(&path("l/x")), path("l/x"));
        assert!(!image.is_directory(&path("a")));
        image.add(vec![removal(&path(".wh.l")).unwrap()]);
        assert!(!image.is_directory(&path("l")));
    }

    #[test]
    fn members_of_an_archive_are_read() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut add = |kind: tar::EntryType, name: &str, target: &str| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            match target {
                "" => archive.append_data(&mut header, name, std::io::empty()).unwrap(),
                target => archive.append_link(&mut header, name, target).unwrap(),
            }
        };
        add(tar::EntryType::Directory, "./usr/", "");
        add(tar::EntryType::Symlink, "bin", "usr/bin");
        add(tar::EntryType::Link, "usr/hard", "usr/file");
        add(tar::EntryType::Regular, "usr/.wh.old", "");
        let members = Member::read(archive.into_inner().unwrap().as_slice()).unwrap();
        let expected = [
            Member::Directory(path("usr")),
            link("bin", "usr/bin"),
            Member::File(path("usr/hard")),
            Member::Removed(path("usr/old")),
        ];
        assert_eq!(members, expected);
    }
}
