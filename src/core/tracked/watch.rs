//! Waits until a file changes that a run read, for `--loop`. Files are polled: a run reads a few thousand of them at most, and
//! stat(2) takes about a microsecond.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::{FileStamp, Observation};

/// The time between two comparisons of the files with their recorded state.
const INTERVAL: Duration = Duration::from_millis(300);

/// Returns once one of the files or directories that a run read differs from what it read, or one of the settings files
/// changes.
pub fn wait_for_change(read: Vec<Observation>, settings_files: &[PathBuf]) {
    let settings: Vec<Observation> = settings_files.iter().map(|path| (path.clone(), stamp(path))).collect();
    while !read.iter().chain(&settings).any(|(path, before)| stamp(path) != *before) {
        thread::sleep(INTERVAL);
    }
}

fn stamp(path: &Path) -> Option<FileStamp> {
    std::fs::metadata(path).ok().as_ref().map(FileStamp::from_metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_since_it_was_read_ends_the_wait() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.py");
        std::fs::write(&file, "1").unwrap();
        let read = vec![(file.clone(), stamp(&file)), (dir.path().join("missing"), None)];
        std::fs::write(&file, "22").unwrap();
        wait_for_change(read, &[]);
    }

    #[test]
    fn a_new_file_and_a_settings_file_end_the_wait() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pants.toml");
        let writer = file.clone();
        let thread = thread::spawn(move || {
            thread::sleep(INTERVAL);
            std::fs::write(writer, "").unwrap();
        });
        wait_for_change(vec![], std::slice::from_ref(&file));
        thread.join().unwrap();
    }
}
