//! The libraries of a system tree as the loader finds them, and their symbol versions.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{Error, elf};
use crate::base::{Digest, RelPath};
use crate::store::{Entry, Store};

/// The loader's default directories (ld.so(8)), relative to the root of a system tree.
pub(super) const DIRS: [&str; 4] = ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/lib"];

/// The libraries of a system tree; each is parsed once.
pub(super) struct Libraries<'s> {
    store: &'s Store,
    /// The system tree.
    tree: Digest,
    /// The libraries that were looked up: `None` for those that do not exist.
    cache: RefCell<BTreeMap<String, Option<elf::Dynamic>>>,
}

impl<'s> Libraries<'s> {
    /// Reads nothing yet. `tree` is the system tree.
    pub(super) fn new(store: &'s Store, tree: Digest) -> Libraries<'s> {
        Libraries { store, tree, cache: RefCell::default() }
    }

    /// True if the system tree has a library of this name.
    pub(super) fn has(&self, library: &str) -> Result<bool, Error> {
        Ok(self.look_up(library)?.is_some())
    }

    /// Checks that the libraries of the system tree define every symbol version that `file` requires.
    pub(super) fn check(&self, file: &str, dynamic: &elf::Dynamic) -> Result<(), Error> {
        for (library, versions) in &dynamic.versions_needed {
            let Some(offered) = self.look_up(library)? else { continue };
            let missing: Vec<&str> = versions
                .iter()
                .filter(|version| !offered.versions_defined.contains(*version))
                .map(String::as_str)
                .collect();
            if !missing.is_empty() {
                let versions = format!("`{}`", missing.join("`, `"));
                return Err(Error::LibraryTooOld { file: file.to_owned(), library: library.clone(), versions });
            }
        }
        Ok(())
    }

    fn look_up(&self, library: &str) -> Result<Option<elf::Dynamic>, Error> {
        if let Some(cached) = self.cache.borrow().get(library) {
            return Ok(cached.clone());
        }
        let found = self.read(library)?;
        self.cache.borrow_mut().insert(library.to_owned(), found.clone());
        Ok(found)
    }

    fn read(&self, library: &str) -> Result<Option<elf::Dynamic>, Error> {
        for dir in DIRS {
            let dir = RelPath::parse(dir).expect("constants are clean");
            let Ok(mut path) = dir.push(library) else { return Ok(None) };
            // Real libraries have a few links at most; the limit ends cycles.
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

    /// A system tree with the C library that this test runs with.
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
    fn a_program_that_requires_a_newer_library_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let Some(tree) = system(&store) else { return println!("skipped: glibc is not at its usual path") };
        let libraries = Libraries::new(&store, tree);
        let check = |versions: &[&str]| {
            let versions: BTreeSet<String> = versions.iter().map(|version| version.to_string()).collect();
            let versions_needed = BTreeMap::from([("libc.so.6".to_owned(), versions)]);
            libraries.check("python3.12", &elf::Dynamic { versions_needed, ..elf::Dynamic::default() })
        };
        assert!(check(&["GLIBC_2.2.5", "GLIBC_2.17"]).is_ok());
        let error = check(&["GLIBC_2.17", "GLIBC_2.99"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`python3.12` requires `GLIBC_2.99` of `libc.so.6`, which the system tree does not provide"
        );
    }

    #[test]
    fn missing_libraries_and_cyclic_links_are_not_found() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let Some(tree) = system(&store) else { return println!("skipped: glibc is not at its usual path") };
        let libraries = Libraries::new(&store, tree);
        for library in ["libb.so", "liba.so", "../x", ""] {
            assert!(!libraries.has(library).unwrap(), "{library}");
        }
    }
}
