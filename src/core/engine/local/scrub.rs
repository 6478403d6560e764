//! The thread that verifies a part of the store while steps run. What is verified is decided in `store`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::store::Store;

/// The amount that each run verifies. It takes about 50 ms of one core; a store of 3 GB is verified in 100 runs.
const BUDGET_BYTES: u64 = 32 << 20;

/// The thread of one run. Dropping it stops and waits for it, which takes as long as hashing one file.
pub(super) struct Scrub {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scrub {
    /// Starts the thread. Damage is reported as notices of the store.
    pub(super) fn start(store: Arc<Store>) -> Scrub {
        let stop = Arc::new(AtomicBool::new(false));
        let is_stopped = stop.clone();
        // Also logged, because the run may end before the console shows the notices of the store.
        let scrub = move || match store.scrub(BUDGET_BYTES, &is_stopped) {
            Ok(verified) => {
                let damaged = verified.damaged.iter();
                damaged.for_each(|object| tracing::warn!("the stored object `{object}` was damaged"));
            }
            // A failing disk is reported by the step that needs the file.
            Err(error) => tracing::warn!("the store was not verified: {error}"),
        };
        // Without a thread, the next run verifies this part.
        Scrub { stop, thread: thread::Builder::new().name("scrub".to_owned()).spawn(scrub).ok() }
    }
}

impl Drop for Scrub {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It can fail only by a panic, which has been reported.
            let _ = thread.join();
        }
    }
}
