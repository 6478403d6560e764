//! The output of a step on a worker: refuses what a local run refuses, before the worker loses it, and makes everything
//! readable for the worker, which may be another user than the step.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Checks everything below `root`, and gives directories and programs the mode 0755, other files 0644. Returns why the output
/// cannot be returned, if it cannot. Links are not followed.
pub(super) fn check(root: &Path) -> io::Result<Option<String>> {
    let mut pending: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        if dir != root {
            fs::set_permissions(&dir, Permissions::from_mode(0o755))?;
        }
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            let metadata = path.symlink_metadata()?;
            if let Some(why) = refusal(&path, &metadata)? {
                return Ok(Some(format!("`{}`: {why}", path.strip_prefix(root).unwrap_or(&path).display())));
            }
            if metadata.is_dir() {
                pending.push(path);
            } else if metadata.is_file() {
                let mode = if metadata.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
                fs::set_permissions(&path, Permissions::from_mode(mode))?;
            }
        }
    }
    Ok(None)
}

/// Why an entry cannot be part of a result. The rules are those of the capture of local outputs.
fn refusal(path: &Path, metadata: &Metadata) -> io::Result<Option<&'static str>> {
    let (kind, mode) = (metadata.file_type(), metadata.permissions().mode());
    if kind.is_symlink() {
        return Ok(path.read_link()?.to_str().is_none().then_some("it is a link whose target is not UTF-8"));
    }
    if kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device() {
        return Ok(Some("it is a FIFO, a socket or a device"));
    }
    if path.file_name().is_none_or(|name| name.to_str().is_none()) {
        return Ok(Some("its name is not UTF-8"));
    }
    if kind.is_file() && mode & 0o6000 != 0 {
        return Ok(Some("it has a setuid or setgid bit"));
    }
    let required = if kind.is_dir() { 0o500 } else { 0o400 };
    Ok((mode & required != required).then_some("its mode does not permit the owner to read it"))
}
