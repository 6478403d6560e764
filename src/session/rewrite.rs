//! Replaces a file of the user's repository: completely or not at all, and never over an edit that was made in the
//! meantime. The only place that changes sources and BUILD files of users. The new content comes from goals.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::NamedTempFile;

use crate::base::{Digest, RelPath, UNFINISHED_PREFIX, write_temporary};

/// Why a file of the repository could not be replaced.
#[allow(missing_docs, reason = "the messages describe the fields")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An operation on the file failed; `what` is a verb.
    #[error("cannot {what} `{file}`")]
    Io { what: &'static str, file: RelPath, source: io::Error },
    /// The file is read-only.
    #[error("`{0}` is read-only")]
    ReadOnly(RelPath),
    /// The file was changed during the run.
    #[error("`{0}` was changed during the run; it is left as it is")]
    Changed(RelPath),
    /// The file was deleted during the run.
    #[error("`{0}` was deleted during the run; it is not written again")]
    Deleted(RelPath),
    /// The file lies outside the repository.
    #[error("`{0}` is a link out of the repository; it is left as it is")]
    Outside(RelPath),
}

impl Error {
    /// The file that could not be replaced.
    pub fn file(&self) -> &RelPath {
        match self {
            Error::Io { file, .. } => file,
            Error::ReadOnly(file) | Error::Changed(file) | Error::Deleted(file) | Error::Outside(file) => file,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::ReadOnly(file) => Some(format!("run `chmod u+w {file}` if it may be changed")),
            Error::Changed(_) => Some("run the goal again".to_owned()),
            Error::Outside(_) => Some("change the file that the symbolic link names by hand".to_owned()),
            Error::Deleted(_) | Error::Io { .. } => None,
        }
    }
}

/// Gives `file` the content `next`. `expected` is the digest of its current content; `None` if the file must not exist. A
/// link is followed and stays a link; mode and owner are kept. Does nothing if the file has the content `next` already.
pub fn rewrite(root: &Path, file: &RelPath, expected: Option<Digest>, next: &[u8]) -> Result<(), Error> {
    match expected {
        None => create(root, file, next),
        Some(expected) => replace(root, file, expected, next),
    }
}

fn create(root: &Path, file: &RelPath, next: &[u8]) -> Result<(), Error> {
    let at = |what| move |source| Error::Io { what, file: file.clone(), source };
    let dir = real(root, file, &file.parent().unwrap_or_default())?;
    let _shared = share(&dir);
    let path = dir.join(file.file_name().unwrap_or_default());
    let whole = synced_temporary(&dir, next).map_err(at("write"))?;
    match whole.persist_noclobber(&path) {
        Ok(_) => synced(&dir).map_err(at("write")),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(Error::Changed(file.clone())),
        Err(error) => Err(at("create")(error.error)),
    }
}

fn replace(root: &Path, file: &RelPath, expected: Digest, next: &[u8]) -> Result<(), Error> {
    let at = |what| move |source| Error::Io { what, file: file.clone(), source };
    if !file.to_path(root).exists() {
        return Err(Error::Deleted(file.clone()));
    }
    let path = real(root, file, file)?;
    let now = Digest::of(&fs::read(&path).map_err(at("read"))?);
    if now == Digest::of(next) {
        return Ok(());
    }
    if now != expected {
        return Err(Error::Changed(file.clone()));
    }
    let old = writable(&path, file)?;
    let dir = path.parent().unwrap_or(root);
    let _shared = share(dir);
    let whole = synced_temporary(dir, next).map_err(at("write"))?;
    copy_owner_and_mode(whole.as_file(), &old).map_err(at("set the mode of"))?;
    exchange(whole, &path, expected)
        .map_err(at("replace"))?
        .then_some(())
        .ok_or_else(|| Error::Changed(file.clone()))?;
    synced(dir).map_err(at("write"))
}

/// `path` with links resolved, for the sake of `file`.
fn real(root: &Path, file: &RelPath, path: &RelPath) -> Result<PathBuf, Error> {
    let at = |source| Error::Io { what: "find", file: file.clone(), source };
    let root = fs::canonicalize(root).map_err(at)?;
    let real = fs::canonicalize(path.to_path(&root)).map_err(at)?;
    if real.starts_with(&root) { Ok(real) } else { Err(Error::Outside(file.clone())) }
}

/// An error unless the file itself is writable: a writable directory allows replacing a read-only file, and the superuser
/// may do anything.
fn writable(path: &Path, file: &RelPath) -> Result<Metadata, Error> {
    let at = |source| Error::Io { what: "write", file: file.clone(), source };
    let metadata = fs::metadata(path).map_err(at)?;
    if metadata.mode() & 0o222 == 0 {
        return Err(Error::ReadOnly(file.clone()));
    }
    OpenOptions::new().write(true).open(path).map_err(at)?;
    Ok(metadata)
}

/// Marks `dir` as being written to, as long as the returned lock lives. The first writer removes what killed runs left,
/// unless the directory cannot be locked.
fn share(dir: &Path) -> Option<File> {
    let lock = File::open(dir).ok()?;
    match lock.try_lock() {
        Ok(()) => sweep(dir),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(_)) => return None,
    }
    lock.lock_shared().ok()?;
    Some(lock)
}

/// Best effort: a file that cannot be removed does no harm, since no goal treats it as a source.
fn sweep(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED_PREFIX) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn synced_temporary(dir: &Path, next: &[u8]) -> io::Result<NamedTempFile> {
    let whole = write_temporary(dir, next)?;
    whole.as_file().sync_all()?;
    Ok(whole)
}

/// Copies mode and owner from the file that is replaced.
fn copy_owner_and_mode(whole: &File, old: &Metadata) -> io::Result<()> {
    let own = whole.metadata()?;
    if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
        // A user who may not change owners becomes the owner, as with any editor.
        let _ = fchown(whole, Some(old.uid()), Some(old.gid()));
    }
    whole.set_permissions(old.permissions())
}

/// Exchanges the two files, so that an edit made at the last moment is not lost: it is put back, and the result is false.
fn exchange(whole: NamedTempFile, path: &Path, expected: Digest) -> io::Result<bool> {
    let swap = || renameat_with(CWD, whole.path(), CWD, path, RenameFlags::EXCHANGE);
    match swap() {
        Ok(()) => {}
        // Some file systems cannot swap; see rename(2).
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            whole.persist(path).map_err(|error| error.error)?;
            return Ok(true);
        }
        Err(error) => return Err(error.into()),
    }
    let is_expected = fs::read(whole.path()).map(|old| Digest::of(&old) == expected);
    if !matches!(is_expected, Ok(true))
        && let Err(error) = swap()
    {
        // What was exchanged is not removed, whatever it is.
        let _ = whole.keep();
        return Err(error.into());
    }
    is_expected
}

fn synced(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn repository() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("app")).unwrap();
        fs::write(root.path().join("app/BUILD"), "old").unwrap();
        root
    }

    fn rewrite_build(root: &Path, expected: Option<&str>) -> Result<(), Error> {
        rewrite_file(root, "app/BUILD", expected)
    }

    fn rewrite_file(root: &Path, file: &str, expected: Option<&str>) -> Result<(), Error> {
        let expected = expected.map(|text| Digest::of(text.as_bytes()));
        rewrite(root, &RelPath::parse(file).unwrap(), expected, b"new")
    }

    fn read(root: &Path, file: &str) -> String {
        fs::read_to_string(root.join(file)).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_gets_the_new_content_and_keeps_its_mode() {
        let root = repository();
        let path = root.path().join("app/BUILD");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o751)).unwrap();
        rewrite_build(root.path(), Some("old")).unwrap();
        assert_eq!(read(root.path(), "app/BUILD"), "new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o751);
        assert_eq!(names(&root.path().join("app")), ["BUILD"]);
    }

    #[test]
    fn an_edit_made_during_the_run_is_not_lost() {
        let root = repository();
        assert!(matches!(rewrite_build(root.path(), Some("older")), Err(Error::Changed(_))));
        assert_eq!(read(root.path(), "app/BUILD"), "old");
        assert_eq!(names(&root.path().join("app")), ["BUILD"]);
    }

    #[test]
    fn a_file_that_was_deleted_during_the_run_stays_deleted() {
        let root = repository();
        fs::remove_file(root.path().join("app/BUILD")).unwrap();
        assert!(matches!(rewrite_build(root.path(), Some("old")), Err(Error::Deleted(_))));
        assert!(names(&root.path().join("app")).is_empty());
    }

    #[test]
    fn an_edit_made_at_the_last_moment_is_put_back() {
        let root = repository();
        let path = root.path().join("app/BUILD");
        let whole = write_temporary(&root.path().join("app"), b"new").unwrap();
        assert!(!exchange(whole, &path, Digest::of(b"older")).unwrap());
        assert_eq!(read(root.path(), "app/BUILD"), "old");
        assert_eq!(names(&root.path().join("app")), ["BUILD"]);
    }

    #[test]
    fn a_file_that_was_created_during_the_run_is_not_replaced() {
        let root = repository();
        assert!(matches!(rewrite_build(root.path(), None), Err(Error::Changed(_))));
        assert_eq!(read(root.path(), "app/BUILD"), "old");
        rewrite_file(root.path(), "app/BUILD.new", None).unwrap();
        assert_eq!(names(&root.path().join("app")), ["BUILD", "BUILD.new"]);
    }

    #[test]
    fn the_same_content_is_not_a_conflict() {
        let root = repository();
        rewrite_build(root.path(), Some("old")).unwrap();
        rewrite_build(root.path(), Some("old")).unwrap();
    }

    #[test]
    fn files_of_killed_runs_are_removed_unless_another_run_writes_there() {
        let root = repository();
        let (dir, left) = (root.path().join("app"), format!("{UNFINISHED_PREFIX}left"));
        fs::write(dir.join(&left), "half").unwrap();
        let other = share(&root.path().join("app"));
        fs::write(dir.join(&left), "half").unwrap();
        rewrite_build(root.path(), Some("old")).unwrap();
        assert_eq!(names(&dir), [left.as_str(), "BUILD"]);
        drop(other);
        rewrite_file(root.path(), "app/BUILD.new", None).unwrap();
        assert_eq!(names(&dir), ["BUILD", "BUILD.new"]);
    }

    #[test]
    fn a_read_only_file_is_refused_even_to_the_superuser() {
        let root = repository();
        fs::set_permissions(root.path().join("app/BUILD"), fs::Permissions::from_mode(0o444)).unwrap();
        assert!(matches!(rewrite_build(root.path(), Some("old")), Err(Error::ReadOnly(_))));
        assert_eq!(read(root.path(), "app/BUILD"), "old");
    }

    #[test]
    fn a_link_stays_a_link_and_one_out_of_the_repository_is_refused() {
        let (root, elsewhere) = (repository(), repository());
        symlink("BUILD", root.path().join("app/link")).unwrap();
        rewrite_file(root.path(), "app/link", Some("old")).unwrap();
        assert!(root.path().join("app/link").is_symlink());
        assert_eq!(read(root.path(), "app/BUILD"), "new");
        symlink(elsewhere.path().join("app"), root.path().join("out")).unwrap();
        for (file, expected) in [("out/BUILD", Some("old")), ("out/BUILD.new", None)] {
            assert!(matches!(rewrite_file(root.path(), file, expected), Err(Error::Outside(_))), "{file}");
        }
        assert_eq!(names(&elsewhere.path().join("app")), ["BUILD"]);
    }
}
