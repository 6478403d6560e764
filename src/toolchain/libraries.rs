//! The libraries of a system tree, as the loader would find them, and whether they are new enough.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{Error, elf};
use crate::base::{Digest, RelPath};
use crate::store::{Entry, Store};

/// The loader's own directories, below the root of a system tree.
pub const DIRS: [&str; 4] = ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/lib"];

pub struct Libraries<'s> {
    store: &'s Store,
    /// A system tree.
    tree: Digest,
    /// What was looked up: `None` where the system has no such library.
    known: RefCell<BTreeMap<String, Option<elf::Dynamic>>>,
}

impl<'s> Libraries<'s> {
    pub fn of(store: &'s Store, tree: Digest) -> Libraries<'s> {
        Libraries { store, tree, known: RefCell::default() }
    }

    pub fn has(&self, library: &str) -> Result<bool, Error> {
        Ok(self.look_up(library)?.is_some())
    }

    /// Whether everything that `file` needs of the system's libraries is there, symbol version by symbol version.
    pub fn check(&self, file: &str, dynamic: &elf::Dynamic) -> Result<(), Error> {
        for (library, versions) in &dynamic.versions_needed {
            let Some(offered) = self.look_up(library)? else { continue };
            let missing: Vec<&str> = versions
                .iter()
                .filter(|version| !offered.versions_defined.contains(*version))
                .map(String::as_str)
                .collect();
            if !missing.is_empty() {
                let (file, library, needs) = (file.to_owned(), library.clone(), format!("`{}`", missing.join("`, `")));
                return Err(Error::LibraryTooOld { file, library, needs });
            }
        }
        Ok(())
    }

    fn look_up(&self, library: &str) -> Result<Option<elf::Dynamic>, Error> {
        if let Some(known) = self.known.borrow().get(library) {
            return Ok(known.clone());
        }
        let found = self.read(library)?;
        self.known.borrow_mut().insert(library.to_owned(), found.clone());
        Ok(found)
    }

    fn read(&self, library: &str) -> Result<Option<elf::Dynamic>, Error> {
        for dir in DIRS {
            let dir = RelPath::parse(dir).expect("constants are clean");
            let Ok(mut path) = dir.push(library) else { return Ok(None) };
            // A library is a link to a link at most; more is no library.
            for _ in 0..4 {
                match self.store.lookup(self.tree, &path)? {
                    Some(Entry::File { digest, .. }) => {
                        return Ok(Some(elf::dynamic(&self.store.get(digest)?).unwrap_or_default()));
                    }
                    Some(Entry::Symlink(target)) => match path.parent().unwrap_or_default().resolve(&target) {
                        Ok(aim) => path = aim,
                        Err(_) => break,
                    },
                    _ => break,
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::{Node, Tree};

    /// A system whose only library is the one that this test runs with.
    fn system(store: &Store) -> Option<Digest> {
        let libc = std::fs::read("/lib/x86_64-linux-gnu/libc.so.6").ok()?;
        let file = Node::File { digest: store.put(&libc).unwrap(), executable: false };
        let link = Node::Symlink { target: "libc-real.so".to_owned() };
        let nodes =
            [("libc-real.so", file), ("libc.so.6", link), ("liba.so", Node::Symlink { target: "liba.so".to_owned() })];
        let path = |name: &str| RelPath::parse(&format!("{}/{name}", DIRS[0])).unwrap();
        let tree = Tree { nodes: nodes.into_iter().map(|(name, node)| (path(name), node)).collect() };
        Some(store.put_tree(&tree).unwrap())
    }

    #[test]
    fn a_program_built_for_a_newer_system_is_refused_with_what_it_needs() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let Some(tree) = system(&store) else { return println!("skipped: no glibc at the usual place") };
        let libraries = Libraries::of(&store, tree);
        let asks = |versions: &[&str]| {
            let versions: BTreeSet<String> = versions.iter().map(|version| version.to_string()).collect();
            let versions_needed = BTreeMap::from([("libc.so.6".to_owned(), versions)]);
            libraries.check("python3.12", &elf::Dynamic { versions_needed, ..elf::Dynamic::default() })
        };
        assert!(asks(&["GLIBC_2.2.5", "GLIBC_2.17"]).is_ok());
        let error = asks(&["GLIBC_2.17", "GLIBC_2.99"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`python3.12` needs `GLIBC_2.99` of `libc.so.6`, which the system tree does not have"
        );
    }

    #[test]
    fn a_library_that_is_not_there_or_a_link_to_itself_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let Some(tree) = system(&store) else { return println!("skipped: no glibc at the usual place") };
        let libraries = Libraries::of(&store, tree);
        for library in ["libb.so", "liba.so", "../x", ""] {
            assert!(!libraries.has(library).unwrap(), "{library}");
        }
    }
}
