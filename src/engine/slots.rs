//! Execution slots: at most N processes at once, each with a number from 0 to N-1 that no other running one has.

use std::collections::BTreeSet;
use std::sync::Mutex;

use tokio::sync::{Semaphore, SemaphorePermit};

pub struct Slots {
    permits: Semaphore,
    free: Mutex<BTreeSet<usize>>,
}

/// Gives its number back when it is dropped.
pub struct Slot<'a> {
    slots: &'a Slots,
    number: usize,
    _permit: SemaphorePermit<'a>,
}

impl Slots {
    pub fn new(count: usize) -> Slots {
        Slots { permits: Semaphore::new(count), free: Mutex::new((0..count).collect()) }
    }

    pub async fn take(&self) -> Slot<'_> {
        let permit = self.permits.acquire().await.expect("the semaphore is never closed");
        let mut free = self.free.lock().expect("no holder of this lock panics");
        let number = free.pop_first().expect("there are as many numbers as permits");
        Slot { slots: self, number, _permit: permit }
    }
}

impl Slot<'_> {
    /// How many other slots nobody has.
    pub fn idle(&self) -> usize {
        self.slots.permits.available_permits()
    }

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
    async fn numbers_are_dense_unique_and_used_again() {
        let slots = Slots::new(2);
        let first = slots.take().await;
        let second = slots.take().await;
        assert_eq!((first.number(), second.number(), second.idle()), (0, 1, 0));
        drop(first);
        assert_eq!(second.idle(), 1);
        assert_eq!(slots.take().await.number(), 0);
    }
}
