//! Leases: every open store holds a shared lock on the file `lease`, and what removes objects needs an exclusive one. The kernel
//! releases a lock when its process ends for any reason, so that a lease of a dead process cannot exist, whatever its number is
//! used for later. Removal holds the lock for a few milliseconds at a time; `upkeep::collect` has the protocol.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::error::{Error, Result};
use super::layout::lock;

/// The number of attempts to get a shared lock, one each millisecond. Only a process that was stopped during a removal holds
/// the lock for long.
const ATTEMPTS: u32 = 60_000;

/// More than the length of any name in the file.
const NAME_BYTES: usize = 64;

/// The lease of one open store.
#[derive(Debug)]
pub(super) struct Lease {
    path: PathBuf,
    file: File,
    /// A name that no other open store has.
    owner: String,
    /// The number of times that the lock was acquired.
    acquired: AtomicU32,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Released,
    Shared,
    Exclusive,
}

impl Lease {
    /// Waits for the end of a removal that runs at this moment. `owner` is a name that no other open store has.
    pub(super) fn acquire(root: &Path, owner: String) -> Result<Lease> {
        let path = root.join("lease");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(Error::io("open", &path))?;
        let lease = Lease { path, file, owner, acquired: AtomicU32::new(0), state: Mutex::new(State::Released) };
        lease.share()?;
        Ok(lease)
    }

    /// Gets the shared lock again.
    pub(super) fn share(&self) -> Result<()> {
        let mut state = lock(&self.state);
        if *state == State::Exclusive {
            self.file.unlock().map_err(Error::io("unlock", &self.path))?;
            *state = State::Released;
        }
        if *state == State::Released {
            self.wait_for_shared()?;
            *state = State::Shared;
            // A process that plans a removal finds that the store was opened in the meantime.
            let acquired = self.acquired.fetch_add(1, Ordering::Relaxed);
            let name = format!("{} {acquired:010}", self.owner);
            self.file.write_all_at(name.as_bytes(), 0).map_err(Error::io("write", &self.path))?;
        }
        Ok(())
    }

    fn wait_for_shared(&self) -> Result<()> {
        for _ in 0..ATTEMPTS {
            match self.file.try_lock_shared() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", &self.path)(error)),
            }
        }
        Err(Error::Locked { path: self.path.clone(), users: self.users() })
    }

    /// Releases the lock: from now on, other processes may remove everything that is not pinned.
    pub(super) fn release(&self) -> Result<()> {
        let mut state = lock(&self.state);
        if *state != State::Released {
            self.file.unlock().map_err(Error::io("unlock", &self.path))?;
            *state = State::Released;
        }
        Ok(())
    }

    /// Gets the exclusive lock, if no other store is open. Otherwise nothing is locked afterwards.
    pub(super) fn exclude(&self) -> Result<bool> {
        self.release()?;
        match self.file.try_lock() {
            Ok(()) => {
                *lock(&self.state) = State::Exclusive;
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", &self.path)(error)),
        }
    }

    /// The name of the store that was opened last. It changes whenever a store is opened or resumed.
    pub(super) fn last_owner(&self) -> Result<Vec<u8>> {
        let mut name = vec![0; NAME_BYTES];
        let count = self.file.read_at(&mut name, 0).map_err(Error::io("read", &self.path))?;
        name.truncate(count);
        Ok(name)
    }

    /// The processes that hold a lock, as far as this process can see them.
    pub(super) fn users(&self) -> Vec<u32> {
        let inode = self.file.metadata().map(|metadata| metadata.ino()).unwrap_or_default();
        let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
        let own = std::process::id();
        // `1: FLOCK  ADVISORY  READ 1234 08:01:5678 0 EOF` (proc_locks(5)).
        let user = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, "FLOCK", _, _, pid, place, ..] = words[..] else { return None };
            (place.rsplit(':').next() == Some(&inode.to_string())).then(|| pid.parse().ok())?
        };
        let mut users: Vec<u32> = locks.lines().filter_map(user).filter(|pid| *pid != own && *pid != 0).collect();
        users.sort_unstable();
        users.dedup();
        users
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_excluded_only_while_no_other_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let open = |name: &str| Lease::acquire(dir.path(), name.to_owned()).unwrap();
        let (one, other) = (open("one"), open("two"));
        assert!(!one.exclude().unwrap());
        one.share().unwrap();
        drop(other);
        assert!(one.exclude().unwrap());
        let planned = one.last_owner().unwrap();
        one.release().unwrap();
        assert_eq!(one.last_owner().unwrap(), planned);
        let third = open("new");
        let opened = one.last_owner().unwrap();
        third.release().unwrap();
        third.share().unwrap();
        let resumed = one.last_owner().unwrap();
        assert!(planned != opened && opened != resumed);
        third.release().unwrap();
        assert!(one.exclude().unwrap());
    }

    #[test]
    fn a_store_is_opened_after_a_removal_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let one = Lease::acquire(dir.path(), "one".to_owned()).unwrap();
        assert!(one.exclude().unwrap());
        std::thread::scope(|scope| {
            let opened = scope.spawn(|| Lease::acquire(dir.path(), "two".to_owned()).unwrap());
            std::thread::sleep(Duration::from_millis(20));
            assert!(!opened.is_finished());
            one.release().unwrap();
            opened.join().unwrap();
        });
    }
}
