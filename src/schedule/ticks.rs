//! What wakes the scheduler: a tick a second. What is due is never taken from it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler};

use crate::run::RunError;
use crate::system::Clock;

/// Wakes once a second, or at once where the clock leaps.
pub struct Ticks {
    clock: Clock,
    ticked: Arc<Notify>,
    /// None for a clock that leaps.
    ticker: Option<JobScheduler>,
}

impl Ticks {
    pub async fn start(clock: &Clock) -> Result<Self, RunError> {
        let ticked = Arc::new(Notify::new());
        let ticker = match clock {
            Clock::Leaping { .. } => None,
            _ => Some(ticker(Arc::clone(&ticked)).await.map_err(|e| RunError::Panicked(format!("the ticker: {e}")))?),
        };
        Ok(Self { clock: clock.clone(), ticked, ticker })
    }

    /// Waits for the next tick; `false` when a leaping clock has come to its end. While something runs a leaping clock
    /// stands still.
    pub async fn next(&self, wanted: Option<DateTime<Utc>>, busy: bool) -> bool {
        if self.ticker.is_some() {
            self.ticked.notified().await;
            return true;
        }
        match wanted {
            _ if busy => std::future::pending().await,
            Some(at) => self.clock.leap(at),
            None => false,
        }
    }

    pub async fn stop(mut self) {
        if let Some(ticker) = &mut self.ticker
            && let Err(error) = ticker.shutdown().await
        {
            tracing::debug!(%error, "the ticker did not stop");
        }
    }
}

/// It goes by UTC, and its own idea of the next tick is not trusted: one that is late or missing costs a second.
async fn ticker(ticked: Arc<Notify>) -> Result<JobScheduler, tokio_cron_scheduler::JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let job = Job::new_repeated(Duration::from_secs(1), move |_, _| ticked.notify_one())?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}
