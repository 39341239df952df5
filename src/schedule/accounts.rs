//! Writes how far a schedule is accounted for where no publication does it: a link of the chain like any other.

use crate::base::{BadName, Fingerprint, PipelineName, RunId};
use crate::lake::Lake;
use crate::lake::lease::take;
use crate::plan::Cursor;
use crate::run::RunError;
use crate::system::System;

/// Takes the lease and gives it back with the cursor; nothing when the chain says so already. Fails like a run where
/// somebody holds the pipeline. The cursor was decided on one of the version `from`.
pub async fn account(
    lake: &Lake,
    pipeline: &PipelineName,
    system: &System,
    from: Option<Fingerprint>,
    cursor: Cursor,
) -> Result<(), RunError> {
    let standing = lake.latest(pipeline).await?.and_then(|link| link.cursor);
    let further = standing.as_ref().is_some_and(|s| {
        s.version == cursor.version
            && s.fires_until >= cursor.fires_until
            && s.intervals_until >= cursor.intervals_until
            && s.after == cursor.after
    });
    if further {
        return Ok(());
    }
    let run: RunId = format!("r{}", system.ids.next()).parse().map_err(|e: BadName| RunError::Usage(e.to_string()))?;
    let (process, now) = (system.machine.process(), system.clock.now());
    let mut held = take(lake, pipeline, process, run, &system.ids.next(), now, &system.machine).await?;
    held.account(from, cursor);
    Ok(held.release(lake, &system.ids.next(), now).await?)
}
