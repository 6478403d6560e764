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
