//! The directories of first-party code, as a file that every interpreter of a sandbox reads when it starts. A variable would be
//! lost in a process that is started without the variables of its step. How the venv image refers to the file is in `packaging::venv`.

use crate::action::Source;
use crate::base::{RelPath, sandbox_paths};
use crate::prepare::images::Images;
use crate::prepare::{Error, Planner};
use crate::store::{Node, Tree};

impl Planner<'_> {
    /// Adds the list of source roots, which are relative to the build root, to the images of a sandbox. An empty list is a file, too: some
    /// type checkers warn of a link that leads nowhere.
    pub(super) fn mount_source_roots(&mut self, images: &mut Images, roots: &[RelPath]) -> Result<(), Error> {
        if !self.source_root_images.contains_key(roots) {
            let store = self.session.services.open_store()?;
            let file = RelPath::parse(sandbox_paths::SOURCE_ROOTS_FILE).expect("the path is clean");
            let node = Node::File { digest: store.put(list(roots).as_bytes())?, executable: false };
            let tree = store.put_tree_lazily(&Tree { nodes: [(file, node)].into() })?;
            self.source_root_images.insert(roots.to_vec(), Source::Tree(tree));
        }
        images.insert(sandbox_paths::SOURCE_ROOTS.to_owned(), self.source_root_images[roots]);
        Ok(())
    }
}

/// The lines of a `.pth` file. The module `site` appends those to the import path that exist and are not yet on it.
fn list(roots: &[RelPath]) -> String {
    roots.iter().map(|root| sandbox_paths::in_src(root.as_str()) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_root_has_a_line() {
        let roots = ["", "src", "libs/a b"].map(|root| RelPath::parse(root).unwrap());
        assert_eq!(list(&roots), "/src\n/src/src\n/src/libs/a b\n");
    }
}
