//! Which run this process is at, so that one that ends before its end still leaves a record. Decides nothing about work.

use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{Event, RunId};
use crate::lake::{RunFinished, RunStatus};
use crate::run::{RunError, Workshop, describe};

/// The run whose beginning is recorded and whose end is not. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Running(Arc<Mutex<Option<At>>>);

#[derive(Debug, Clone)]
enum At {
    Work(RunId),
    /// It has come to its end, and the record of it may not have been written yet.
    End(Arc<RunFinished>),
}

impl Running {
    pub(super) fn begins(&self, run: &RunId) {
        self.is(Some(At::Work(run.clone())));
    }

    fn is(&self, at: Option<At>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    fn at(&self) -> Option<At> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records the end of a run. Where this is dropped before it is done, whoever is asked to end the run then writes the same.
    pub(super) async fn ends(&self, shop: &Workshop, record: RunFinished) {
        let (run, end, message) = (record.run.clone(), record.status.into(), record.message.clone());
        let record = Arc::new(record);
        self.is(Some(At::End(Arc::clone(&record))));
        shop.observer.see(&Event::RunEnded { run, end, message });
        self.put(shop, &record).await;
    }

    /// The record is for people: when it cannot be written the run's own outcome counts, and the log says so.
    async fn put(&self, shop: &Workshop, record: &RunFinished) {
        if let Err(error) = shop.lake.finish_run(&shop.pipeline.name, record).await {
            tracing::error!(%error, run = %record.run, "the record of this run was not written");
        }
        self.is(None);
    }

    /// Records the end of a run that did not come to record it itself.
    pub(super) async fn ends_early(&self, shop: &Workshop, error: &RunError) {
        if let Some(At::Work(run)) = self.at() {
            self.ends(shop, short(shop, run, (RunStatus::Failed, error.exit_code()), &describe(error), None)).await;
        }
    }
}

/// Ends what was told to stop, after its work was dropped: gives the lease back, and records what became of the run.
pub async fn stop(shop: &Workshop, code: u8) -> RunError {
    end(shop, (RunStatus::Cancelled, code), "told to stop").await;
    RunError::Stopped { code }
}

/// The put that publishes may have been dropped halfway, and nobody knows whether it is carried out. Giving the lease back
/// is a link at the same place of the chain: after it, the publication stands before it or never will. What is dropped here is begun anew by
/// whoever is told next.
pub(super) async fn end(shop: &Workshop, (status, code): (RunStatus, u8), why: &str) {
    let at = shop.running.at();
    let given_back = shop.lease.release(shop).await;
    if let Err(error) = &given_back {
        tracing::warn!(%error, "the lease was not given back; it expires by itself");
    }
    match at {
        None => {}
        Some(At::End(record)) => shop.running.put(shop, &record).await,
        Some(At::Work(run)) => {
            let newest = shop.lake.publications(&shop.pipeline.name, 1).await.ok().and_then(|mut links| links.pop());
            let published = newest.filter(|link| link.publication.as_ref().is_some_and(|p| p.run == run));
            let record = match published {
                Some(link) => {
                    let message = format!("{why} after it published; run the same again for its reports");
                    short(shop, run, (RunStatus::Published, code), &message, Some(link.number))
                }
                // Without the lease given back the last word is not spoken: no end is recorded rather than a wrong one.
                None if given_back.is_err() => return shop.running.is(None),
                None => short(shop, run, (status, code), why, None),
            };
            shop.running.ends(shop, record).await;
        }
    }
}

fn short(
    shop: &Workshop,
    run: RunId,
    (status, code): (RunStatus, u8),
    message: &str,
    snapshot: Option<u64>,
) -> RunFinished {
    let message = Some(message.to_owned());
    RunFinished { message, snapshot, ..RunFinished::new(run, shop.system.clock.now(), status, code) }
}
