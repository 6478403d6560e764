//! Packages that a lockfile takes from version control: the files of the locked commit as an archive whose hash `waders.lock` records. They
//! are built like any source distribution.

use std::path::PathBuf;

use crate::base::{Digest, ErrorKind, RelPath};
use crate::packaging::archive::{self, Format};
use crate::packaging::lockfile::GitSource;
use crate::session::git::source;
use crate::session::memo::memoized;
use crate::session::toolchains::LOCK;
use crate::session::{self, Session};
use crate::store::{CaptureLimits, Node, Tree};
use crate::toolchain::{Lock, LockedSource};

/// Why a package from version control cannot be had. `place` is its place in the lockfile.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// git cannot fetch the commit.
    #[error("{place}: cannot fetch `{name}` from `{url}` at commit `{commit}`")]
    Fetch {
        /// The place in the lockfile.
        place: String,
        /// The package.
        name: String,
        /// The repository.
        url: String,
        /// The commit.
        commit: String,
        /// The answer of git.
        source: source::Error,
    },
    /// The files differ from those that were locked.
    #[error(
        "{place}: the files of `{name}` at commit `{commit}` have the hash `{got}`, but `waders.lock` records `{expected}`"
    )]
    WrongHash {
        /// The place in the lockfile.
        place: String,
        /// The package.
        name: String,
        /// The commit.
        commit: String,
        /// The hash of the archive.
        got: String,
        /// The recorded hash.
        expected: String,
    },
    /// `waders.lock` must not be changed.
    #[error(
        "{place}: `waders.lock` has no hash of `{name}`, which is taken from version control, and it must not be changed"
    )]
    Frozen {
        /// The place in the lockfile.
        place: String,
        /// The package.
        name: String,
    },
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] archive::Error),
}

impl Error {
    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Fetch { .. } => ErrorKind::Unavailable,
            Error::WrongHash { .. } => ErrorKind::WrongBytes,
            Error::Frozen { .. } => ErrorKind::Lock,
            Error::Archive(_) => ErrorKind::Store,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::Fetch { .. } => {
                "check that `git fetch` works with this URL on this machine; tests of projects that do not require the package run"
            }
            Error::WrongHash { .. } => "if the commit is the right one, delete its record from `waders.lock`",
            Error::Frozen { .. } => "run the same command once without `--frozen` and `CI`, then commit `waders.lock`",
            Error::Archive(_) => "check the free space of the store",
        }
    }
}

/// A file with the contents of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitArchive {
    /// The file in the store.
    pub path: PathBuf,
    /// In lower-case hexadecimal digits.
    pub sha256: String,
}

/// The archive of a package, from the store or fetched now, and recorded in `waders.lock`. `stem` is `name-version`, the directory in the
/// archive, and `place` that of the package in its lockfile.
pub fn provide(session: &mut Session, git: &GitSource, stem: &str, place: &str) -> Result<GitArchive, session::Error> {
    let store = session.services.open_store()?;
    let path = session.build_root().join(LOCK);
    let mut lock = Lock::load(&session.context.tracker, &path)?;
    let subdirectory = git.subdirectory.clone().unwrap_or_default();
    let recorded = lock.source(stem, &git.commit, &subdirectory).map(|source| source.sha256.clone());
    if recorded.is_none() && session.context.is_frozen() {
        return Err(Error::Frozen { place: place.to_owned(), name: stem.to_owned() }.into());
    }
    let key = |sha256: &str| Some(serde_json::json!(["git-archive-2", stem, sha256]));
    let (mut tree, mut sha256) = match &recorded {
        Some(sha256) => memoized(&store, key(sha256), || fetch(session, git, stem, place))?,
        None => {
            let fetched = fetch(session, git, stem, place)?;
            memoized(&store, key(&fetched.1.clone()), || Ok::<_, session::Error>(fetched))?
        }
    };
    let image = match store.materialize(tree) {
        Ok(image) => image,
        // The store does not have it any more.
        Err(_) => {
            (tree, sha256) = fetch(session, git, stem, place)?;
            store.materialize(tree)?
        }
    };
    if let Some(expected) = recorded.filter(|expected| *expected != sha256) {
        let (place, name, commit) = (place.to_owned(), stem.to_owned(), git.commit.clone());
        return Err(Error::WrongHash { place, name, commit, got: sha256, expected }.into());
    }
    lock.insert_source(LockedSource {
        name: stem.to_owned(),
        commit: git.commit.clone(),
        subdirectory,
        sha256: sha256.clone(),
    });
    super::toolchains::save(session, &lock, &path)?;
    Ok(GitArchive { path: image.join(file_name(stem)), sha256 })
}

/// The name of the archive.
pub fn file_name(stem: &str) -> String {
    format!("{stem}.tar")
}

/// The tree with the archive, and the hash of the archive.
fn fetch(session: &mut Session, git: &GitSource, stem: &str, place: &str) -> Result<(Digest, String), session::Error> {
    let store = session.services.open_store()?;
    let scratch = store.scratch()?;
    let phase = session.ui.console.phase("fetching packages from version control");
    let found = source::check_out(scratch.path(), &git.url, &git.commit, git.subdirectory.as_deref());
    let dir = found.map_err(|source| Error::Fetch {
        place: place.to_owned(),
        name: stem.to_owned(),
        url: session::without_credentials(&git.url),
        commit: git.commit.clone(),
        source,
    })?;
    drop(phase);
    let mut named = Tree::default();
    let contents = store.capture(&dir, &CaptureLimits::default())?;
    named.nodes.extend(store.tree(contents)?.nodes.into_iter().map(|(path, node)| {
        let top = RelPath::parse(stem).unwrap_or_default();
        (top.join(&path), node)
    }));
    let archive = scratch.path().join(file_name(stem));
    archive::write_file(&store, store.put_tree(&named)?, Format::Tar, &archive).map_err(Error::from)?;
    let digest = store.put_file(&archive)?;
    let read = |source| session::Error::ReadFile { path: archive.clone(), source };
    let sha256 = crate::net::sha256_of(&archive).map_err(read)?;
    let name = RelPath::parse(&file_name(stem))?;
    let tree = Tree { nodes: [(name, Node::File { digest, executable: false })].into_iter().collect() };
    Ok((store.put_tree(&tree)?, sha256))
}
