//! Waits until a file changes that a run read, for `--loop`. The kernel reports changes in the directories of these files (inotify(7)), and
//! whether one of them is a change is decided by comparing the files with what the run read. Nothing remains after the wait.

use std::collections::BTreeSet;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::{FileStamp, Observation};

/// The time between two comparisons where the kernel reports nothing: no events are reported for changes by other machines of a network
/// file system, or through a mapping of memory.
const INTERVAL: Duration = Duration::from_secs(2);

/// The same where directories cannot be watched, for example because the user watches too many.
const INTERVAL_WITHOUT_EVENTS: Duration = Duration::from_millis(300);

/// A change is over when no other one follows within this time: an editor writes several files, git thousands.
const QUIET: Duration = Duration::from_millis(15);

/// However many changes follow, the wait ends after this many of them.
const MOST_EVENTS: usize = 1000;

/// Returns once one of the files or directories that a run read differs from what it read, or one of the settings files
/// changes.
pub fn wait_for_change(read: Vec<Observation>, settings_files: &[PathBuf]) {
    let settings: Vec<Observation> = settings_files.iter().map(|path| (path.clone(), stamp(path))).collect();
    let all: Vec<Observation> = read.into_iter().chain(settings).collect();
    // What changes from now on is either reported or found by the first comparison.
    let events = watch(&all);
    while !all.iter().any(|(path, before)| stamp(path) != *before) {
        match &events {
            Some(events) => drop(wait(events, INTERVAL)),
            None => thread::sleep(INTERVAL_WITHOUT_EVENTS),
        }
    }
    if let Some(events) = &events {
        let _ = (0..MOST_EVENTS).find(|_| !wait(events, QUIET));
    }
}

/// The events of the directories of all files. `None` if one of them cannot be watched. A directory that is missing is created in its
/// parent, which is watched instead.
fn watch(files: &[Observation]) -> Option<OwnedFd> {
    let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
    let changes = WatchFlags::CLOSE_WRITE
        | WatchFlags::ATTRIB
        | WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVED_FROM
        | WatchFlags::MOVED_TO
        | WatchFlags::ONLYDIR;
    let dirs: BTreeSet<&Path> = files.iter().filter_map(|(path, _)| nearest_dir(path)).collect();
    for dir in dirs {
        inotify::add_watch(&events, dir, changes).ok()?;
    }
    Some(events)
}

/// The path itself if it is a directory, else the nearest directory above it that exists.
fn nearest_dir(path: &Path) -> Option<&Path> {
    path.ancestors().find(|dir| dir.is_dir())
}

/// Waits for an event and removes all that there are. False if there is none for this time.
fn wait(events: &OwnedFd, limit: Duration) -> bool {
    let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    let mut ready = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
    if !poll(&mut ready, timeout).is_ok_and(|count| count > 0) {
        return false;
    }
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(events, &mut buffer);
    while reader.next().is_ok() {}
    true
}

fn stamp(path: &Path) -> Option<FileStamp> {
    std::fs::metadata(path).ok().as_ref().map(FileStamp::from_metadata)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

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

    /// How long after a change the wait ends.
    fn delay(read: Vec<Observation>, settings: &[PathBuf], change: impl FnOnce() + Send + 'static) -> Duration {
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            change();
            Instant::now()
        });
        wait_for_change(read, settings);
        thread.join().unwrap().elapsed()
    }

    #[test]
    fn changes_of_every_kind_are_reported_by_the_kernel() {
        let dir = tempfile::tempdir().unwrap();
        let [file, new, nested] = ["a.py", "pants.toml", "sub/deep/b.py"].map(|name| dir.path().join(name));
        std::fs::write(&file, "1").unwrap();
        let at = |path: &PathBuf| vec![(path.clone(), stamp(path))];
        let writer = file.clone();
        let mut delays = vec![delay(at(&file), &[], move || std::fs::write(writer, "22").unwrap())];
        let (replaced, temporary) = (file.clone(), dir.path().join("a.tmp"));
        delays.push(delay(at(&file), &[], move || {
            std::fs::write(&temporary, "22").unwrap();
            std::fs::rename(temporary, replaced).unwrap();
        }));
        let removed = file.clone();
        delays.push(delay(at(&file), &[], move || std::fs::remove_file(removed).unwrap()));
        let created = new.clone();
        delays.push(delay(vec![], std::slice::from_ref(&new), move || std::fs::write(created, "").unwrap()));
        let root = dir.path().to_owned();
        delays.push(delay(at(&root), &[], move || std::fs::write(root.join("c.py"), "").unwrap()));
        // Without events, the next comparison would be after two seconds. A machine that runs other tests may be slow.
        assert!(delays.iter().all(|delay| *delay < INTERVAL / 2), "{delays:?}");
        // The directories of this file do not exist, so only the creation of the first one is reported.
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        let below = nested.clone();
        let late = delay(vec![(nested, None)], &[], move || {
            std::fs::create_dir(below.parent().unwrap()).unwrap();
            std::fs::write(below, "").unwrap();
        });
        assert!(late < INTERVAL * 3, "{late:?}");
    }
}
