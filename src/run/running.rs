//! Which run this process is at, so that one that ends before its end still leaves a record. Decides nothing about work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{Event, RunId};
use crate::lake::{RunFinished, RunStatus};
use crate::run::{RunError, Workshop, describe};

/// The run whose beginning is recorded and whose end is not. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Running(Arc<Mutex<Option<RunId>>>);

impl Running {
    pub(super) fn begins(&self, run: &RunId) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(run.clone());
    }

    pub(super) fn has_ended(&self) -> Option<RunId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Records the end of a run that did not come to record it itself.
    pub(super) async fn ends_early(&self, shop: &Workshop, error: &RunError) {
        if let Some(run) = self.has_ended() {
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
    let run = shop.running.has_ended();
    let given_back = shop.lease.release(shop).await;
    if let Err(error) = &given_back {
        tracing::warn!(%error, "the lease was not given back; it expires by itself");
    }
    if let Some(run) = run {
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
    let (end, said) = (status.into(), Some(message.to_owned()));
    shop.observer.see(&Event::RunEnded { run: run.clone(), end, message: said });
    let record = RunFinished {
        run,
        finished_at: shop.system.clock.now(),
        status,
        code: Some(code),
        message: Some(message.to_owned()),
        snapshot,
        steps: Vec::new(),
        checks: Vec::new(),
        balances: BTreeMap::new(),
        quarantine: Vec::new(),
        alerts: Vec::new(),
        warnings: Vec::new(),
        phases_ms: BTreeMap::new(),
    };
    if let Err(error) = shop.lake.finish_run(&shop.pipeline.name, &record).await {
        tracing::error!(%error, run = %record.run, "the record of this run was not written");
    }
}
