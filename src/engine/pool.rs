//! Who gets memory when little is left. What can spill and holds much leaves a quarter to those that have just begun: they have nothing
//! to spill yet, and would fail. The engine's greedy pool lets the first take everything; its fair pool gives no statement more than an
//! equal share, however little the others want.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::common::{Result, resources_datafusion_err};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, human_readable_size,
};

/// The share of all memory that is kept for those that hold little.
const KEPT: usize = 4;

#[derive(Debug)]
pub(super) struct Pool {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    /// How many can spill.
    spilling: usize,
}

impl Pool {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much may be in use once this one has grown to `size`.
    fn allowed(&self, state: &State, consumer: &MemoryConsumer, size: usize) -> usize {
        let kept = self.limit / KEPT;
        // What begins gets half of what is kept, in equal parts; the rest is for merging what was spilled.
        let little = kept / 2 / state.spilling.max(1);
        let leaves = consumer.can_spill() && state.spilling > 1 && size > little;
        if leaves { self.limit - kept } else { self.limit }
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &'static str {
        "matins"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.state().spilling += usize::from(consumer.can_spill());
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.state().spilling -= usize::from(consumer.can_spill());
    }

    fn grow(&self, _: &MemoryReservation, additional: usize) {
        self.state().used += additional;
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        self.state().used -= shrink;
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state();
        let allowed = self.allowed(&state, reservation.consumer(), reservation.size() + additional);
        if state.used + additional > allowed {
            return Err(resources_datafusion_err!(
                "Failed to allocate additional {} for {} with {} already allocated for this reservation - {} remain available for it",
                human_readable_size(additional),
                reservation.consumer().name(),
                human_readable_size(reservation.size()),
                human_readable_size(allowed.saturating_sub(state.used))
            ));
        }
        state.used += additional;
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.state().used
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = human_readable_size(self.reserved());
        write!(f, "{}({used} of {} in use)", self.name(), human_readable_size(self.limit))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn pool(limit: usize) -> Arc<dyn MemoryPool> {
        Arc::new(Pool::new(limit))
    }

    fn consumer(pool: &Arc<dyn MemoryPool>, name: &str, spills: bool) -> MemoryReservation {
        MemoryConsumer::new(name).with_can_spill(spills).register(pool)
    }

    #[test]
    fn what_holds_much_leaves_something_to_what_begins() {
        let pool = pool(800);
        let first = consumer(&pool, "first", true);
        let second = consumer(&pool, "second", true);
        assert!(first.try_grow(600).is_ok());
        assert!(first.try_grow(1).is_err(), "a quarter is kept");
        assert!(second.try_grow(50).is_ok(), "half of that is for the two that spill");
        assert!(second.try_grow(1).is_err());
        let merge = consumer(&pool, "merge", false);
        assert!(merge.try_grow(150).is_ok(), "the rest is for what cannot spill");
        assert!(merge.try_grow(1).is_err());
        assert_eq!(pool.reserved(), 800);
        drop(first);
        assert!(second.try_grow(550).is_ok(), "alone it may have all");
        assert_eq!(pool.reserved(), 750);
    }

    #[test]
    fn what_is_alone_or_cannot_spill_may_have_all() {
        for spills in [true, false] {
            let pool = pool(800);
            let only = consumer(&pool, "only", spills);
            assert!(only.try_grow(800).is_ok());
            let error = only.try_grow(1).expect_err("too much");
            assert!(error.to_string().contains("for only with 800.0 B already allocated"), "{error}");
        }
    }
}
