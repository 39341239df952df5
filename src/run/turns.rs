//! Whose turn it is where intervals are worked on side by side: what two of them need is made once, and together they use no
//! more cores than there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::base::Fingerprint;
use crate::plan::{Step, Task, Wanted};

/// What a step makes: its fingerprint; for checks that of the table too, since equal checks stand on many tables.
pub(super) type Output = (Fingerprint, Fingerprint);

type Going = Arc<Mutex<HashMap<Output, Arc<tokio::sync::Mutex<()>>>>>;

/// Shared by the intervals of one backfill. Cheap to clone.
#[derive(Clone)]
pub(super) struct Turns {
    going: Going,
    cores: Arc<Semaphore>,
    all: u32,
    /// Whether there is more than one interval to give cores to.
    pub several: bool,
}

/// While it lives nobody else makes the same.
pub(super) struct Turn {
    output: Output,
    going: Going,
    lock: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    pub fn new(cores: usize, several: bool) -> Self {
        let all = u32::try_from(cores.max(1)).unwrap_or(u32::MAX);
        Self { going: Going::default(), cores: Arc::new(Semaphore::new(all as usize)), all, several }
    }

    /// Waits until nobody else makes this. Whoever waited looks whether it is there now.
    pub async fn make(&self, output: Output) -> Turn {
        let lock = Arc::clone(lock(&self.going).entry(output).or_default());
        Turn { output, going: Arc::clone(&self.going), lock: Some(lock.lock_owned().await) }
    }

    /// Waits for a core, or for all of them. Taken after `make`, so that nobody waits for a step with a core in hand.
    pub async fn core(&self, alone: bool) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.cores).acquire_many_owned(if alone { self.all } else { 1 }).await.ok()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.lock = None;
        let mut going = lock(&self.going);
        // Those who wait for it hold it too.
        if going.get(&self.output).is_some_and(|one| Arc::strong_count(one) == 1) {
            going.remove(&self.output);
        }
    }
}

fn lock(going: &Going) -> std::sync::MutexGuard<'_, HashMap<Output, Arc<tokio::sync::Mutex<()>>>> {
    going.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a step of a plan makes.
pub(super) fn output(step: &Step, wanted: &Wanted) -> Output {
    let table = match &step.task {
        Task::Check { table } => match table.source() {
            Some(source) => wanted.sources.get(&source).map(|s| s.raw),
            None => wanted.tables.iter().find(|t| t.node.table() == table).map(|t| t.fingerprint),
        },
        _ => None,
    };
    (table.unwrap_or(step.fingerprint), step.fingerprint)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;

    use super::*;

    fn output(of: &str) -> Output {
        (Fingerprint::of_bytes(of.as_bytes()), Fingerprint::of_bytes(b"checks"))
    }

    #[tokio::test]
    async fn what_two_need_is_made_by_one_at_a_time_and_forgotten_afterwards() {
        let turns = Turns::new(2, true);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = (0..6).map(|_| {
            let (turns, now, most) = (turns.clone(), Arc::clone(&now), Arc::clone(&most));
            tokio::spawn(async move {
                let _turn = turns.make(output("a")).await;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, Ordering::SeqCst);
            })
        });
        futures::future::join_all(work.collect::<Vec<_>>()).await;
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert!(lock(&turns.going).is_empty());
    }

    #[tokio::test]
    async fn together_they_use_no_more_cores_than_there_are() {
        let turns = Turns::new(2, true);
        let (one, other) = (turns.core(false).await, turns.core(false).await);
        assert!(turns.core(false).now_or_never().is_none());
        drop(one);
        assert!(turns.core(true).now_or_never().is_none(), "all of them, or none");
        drop(other);
        assert!(turns.core(true).await.is_some());
    }
}
