//! Which run this process is at, so that one that ends before its end still leaves a record. Decides nothing about work.

use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{Event, RunId};
use crate::lake::{RunFinished, RunStatus};
use crate::run::{RunError, Workshop, describe};

/// The run whose beginning is recorded and whose end is not. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Running(Arc<Mutex<Option<At>>>);

#[derive(Debug)]
enum At {
    Work(RunId),
    /// It has come to its end, and the record of it may not have been written yet.
    End(Box<RunFinished>),
}

impl Running {
    pub(super) fn begins(&self, run: &RunId) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(At::Work(run.clone()));
    }

    fn take(&self) -> Option<At> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Records the end of a run that came to it. Where this is dropped before it is done, whoever ends the run writes the same.
    pub(super) async fn ends(&self, shop: &Workshop, record: RunFinished) {
        let (run, end, message) = (record.run.clone(), record.status.into(), record.message.clone());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(At::End(Box::new(record.clone())));
        shop.observer.see(&Event::RunEnded { run, end, message });
        put(shop, &record).await;
        self.take();
    }

    /// Records the end of a run that did not come to record it itself.
    pub(super) async fn ends_early(&self, shop: &Workshop, error: &RunError) {
        if let Some(At::Work(run)) = self.take() {
            write(shop, run, (RunStatus::Failed, error.exit_code()), &describe(error), None).await;
        }
    }
}

/// Ends what was told to stop, after its work was dropped: gives the lease back, and records what became of the run.
pub async fn stop(shop: &Workshop, code: u8) -> RunError {
    end(shop, (RunStatus::Cancelled, code), "told to stop").await;
    RunError::Stopped { code }
}

/// The put that publishes may have been dropped halfway, and nobody knows whether it is carried out. Giving the lease back
/// is a link at the same place of the chain: after it, the publication stands before it or never will.
pub(super) async fn end(shop: &Workshop, (status, code): (RunStatus, u8), why: &str) {
    let at = shop.running.take();
    let given_back = shop.lease.release(shop).await;
    if let Err(error) = &given_back {
        tracing::warn!(%error, "the lease was not given back; it expires by itself");
    }
    if let Some(At::End(record)) = &at {
        put(shop, record).await;
    } else if let Some(At::Work(run)) = at {
        let newest = shop.lake.publications(&shop.pipeline.name, 1).await.ok().and_then(|mut links| links.pop());
        let published = newest.filter(|link| link.publication.as_ref().is_some_and(|p| p.run == run));
        match published {
            Some(link) => {
                let message = format!("{why} after it published; run the same again for its reports");
                write(shop, run, (RunStatus::Published, code), &message, Some(link.number)).await;
            }
            // Without the lease given back the last word is not spoken: no end is recorded rather than a wrong one.
            None if given_back.is_err() => {}
            None => write(shop, run, (status, code), why, None).await,
        }
    }
}

async fn write(shop: &Workshop, run: RunId, (status, code): (RunStatus, u8), message: &str, snapshot: Option<u64>) {
    let message = Some(message.to_owned());
    shop.observer.see(&Event::RunEnded { run: run.clone(), end: status.into(), message: message.clone() });
    put(shop, &RunFinished { message, snapshot, ..RunFinished::new(run, shop.system.clock.now(), status, code) }).await;
}

/// The record is for people: when it cannot be written the run's own outcome counts, and the log says so.
async fn put(shop: &Workshop, record: &RunFinished) {
    if let Err(error) = shop.lake.finish_run(&shop.pipeline.name, record).await {
        tracing::error!(%error, run = %record.run, "the record of this run was not written");
    }
}
