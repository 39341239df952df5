//! Has the runs of one pipeline that are due at once done, oldest first, and accounts for each.

use crate::base::{Event, Scheduling};
use crate::lake::{ChainError, TakeError};
use crate::plan::{Batch, Skip};
use crate::run::outbox::{Post, Sent};
use crate::run::{Options, RunError, Session, Workshop, describe, run_interval, tell_outcome};
use crate::schedule::accounts::account;

/// How a batch ended.
#[derive(Debug)]
pub enum Ended {
    /// All of it was tried; `failed` where the last one failed for good.
    Done { failed: bool },
    /// Somebody else holds the pipeline; what is left is still due.
    Held,
    /// It may pass: what is left is still due.
    Failed { as_of: String, error: RunError },
}

/// Runs what is due. A run that fails for good is accounted for, with its reason; the ones after it do not need it.
/// `wait` is for a holder without a sign of life, which is taken over when it has been silent for the time-out.
pub async fn work(shop: &Workshop, mut batch: Batch, wait: bool) -> Result<Ended, RunError> {
    let (mut session, post) = (Session::default(), Post::of(shop));
    let (name, version) = (&shop.pipeline.name, batch.accounted(0).version);
    let tell = |what| shop.observer.see(&Event::Schedule { pipeline: name.clone(), what });
    tell_skips(shop, &batch.skipped);
    if let Some(first) = batch.runs.first() {
        let (cause, since) = (first.cause.to_string(), first.due.to_utc());
        tell(Scheduling::Due { runs: batch.runs.len(), cause, since, late: first.late });
    }
    let mut failed = false;
    for at in 0..batch.runs.len() {
        let run = batch.runs[at].clone();
        let cursor = batch.accounted(at);
        let options = Options {
            wait,
            reports: run.report,
            mail: run.report,
            cause: Some(run.cause.to_string()),
            due_at: Some(run.due.to_utc()),
            late_since: run.late.then(|| run.due.to_utc()),
            account: Some((version, cursor.clone())),
        };
        let as_of = run.interval.as_of().to_string();
        match run_interval(shop, run.interval, &mut session, &options, false).await {
            Ok(night) => {
                told(shop, tell_outcome((&post, &shop.pipeline), &run.interval.as_of(), None).await);
                if !night.published {
                    account(&shop.lake, name, &shop.system, Some(version), cursor).await?;
                }
                let (snapshot, published) = (night.snapshot, night.published);
                tell(Scheduling::Ended { as_of, snapshot, published });
                failed = false;
            }
            Err(RunError::Taken(TakeError::HeldBy { .. }) | RunError::Chain(ChainError::Fenced { .. })) => {
                return Ok(Ended::Held);
            }
            Err(error) if may_pass(&error) => return Ok(Ended::Failed { as_of, error }),
            Err(error) => {
                let why = describe(&error);
                told(shop, tell_outcome((&post, &shop.pipeline), &run.interval.as_of(), Some(&error)).await);
                // What is published and not delivered is accounted for as it is; the outbox knows the rest.
                if !matches!(error, RunError::NotDelivered(_)) {
                    batch.failed(at, format!("the run failed: {why}"), shop.system.clock.now());
                }
                account(&shop.lake, name, &shop.system, Some(version), batch.accounted(at)).await?;
                tell(Scheduling::Failed { as_of, why, again: None });
                failed = true;
            }
        }
    }
    Ok(Ended::Done { failed })
}

/// A message that could not even be kept is said aloud, and changes nothing about the run.
fn told(shop: &Workshop, how: Result<Vec<Sent>, RunError>) {
    if let Err(error) = how {
        let message = format!("`notify` of {} was not told: {}", shop.pipeline.name, describe(&error));
        shop.observer.see(&Event::Warning { message });
    }
}

/// Whether the same run may succeed later without anybody changing anything: the world failed, not the project or its data.
fn may_pass(error: &RunError) -> bool {
    error.is_transient() || error.exit_code() == 4
}

fn tell_skips(shop: &Workshop, skipped: &[Skip]) {
    for skip in skipped {
        let shown = |at: chrono::DateTime<chrono::FixedOffset>| at.format("%Y-%m-%dT%H:%M").to_string();
        let what = Scheduling::Skipped { from: shown(skip.from), until: shown(skip.until), why: skip.why.clone() };
        shop.observer.see(&Event::Schedule { pipeline: shop.pipeline.name.clone(), what });
    }
}
