//! Execution slots: at most N processes run at once, each with a number from 0 to N-1 that is unique among them. A step that
//! starts several processes occupies several slots and has one number.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The slots of one execution.
pub(super) struct Slots {
    count: u32,
    permits: Semaphore,
    free: Mutex<BTreeSet<usize>>,
    /// The number of requests for a slot whose process has not started yet.
    to_start: AtomicUsize,
}

/// The occupied slots of one step. They are released when this is dropped.
pub struct Slot<'a> {
    slots: &'a Slots,
    number: usize,
    request: Request<'a>,
    _permit: SemaphorePermit<'a>,
}

impl Slots {
    /// This number of slots, all free.
    pub(super) fn new(count: usize) -> Slots {
        Slots {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            permits: Semaphore::new(count),
            free: Mutex::new((0..count).collect()),
            to_start: AtomicUsize::new(0),
        }
    }

    /// Waits until this number of slots is free, or all slots if there are fewer, and occupies them. Requests are served in
    /// the order in which they are made.
    pub(super) async fn take(&self, wanted: u32) -> Slot<'_> {
        let request = Request::new(self);
        let permit =
            self.permits.acquire_many(wanted.clamp(1, self.count)).await.expect("the semaphore is never closed");
        let mut free = self.free.lock().expect("no holder of this lock panics");
        let number = free.pop_first().expect("there are as many numbers as permits");
        Slot { slots: self, number, request, _permit: permit }
    }
}

/// A request for a slot, which counts until the process of the slot starts or nobody waits for the slot any more.
struct Request<'a> {
    slots: &'a Slots,
    has_ended: AtomicBool,
}

impl Request<'_> {
    fn new(slots: &Slots) -> Request<'_> {
        slots.to_start.fetch_add(1, Ordering::Relaxed);
        Request { slots, has_ended: AtomicBool::new(false) }
    }

    /// Ends the request. Returns the number of other requests.
    fn end(&self) -> usize {
        let own = usize::from(!self.has_ended.swap(true, Ordering::Relaxed));
        self.slots.to_start.fetch_sub(own, Ordering::Relaxed) - own
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

impl Slot<'_> {
    /// The number of other processes that are waiting to start. Must be called when the process of this slot starts.
    pub fn others_to_start(&self) -> usize {
        self.request.end()
    }

    /// The number of the step's first slot, from 0.
    pub fn number(&self) -> usize {
        self.number
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.slots.free.lock().expect("no holder of this lock panics").insert(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn numbers_are_dense_unique_and_reused() {
        let slots = Slots::new(2);
        let first = slots.take(1).await;
        let second = slots.take(1).await;
        assert_eq!((first.number(), second.number()), (0, 1));
        assert_eq!((first.others_to_start(), first.others_to_start()), (1, 1));
        drop(first);
        assert_eq!(second.others_to_start(), 0);
        assert_eq!(slots.take(1).await.number(), 0);
    }

    #[tokio::test]
    async fn a_request_that_is_abandoned_does_not_count() {
        let slots = Slots::new(1);
        let first = slots.take(1).await;
        {
            let second = std::pin::pin!(slots.take(1));
            assert!(tokio::time::timeout(std::time::Duration::ZERO, second).await.is_err());
        }
        assert_eq!(first.others_to_start(), 0);
    }

    #[tokio::test]
    async fn a_step_that_needs_more_slots_than_there_are_occupies_all() {
        let slots = Slots::new(2);
        let whole = slots.take(5).await;
        assert_eq!((whole.number(), slots.permits.available_permits()), (0, 0));
        drop(whole);
        assert_eq!(slots.permits.available_permits(), 2);
    }
}
