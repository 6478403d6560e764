//! Writes a file completely or not at all: a temporary file next to it, synced, then renamed. For lockfiles, reports and other
//! files outside the store. Does not detect edits made in the meantime: `session::rewrite` does that for files of users.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::NamedTempFile;

/// The prefix of temporary files in directories of users. Such a file is never a source, even if a killed run left it.
pub const UNFINISHED_PREFIX: &str = ".waders-rewrite-";

/// The mode of a new file before the umask is applied.
const NEW_MODE: u32 = 0o666;

/// Gives the file `path` the content `bytes` in one step. An existing file keeps its mode, and a link stays a link. Something
/// other than a regular file, such as a pipe or a terminal, is written to directly. After a power failure, the file has
/// the old or the new content.
///
/// # Errors
/// If the directory does not exist or cannot be written to. The file is then unchanged.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, true)
}

/// The same for one of many files that can be made again, such as the reports on tests. Does not wait for the disk: after a
/// power failure, the file may be empty.
///
/// # Errors
/// As for `replace_file`.
pub fn replace_report(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, false)
}

fn replace(path: &Path, bytes: &[u8], synced: bool) -> io::Result<()> {
    let existing = std::fs::metadata(path).ok();
    // The links below `/proc/self/fd` name open files, which keep their identity: `/dev/stdout` is one.
    let is_open_file = ["/dev", "/proc"].iter().any(|dir| path.starts_with(dir));
    if is_open_file || existing.as_ref().is_some_and(|metadata| !metadata.is_file()) {
        return std::fs::write(path, bytes);
    }
    let path = if existing.is_some() { &path.canonicalize()? } else { path };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let whole = write_temporary(dir, bytes)?;
    if synced {
        whole.as_file().sync_all()?;
    }
    if let Some(metadata) = existing {
        whole.as_file().set_permissions(metadata.permissions())?;
    }
    whole.persist(path).map_err(|error| error.error)?;
    if synced { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Creates a file with a unique name in `dir`. The caller syncs it.
///
/// # Errors
/// If the file cannot be created or written.
pub fn write_temporary(dir: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let mut whole = builder.prefix(UNFINISHED_PREFIX).permissions(Permissions::from_mode(NEW_MODE)).tempfile_in(dir)?;
    whole.write_all(bytes)?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn readers_see_the_old_or_the_new_content_and_nothing_in_between() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file.lock");
        replace_file(&path, b"old").unwrap();
        let mut reader = File::open(&path).unwrap();
        replace_file(&path, b"new content").unwrap();
        // An open file still has the whole old content: it was replaced, not truncated and written again.
        assert_eq!(io::read_to_string(&mut reader).unwrap(), "old");
        assert_eq!(fs::read(&path).unwrap(), b"new content");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_existing_file_keeps_its_mode_and_a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        replace_file(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        replace_file(Path::new("/dev/null"), b"text").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(replace_file(&dir.path().join("missing/file"), b"").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
