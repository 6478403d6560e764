//! What `COPY` instructions of a Dockerfile put into an image, from the files of a context. The rules are those of Docker
//! (<https://docs.docker.com/reference/dockerfile/#copy>). Which directories and links the base image has is the caller's knowledge.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Error;
use super::existing::Existing;
use crate::base::glob::Glob;
use crate::base::{Digest, RelPath};
use crate::store::{Node, Store, Tree};

/// An instruction that changes the files of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A directory is made, if it does not exist.
    Directory(RelPath),
    /// Files and the contents of directories are copied.
    Copy {
        /// The line of the Dockerfile, from 1.
        line: usize,
        /// Paths and globs below the root of the context.
        sources: Vec<String>,
        /// Where to, below the root of the image.
        to: RelPath,
        /// Whether `to` is a directory in any case.
        into_directory: bool,
        /// Whether the files are executable, if the instruction says so.
        executable: Option<bool>,
    },
}

/// Applies the changes to an empty tree. `root` is the root of the context in the tree `context`, and `base` is what the image has already.
pub fn apply(
    store: &Store,
    context: Digest,
    root: &RelPath,
    changes: &[Change],
    base: &Existing,
) -> Result<Digest, Error> {
    let context = store.tree(context)?.nodes;
    let context = context.into_iter().filter_map(|(path, node)| Some((path.strip_prefix(root)?, node))).collect();
    let mut image = Image { base, context, nodes: BTreeMap::new() };
    for change in changes {
        match change {
            Change::Directory(path) => image.directory(&base.resolve(path)),
            Change::Copy { line, sources, to, into_directory, executable } => {
                let to = base.resolve(to);
                let several = sources.len() > 1 || sources.iter().any(|source| glob(source).is_some());
                let into_directory = *into_directory || several || image.has_directory(&to);
                for source in sources {
                    let missing = || Error::NothingToCopy { line: *line, source_path: source.clone() };
                    image.copy(source, &to, into_directory, *executable).ok_or_else(missing)?;
                }
            }
        }
    }
    Ok(store.put_tree(&Tree { nodes: image.nodes })?)
}

/// The glob that a source is; `None` for a path.
fn glob(source: &str) -> Option<Glob> {
    source.contains(['*', '?', '[']).then(|| Glob::compile(source).ok())?
}

struct Image<'b> {
    base: &'b Existing,
    /// The files of the context, below its root.
    context: BTreeMap<RelPath, Node>,
    nodes: BTreeMap<RelPath, Node>,
}

impl Image<'_> {
    fn has_directory(&self, path: &RelPath) -> bool {
        self.base.is_directory(path)
            || self.nodes.get(path) == Some(&Node::EmptyDirectory)
            || self.nodes.keys().any(|other| other != path && other.starts_with(path))
    }

    fn directory(&mut self, path: &RelPath) {
        if !self.has_directory(path) {
            self.insert(path.clone(), Node::EmptyDirectory);
        }
    }

    /// Adds a file. Directories that it fills are no longer empty, and a file at its place is replaced.
    fn insert(&mut self, path: RelPath, node: Node) {
        for above in path.ancestors() {
            self.nodes.remove(&above);
        }
        self.nodes.insert(path, node);
    }

    /// Copies a file or the contents of a directory; `None` if there is nothing.
    fn copy(&mut self, source: &str, to: &RelPath, into_directory: bool, executable: Option<bool>) -> Option<()> {
        let mut copied = Vec::new();
        for found in self.matches(source) {
            match self.context.get(&found) {
                Some(node @ (Node::File { .. } | Node::Symlink { .. })) => {
                    let name = found.file_name().unwrap_or_default();
                    let path = if into_directory { to.push(name).ok()? } else { to.clone() };
                    copied.push((path, node.clone()));
                }
                Some(Node::EmptyDirectory) => copied.push((to.clone(), Node::EmptyDirectory)),
                None => {
                    let below = self.context.iter();
                    let below =
                        below.filter_map(|(path, node)| Some((to.join(&path.strip_prefix(&found)?), node.clone())));
                    copied.extend(below);
                }
            }
        }
        if copied.is_empty() {
            return None;
        }
        for (path, node) in copied {
            // Links of the base image lead to where its files are, such as `/bin`; one at the path itself is replaced.
            let parent = self.base.resolve(&path.parent().unwrap_or_default());
            let path = parent.push(path.file_name()?).ok()?;
            let node = match (node, executable) {
                (Node::File { digest, .. }, Some(executable)) => Node::File { digest, executable },
                (node, _) => node,
            };
            match node {
                Node::EmptyDirectory => self.directory(&path),
                node => self.insert(path, node),
            }
        }
        Some(())
    }

    /// The files and directories of the context that a source names.
    fn matches(&self, source: &str) -> BTreeSet<RelPath> {
        let directories = self.context.keys().flat_map(RelPath::ancestors);
        let all = self.context.keys().cloned().chain(directories).filter(|path| !path.is_root());
        match glob(source) {
            Some(glob) => all.filter(|path| glob.matches(path.as_str())).collect(),
            None => RelPath::root().resolve(source).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::existing::Member;
    use super::*;

    const NAMES: [&str; 4] = ["app/main.pex", "app/data/one.txt", "app/data/two.txt", "msg.txt"];

    fn copy(sources: &[&str], to: &str) -> Change {
        let into_directory = to.ends_with('/');
        let to = RelPath::parse(to.trim_matches('/')).unwrap();
        let sources = sources.iter().map(|source| (*source).to_owned()).collect();
        Change::Copy { line: 3, sources, to, into_directory, executable: None }
    }

    fn applied(root: &str, changes: &[Change]) -> Result<Vec<String>, String> {
        applied_on(&Existing::composed(), root, changes)
    }

    fn applied_on(base: &Existing, root: &str, changes: &[Change]) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let digest = store.put(b"x").unwrap();
        let file = Node::File { digest, executable: false };
        let nodes = NAMES.iter().map(|name| (RelPath::parse(name).unwrap(), file.clone())).collect();
        let context = store.put_tree(&Tree { nodes }).unwrap();
        let tree =
            apply(&store, context, &RelPath::parse(root).unwrap(), changes, base).map_err(|error| error.to_string())?;
        let describe = |(path, node): (RelPath, Node)| match node {
            Node::EmptyDirectory => format!("{path}/"),
            _ => path.to_string(),
        };
        Ok(store.tree(tree).unwrap().nodes.into_iter().map(describe).collect())
    }

    #[test]
    fn a_file_goes_into_a_directory_or_gets_a_name() {
        let check = |sources: &[&str], to: &str, expected: &[&str]| {
            assert_eq!(applied("", &[copy(sources, to)]).unwrap(), expected, "{sources:?} {to}");
        };
        check(&["app/main.pex"], "/bin", &["usr/bin/main.pex"]);
        check(&["app/main.pex"], "/bin/run", &["usr/bin/run"]);
        check(&["app/main.pex"], "/", &["main.pex"]);
        check(&["app/main.pex"], "/srv/", &["srv/main.pex"]);
        check(&["app/main.pex"], "/server", &["server"]);
        check(&["/msg.txt", "./app/main.pex"], "/a", &["a/main.pex", "a/msg.txt"]);
        check(&["app/data"], "/a", &["a/one.txt", "a/two.txt"]);
        check(&["app/data/*.txt"], "/a", &["a/one.txt", "a/two.txt"]);
        check(&["."], "/a", &["a/app/data/one.txt", "a/app/data/two.txt", "a/app/main.pex", "a/msg.txt"]);
    }

    #[test]
    fn directories_of_earlier_instructions_exist() {
        let made = Change::Directory(RelPath::parse("work").unwrap());
        assert_eq!(applied("", std::slice::from_ref(&made)).unwrap(), ["work/"]);
        assert_eq!(applied("", &[made, copy(&["msg.txt"], "/work")]).unwrap(), ["work/msg.txt"]);
        let copies = [copy(&["app/data"], "/a"), copy(&["msg.txt"], "/a")];
        assert_eq!(applied("", &copies).unwrap(), ["a/msg.txt", "a/one.txt", "a/two.txt"]);
    }

    #[test]
    fn the_links_of_the_base_decide_where_files_are() {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let mut base = Existing::default();
        base.add(vec![Member::Directory(path("opt/real")), Member::Link(path("srv"), "/opt/real".to_owned())]);
        assert_eq!(applied_on(&base, "", &[copy(&["msg.txt"], "/srv")]).unwrap(), ["opt/real/msg.txt"]);
        assert_eq!(applied_on(&base, "", &[copy(&["msg.txt"], "/bin")]).unwrap(), ["bin"]);
        let whole = applied_on(&base, "app", &[copy(&["data"], "/srv/x")]).unwrap();
        assert_eq!(whole, ["opt/real/x/one.txt", "opt/real/x/two.txt"]);
        base.add(vec![Member::Link(path("app"), "srv".to_owned())]);
        assert_eq!(
            applied_on(&base, "", &[copy(&["app/data"], "/app")]).unwrap(),
            ["opt/real/one.txt", "opt/real/two.txt"]
        );
        let copied = applied_on(&base, "", &[copy(&["."], "/")]).unwrap();
        assert_eq!(copied[0], "msg.txt");
        assert!(copied.contains(&"opt/real/data/one.txt".to_owned()), "{copied:?}");
    }

    #[test]
    fn only_the_context_can_be_copied() {
        assert_eq!(applied("app", &[copy(&["main.pex"], "/a")]).unwrap(), ["a"]);
        for source in ["msg.txt", "../msg.txt", "app/none", "*.md"] {
            let error = applied("app", &[copy(&[source], "/a")]).unwrap_err();
            assert_eq!(error, format!("line 3: the context has nothing at `{source}`"));
        }
    }
}
