//! How many steps compute at once. A step gives its slot back when all that is left is waiting for the disk, and whoever started
//! it can see that.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit};

/// As many as there are cores.
pub(super) struct Slots {
    free: AtomicUsize,
    /// Tells whoever hands out slots that one came back.
    pub freed: Notify,
}

/// One of them, given back once: when told to, or when it is dropped.
pub(super) struct Slot {
    of: Arc<Slots>,
    held: AtomicBool,
    /// Given back by a step that has done its work, not by one that failed.
    put_down: Arc<AtomicBool>,
    /// Of the cores that intervals worked on side by side share.
    core: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Slots {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { free: AtomicUsize::new(count.max(1)), freed: Notify::new() })
    }

    pub(super) fn free(&self) -> usize {
        self.free.load(Ordering::SeqCst)
    }

    pub(super) fn take(self: &Arc<Self>) -> Option<Slot> {
        let less = |free: usize| free.checked_sub(1);
        self.free.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).ok()?;
        Some(Slot {
            of: Arc::clone(self),
            held: AtomicBool::new(true),
            put_down: Arc::default(),
            core: Mutex::default(),
        })
    }
}

impl Slot {
    /// Takes a core with it when it goes back.
    pub(super) fn holds(&self, core: Option<OwnedSemaphorePermit>) {
        *self.core.lock().unwrap_or_else(PoisonError::into_inner) = core;
    }

    /// Turns true when all that is left is waiting for the disk.
    pub(super) fn put_down(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.put_down)
    }

    /// To be called when all that is left is waiting for the disk.
    pub(super) fn give_back(&self) {
        self.put_down.store(true, Ordering::SeqCst);
        self.release();
    }

    fn release(&self) {
        drop(self.core.lock().unwrap_or_else(PoisonError::into_inner).take());
        if self.held.swap(false, Ordering::SeqCst) {
            self.of.free.fetch_add(1, Ordering::SeqCst);
            self.of.freed.notify_one();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_comes_back_once() {
        let slots = Slots::new(1);
        let slot = slots.take().expect("free");
        let put_down = slot.put_down();
        assert!(slots.take().is_none());
        assert!(!put_down.load(Ordering::SeqCst));
        slot.give_back();
        assert!(put_down.load(Ordering::SeqCst));
        let other = slots.take().expect("given back");
        drop(slot);
        assert!(slots.take().is_none(), "the first was given back already");
        let put_down = other.put_down();
        drop(other);
        assert!(!put_down.load(Ordering::SeqCst), "it was not done");
        assert!(slots.take().is_some());
    }
}
