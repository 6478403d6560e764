//! Execution slots: at most N processes run at once, each with a number from 0 to N-1 that is unique among them.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The slots of one execution.
pub(super) struct Slots {
    permits: Semaphore,
    free: Mutex<BTreeSet<usize>>,
    /// The number of requests for a slot whose process has not started yet.
    to_start: AtomicUsize,
}

/// One occupied slot. It is released when this is dropped.
pub struct Slot<'a> {
    slots: &'a Slots,
    number: usize,
    has_started: AtomicBool,
    _permit: SemaphorePermit<'a>,
}

impl Slots {
    /// This number of slots, all free.
    pub(super) fn new(count: usize) -> Slots {
        Slots { permits: Semaphore::new(count), free: Mutex::new((0..count).collect()), to_start: AtomicUsize::new(0) }
    }

    /// Waits for a free slot and occupies it.
    pub(super) async fn take(&self) -> Slot<'_> {
        self.to_start.fetch_add(1, Ordering::Relaxed);
        let permit = self.permits.acquire().await.expect("the semaphore is never closed");
        let mut free = self.free.lock().expect("no holder of this lock panics");
        let number = free.pop_first().expect("there are as many numbers as permits");
        Slot { slots: self, number, has_started: AtomicBool::new(false), _permit: permit }
    }
}

impl Slot<'_> {
    /// The number of unused slots.
    pub fn idle(&self) -> usize {
        self.slots.permits.available_permits()
    }

    /// The number of other processes that are waiting to start. Must be called when the process of this slot starts.
    pub fn others_to_start(&self) -> usize {
        let own = usize::from(!self.has_started.swap(true, Ordering::Relaxed));
        self.slots.to_start.fetch_sub(own, Ordering::Relaxed) - own
    }

    /// The number of the slot, from 0.
    pub fn number(&self) -> usize {
        self.number
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.others_to_start();
        self.slots.free.lock().expect("no holder of this lock panics").insert(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn numbers_are_dense_unique_and_reused() {
        let slots = Slots::new(2);
        let first = slots.take().await;
        let second = slots.take().await;
        assert_eq!((first.number(), second.number(), second.idle()), (0, 1, 0));
        assert_eq!((first.others_to_start(), first.others_to_start()), (1, 1));
        drop(first);
        assert_eq!((second.idle(), second.others_to_start()), (1, 0));
        assert_eq!(slots.take().await.number(), 0);
    }
}
