//! Writes `uv.lock`: the text that uv wrote, with the paths of this machine's directories.

use super::NewLock;

pub(super) fn text(new: &NewLock<'_>) -> String {
    let mut text = new.resolution.uv_lock.clone();
    for directory in &new.resolution.directories {
        let (to_root, root) = new.root;
        let path = match directory.path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')) {
            Some(rest) if to_root.is_empty() => rest.to_owned(),
            Some(rest) => format!("{to_root}/{rest}"),
            None => directory.path.clone(),
        };
        for after in ["\"", "/"] {
            text = text.replace(&format!("\"{}{after}", directory.resolved_at), &format!("\"{path}{after}"));
        }
    }
    text
}
