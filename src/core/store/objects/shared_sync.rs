//! Syncs of a whole file system that several threads ask for at the same time: those that ask while one runs share the next one, so
//! that any number of threads waits for two. What is synced, and when, is decided in `durable`.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::store::error::{Error, Result};
use crate::store::files;
use crate::store::layout::lock;

/// The syncs of one store.
#[derive(Debug, Default)]
pub(in crate::store) struct SharedSync {
    rounds: Mutex<Rounds>,
    ended: Condvar,
}

/// Syncs are numbered from 1.
#[derive(Debug, Default)]
struct Rounds {
    is_running: bool,
    /// The number of the last one that began.
    begun: u64,
    /// The number of the last one that succeeded.
    done: u64,
}

impl SharedSync {
    /// Whether a thread syncs at the moment.
    pub(super) fn is_running(&self) -> bool {
        lock(&self.rounds).is_running
    }

    /// Returns when everything is on the disk that was written to the file system of `dir` before the call.
    pub(super) fn sync(&self, dir: &Path) -> Result<()> {
        self.share(|| files::sync_file_system(dir)).map_err(Error::io("sync the file system of", dir))
    }

    fn share<E>(&self, sync: impl FnOnce() -> std::result::Result<(), E>) -> std::result::Result<(), E> {
        let mut rounds = lock(&self.rounds);
        // One that began before may have passed what the caller wrote.
        let wanted = rounds.begun + 1;
        while rounds.is_running && rounds.done < wanted {
            rounds = self.ended.wait(rounds).unwrap_or_else(PoisonError::into_inner);
        }
        if rounds.done >= wanted {
            return Ok(());
        }
        rounds.is_running = true;
        rounds.begun += 1;
        let round = rounds.begun;
        drop(rounds);
        let synced = sync();
        let mut rounds = lock(&self.rounds);
        rounds.is_running = false;
        if synced.is_ok() {
            rounds.done = round;
        }
        self.ended.notify_all();
        synced
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_call_that_succeeds_was_followed_by_a_whole_sync_that_succeeded() {
        let shared = SharedSync::default();
        let (clock, calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
        // When the successful syncs began.
        let done = Mutex::new(Vec::new());
        let sync = || {
            let began = clock.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            if began % 5 == 0 {
                return Err(());
            }
            lock(&done).push(began);
            Ok(())
        };
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let called = clock.fetch_add(1, Ordering::SeqCst);
                        calls.fetch_add(1, Ordering::SeqCst);
                        if shared.share(sync).is_ok() {
                            assert!(lock(&done).iter().any(|began| *began > called));
                        }
                    }
                });
            }
        });
        assert!(lock(&done).len() <= calls.load(Ordering::SeqCst));
        assert!(!shared.is_running());
    }
}
