//! A run seen from elsewhere: how far it is, written to the lake while it works; and the wish that it end, read from there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::base::{Event, Observer, RunId, StepOutcome};
use crate::lake::{Cancellation, RunProgress, StepEnd};
use crate::run::keeper::lease_timeout;
use crate::run::{RunError, Workshop};
use crate::system::System;

/// How often what has changed is written. A run that is over sooner writes nothing.
const EVERY: Duration = Duration::from_secs(1);

/// Passes events on, and remembers what they come to.
struct Watched {
    inner: Arc<dyn Observer>,
    progress: Arc<Mutex<(RunProgress, bool)>>,
}

impl Observer for Watched {
    fn see(&self, event: &Event) {
        self.inner.see(event);
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, changed) = &mut *progress;
        match event {
            Event::RunStarted { steps, .. } => seen.steps = *steps,
            Event::StepStarted { step } => seen.running.push(step.clone()),
            Event::StepFinished { step, outcome, took } => {
                seen.running.retain(|running| running != step);
                seen.ended.push(ended(step, outcome, *took));
            }
            _ => return,
        }
        *changed = true;
    }
}

fn ended(step: &str, outcome: &StepOutcome, took: Duration) -> StepEnd {
    let (outcome, rows, message) = match outcome {
        StepOutcome::Made { rows } => ("ran", *rows, None),
        StepOutcome::Reused => ("reused", 0, None),
        StepOutcome::Failed { message } => ("failed", 0, Some(message.clone())),
        StepOutcome::Skipped => ("skipped", 0, None),
    };
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    StepEnd { step: step.to_owned(), outcome: outcome.to_owned(), rows, took_ms, message }
}

/// Writes while it lives.
pub(super) struct Telling(JoinHandle<()>);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The same workshop, whose run can be watched from anywhere as long as the other value lives.
pub(super) fn watched(shop: &Workshop, run: &RunId) -> (Workshop, Telling) {
    let progress = Arc::new(Mutex::new((RunProgress::default(), false)));
    let observer = Arc::new(Watched { inner: Arc::clone(&shop.observer), progress: Arc::clone(&progress) });
    let (lake, pipeline, run) = (shop.lake.clone(), shop.pipeline.name.clone(), run.clone());
    let telling = tokio::spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            let news = {
                let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut progress.1).then(|| progress.0.clone())
            };
            if let Some(news) = news
                && let Err(error) = lake.set_progress(&pipeline, &run, &news).await
            {
                tracing::debug!(%error, "how far the run is was not written");
            }
        }
    });
    (Workshop { observer, ..shop.clone() }, Telling(telling))
}

/// How often a run looks whether somebody wants it to end.
pub fn heard_within(system: &System) -> Duration {
    (lease_timeout(system) / 9).min(Duration::from_secs(1))
}

/// Ends when somebody wants the run to end.
pub(super) async fn cancelled(shop: &Workshop, run: &RunId) -> Cancellation {
    let every = heard_within(&shop.system);
    loop {
        tokio::time::sleep(every).await;
        match shop.lake.cancellation(&shop.pipeline.name, run).await {
            Ok(Some(cancellation)) => return cancellation,
            Ok(None) => {}
            // A store that is gone says so to the work itself.
            Err(error) => tracing::debug!(%error, "whether the run is cancelled could not be read"),
        }
    }
}

/// Asks a run to end. One that is over cannot be.
pub async fn cancel(
    lake: &crate::lake::Lake,
    pipeline: &crate::base::PipelineName,
    run: &RunId,
    cancellation: &Cancellation,
) -> Result<(), RunError> {
    match lake.run_record(pipeline, run).await? {
        None => Err(RunError::Usage(format!("pipeline `{pipeline}` has no run `{run}`"))),
        Some((_, Some(finished))) => {
            let ended = format!("{:?}", finished.status).to_lowercase();
            Err(RunError::Usage(format!("run `{run}` is over: {ended} at {}", finished.finished_at.to_rfc3339())))
        }
        Some((_, None)) => Ok(lake.cancel_run(pipeline, run, cancellation).await.map(drop)?),
    }
}
