//! Where uv finds packages: the indexes and directories that the built-in client uses too.

use std::path::Path;
use std::sync::Arc;

use crate::base::{Digest, RelPath};
use crate::packaging::lockfile::resolution::LocalDirectory;
use crate::plan::lock_run::{self, PackageSources, Wheelhouse};
use crate::prepare::Error;
use crate::prepare::locks::gateway::{self, Gateway};
use crate::session::Session;
use crate::store::{Node, Tree};

/// The sources of packages as a step sees them, the local directories among them, and the way to the others.
pub(super) fn find(session: &mut Session) -> Result<(PackageSources, Vec<LocalDirectory>, Arc<Gateway>), Error> {
    let indexes = session.context.package_indexes()?;
    let (client, store) = (session.context.http_client(), session.services.open_store()?);
    let gateway = Gateway::new(client, store, &indexes, session.context.global().use_cache)?;
    let urls = indexes.indexes.iter().map(|place| gateway::in_the_clear(&place.url));
    let mut sources = PackageSources { indexes: urls.collect::<Result<_, _>>()?, ..PackageSources::default() };
    let mut directories = Vec::new();
    let tracker = session.context.tracker.clone();
    let is_dir = |path: &str| tracker.metadata(Path::new(path)).as_ref().is_ok_and(std::fs::Metadata::is_dir);
    for place in indexes.find_links {
        match place.url.strip_prefix("file://").or_else(|| place.url.strip_prefix('/').map(|_| place.url.as_str())) {
            // Like pip, ignores a directory that does not exist.
            Some(dir) if is_dir(dir) => {
                let resolved_at = lock_run::wheelhouse_at(sources.wheelhouses.len());
                let (tree, file_names) = wheelhouse(session, Path::new(dir))?;
                let path = dir.trim_end_matches('/').to_owned();
                sources.wheelhouses.push(Wheelhouse { dir: path.clone(), tree });
                directories.push(LocalDirectory { resolved_at, path, file_names });
            }
            Some(_) => {}
            None => sources.find_links.push(gateway::in_the_clear(&place.url)?),
        }
    }
    Ok((sources, directories, Arc::new(gateway)))
}

/// The tree of some files.
pub(super) fn file_tree(session: &mut Session, files: &[(&str, &[u8])]) -> Result<Digest, Error> {
    let store = session.services.open_store()?;
    let mut tree = Tree::default();
    for (name, bytes) in files {
        tree.nodes.insert(RelPath::parse(name)?, Node::File { digest: store.put(bytes)?, executable: false });
    }
    Ok(store.put_tree(&tree)?)
}

/// The files of a directory of wheels and source distributions.
fn wheelhouse(session: &mut Session, dir: &Path) -> Result<(Digest, Vec<String>), Error> {
    let store = session.services.open_store()?;
    let mut tree = Tree::default();
    let mut names = Vec::new();
    for link in crate::net::directory(dir)? {
        let digest = store.put_file(&dir.join(&link.file_name))?;
        tree.nodes.insert(RelPath::parse(&link.file_name)?, Node::File { digest, executable: false });
        names.push(link.file_name);
    }
    Ok((store.put_tree(&tree)?, names))
}
