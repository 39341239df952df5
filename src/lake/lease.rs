//! Who may add to a pipeline's chain: taking the lease, watching whether its holder still lives, taking over.
//!
//! No clock of two machines is ever compared. An observer sees beats change, or not, on its own monotonic clock; and when
//! it is wrong, the holder it took over from is fenced by the chain itself.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::base::{PipelineName, RunId};
use crate::system::{Machine, Process};

use super::disk::Stored;
use super::error::{LakeError, TakeError};
use super::held::Held;
use super::lake::{Create, Lake};
use super::paths;
use super::types::{Lease, Manifest};

/// An observer that was itself asleep must see a few more beats missing before it trusts its clock.
const SIGHTINGS: u32 = 3;

/// The holder's sign of life: one object an epoch, written over. Only the counter matters, and only that it changes; a
/// frozen holder that wakes writes to its own epoch, which nobody looks at any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    pub counter: u64,
    /// For people.
    pub at: DateTime<Utc>,
}

impl Stored for Beat {
    const KIND: &'static str = "beat";
}

/// A run that is due and waits for the holder, which gives way to it between two intervals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub by: Process,
    /// For people.
    pub at: DateTime<Utc>,
}

impl Stored for Waiting {
    const KIND: &'static str = "waiting";
}

/// Says that a run waits; or with nothing, that none does any more.
pub async fn set_waiting(lake: &Lake, pipeline: &PipelineName, waiting: Option<&Waiting>) -> Result<(), LakeError> {
    let path = paths::waiting(pipeline);
    match waiting {
        Some(waiting) => lake.write_json(&path, waiting).await,
        None => lake.delete(&[path]).await,
    }
}

pub async fn waiting(lake: &Lake, pipeline: &PipelineName) -> Result<Option<Waiting>, LakeError> {
    lake.read_json(&paths::waiting(pipeline)).await
}

/// What an observer saw of a holder. As long as it changes, the holder lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub number: u64,
    pub epoch: u64,
    pub beat: Option<u64>,
}

/// What an observer concludes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody holds it: `take`.
    Free,
    /// Its holder was a process of this machine and is gone: `take`.
    Dead,
    Alive(Lease),
    /// No sign of life for the time-out: `take_over`.
    Expired(Sighting),
}

/// One observer's memory. Pure: time is given to it.
#[derive(Debug, Clone)]
pub struct Watch {
    timeout: Duration,
    seen: Option<(Sighting, Instant, u32)>,
}

impl Watch {
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, seen: None }
    }

    /// Whether a holder seen so at this instant has given no sign of life for the time-out.
    pub fn expired(&mut self, sighting: &Sighting, at: Instant) -> bool {
        match &mut self.seen {
            Some((last, since, times)) if last == sighting => {
                *times += 1;
                *times >= SIGHTINGS && at.duration_since(*since) >= self.timeout
            }
            _ => {
                self.seen = Some((sighting.clone(), at, 1));
                false
            }
        }
    }
}

/// Takes the lease: at once when it is free or its holder was a process of this machine that is gone. A run that asks
/// again, because the answer to its first asking was lost, has what it holds.
pub async fn take(
    lake: &Lake,
    pipeline: &PipelineName,
    holder: Process,
    run: RunId,
    nonce: &str,
    now: DateTime<Utc>,
    machine: &Machine,
) -> Result<Held, TakeError> {
    loop {
        let latest = lake.latest(pipeline).await?;
        if let Some((link, lease)) = latest.as_ref().and_then(|link| Some((link, link.lease.as_ref()?))) {
            if lease.holder == holder && lease.run == run {
                return Ok(Held::new(lake, pipeline, Manifest { publication: None, ..link.clone() }).await?);
            }
            if !machine.is_dead(&lease.holder) {
                return Err(TakeError::HeldBy { pipeline: pipeline.clone(), lease: lease.clone() });
            }
        }
        // Whoever is quicker has the lease; then there is a holder to name, or a released link to go on from.
        if let Some(held) = link_up(lake, pipeline, latest, &holder, &run, nonce, now).await? {
            return Ok(held);
        }
    }
}

/// Takes the lease from a holder that gave no sign of life, unless it has given one since.
pub async fn take_over(
    lake: &Lake,
    pipeline: &PipelineName,
    holder: Process,
    run: RunId,
    nonce: &str,
    now: DateTime<Utc>,
    expired: &Sighting,
) -> Result<Held, TakeError> {
    loop {
        let latest = lake.latest(pipeline).await?;
        if let Some((link, lease)) = latest.as_ref().and_then(|link| Some((link, link.lease.as_ref()?)))
            && sighting(lake, pipeline, link).await? != *expired
        {
            return Err(TakeError::HeldBy { pipeline: pipeline.clone(), lease: lease.clone() });
        }
        if let Some(held) = link_up(lake, pipeline, latest, &holder, &run, nonce, now).await? {
            return Ok(held);
        }
    }
}

/// One look at a pipeline's lease.
pub async fn observe(
    lake: &Lake,
    pipeline: &PipelineName,
    machine: &Machine,
    watch: &mut Watch,
    at: Instant,
) -> Result<Verdict, LakeError> {
    let Some(latest) = lake.latest(pipeline).await? else { return Ok(Verdict::Free) };
    let Some(lease) = latest.lease.clone() else { return Ok(Verdict::Free) };
    if machine.is_dead(&lease.holder) {
        return Ok(Verdict::Dead);
    }
    let sighting = sighting(lake, pipeline, &latest).await?;
    Ok(if watch.expired(&sighting, at) { Verdict::Expired(sighting) } else { Verdict::Alive(lease) })
}

/// Looks again and again until the lease can be taken; never says `Alive`. Cancel it by dropping it.
pub async fn watch(
    lake: &Lake,
    pipeline: &PipelineName,
    machine: &Machine,
    timeout: Duration,
    every: Duration,
) -> Result<Verdict, LakeError> {
    let mut memory = Watch::new(timeout);
    loop {
        match observe(lake, pipeline, machine, &mut memory, tokio::time::Instant::now().into_std()).await? {
            Verdict::Alive(_) => tokio::time::sleep(every).await,
            verdict => return Ok(verdict),
        }
    }
}

/// The holder's last beat, for a person who asks who holds it.
pub async fn last_beat(lake: &Lake, pipeline: &PipelineName, epoch: u64) -> Result<Option<Beat>, LakeError> {
    lake.read_json(&paths::beat(pipeline, epoch)).await
}

async fn sighting(lake: &Lake, pipeline: &PipelineName, link: &Manifest) -> Result<Sighting, LakeError> {
    let beat = last_beat(lake, pipeline, link.epoch).await?;
    Ok(Sighting { number: link.number, epoch: link.epoch, beat: beat.map(|b| b.counter) })
}

/// Creates the next link with a new epoch and holder; nothing when somebody else was quicker.
async fn link_up(
    lake: &Lake,
    pipeline: &PipelineName,
    latest: Option<Manifest>,
    holder: &Process,
    run: &RunId,
    nonce: &str,
    now: DateTime<Utc>,
) -> Result<Option<Held>, LakeError> {
    let epoch = latest.as_ref().map_or(0, |l| l.epoch) + 1;
    let last_publication = latest.as_ref().and_then(|l| l.last_publication);
    let link = Manifest {
        number: latest.as_ref().map_or(0, |l| l.number) + 1,
        nonce: nonce.to_owned(),
        written_at: now,
        lease: Some(Lease { epoch, holder: holder.clone(), run: run.clone() }),
        epoch,
        head: latest.as_ref().and_then(|l| l.head),
        head_held: latest.as_ref().is_some_and(|l| l.head_held),
        last_publication,
        previous_publication: last_publication,
        publication: None,
        cursor: latest.as_ref().and_then(|l| l.cursor.clone()),
    };
    match lake.create_json(&paths::manifest(pipeline, link.number), &link).await? {
        Create::Exists => Ok(None),
        Create::Created => {
            lake.set_hint(pipeline, link.number).await;
            // The beats of the epoch before mean nothing any more; leaving them would only cost room.
            if let Some(old) = latest
                && let Err(error) = lake.delete(&[paths::beat(pipeline, old.epoch)]).await
            {
                tracing::debug!(%pipeline, %error, "old beats were not deleted");
            }
            Held::new(lake, pipeline, link).await.map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::testing::{both_kinds, dead_process, holder, in_memory, now, pipeline, run, this_machine};

    async fn taken(lake: &Lake, nonce: &str) -> Result<Held, TakeError> {
        take(lake, &pipeline(), holder(), run(nonce), nonce, now(), &this_machine()).await
    }

    #[tokio::test]
    async fn of_two_takers_one_wins() {
        for (lake, _folder) in both_kinds() {
            let (one, other) = tokio::join!(taken(&lake, "one"), taken(&lake, "other"));
            let (winner, loser) = if one.is_ok() { (one, other) } else { (other, one) };
            let winner = winner.expect("one of them has it");
            match loser.expect_err("only one of them has it") {
                TakeError::HeldBy { lease, .. } => assert_eq!(lease, *winner.lease()),
                TakeError::Lake(error) => panic!("{error}"),
            }
            assert_eq!(lake.latest(&pipeline()).await.expect("read").expect("a link").number, 1);
        }
    }

    #[tokio::test]
    async fn a_dead_holder_is_taken_over_at_once() {
        let lake = in_memory();
        take(&lake, &pipeline(), dead_process(), run("a"), "a", now(), &this_machine()).await.expect("taken");
        let mut memory = Watch::new(Duration::from_mins(1));
        let seen = observe(&lake, &pipeline(), &this_machine(), &mut memory, Instant::now()).await.expect("seen");
        assert_eq!(seen, Verdict::Dead);
        assert_eq!(taken(&lake, "b").await.expect("taken").lease().epoch, 2);
    }

    #[tokio::test]
    async fn a_released_lease_is_free_and_its_epoch_is_not_used_again() {
        let lake = in_memory();
        let mut held = taken(&lake, "a").await.expect("taken");
        held.release(&lake, "a2", now()).await.expect("released");
        let found = watch(&lake, &pipeline(), &this_machine(), Duration::from_mins(1), Duration::from_secs(1)).await;
        assert_eq!(found.expect("seen"), Verdict::Free);
        assert_eq!(taken(&lake, "b").await.expect("taken").lease().epoch, 2);
    }

    #[test]
    fn a_holder_lives_as_long_as_it_beats() {
        let at = |s: u64| Instant::now() + Duration::from_secs(s);
        let start = at(0);
        let seen = |beat| Sighting { number: 1, epoch: 1, beat: Some(beat) };
        let mut memory = Watch::new(Duration::from_secs(30));
        assert!(!memory.expired(&seen(1), start));
        assert!(!memory.expired(&seen(1), start + Duration::from_secs(29)));
        assert!(!memory.expired(&seen(2), start + Duration::from_secs(31)), "a new beat");
        // Asleep for an hour: the second look alone proves nothing.
        assert!(!memory.expired(&seen(2), start + Duration::from_hours(1)));
        assert!(memory.expired(&seen(2), start + Duration::from_secs(3601)));
    }

    #[tokio::test]
    async fn an_expired_holder_is_taken_over_unless_it_beats_again() {
        let lake = in_memory();
        let held = taken(&lake, "a").await.expect("taken");
        held.beater().beat(&lake, now()).await.expect("a beat");
        let (mut memory, start) = (Watch::new(Duration::from_secs(30)), Instant::now());
        let mut verdict = Verdict::Free;
        for s in [0, 20, 40] {
            let at = start + Duration::from_secs(s);
            verdict = observe(&lake, &pipeline(), &this_machine(), &mut memory, at).await.expect("seen");
        }
        let Verdict::Expired(expired) = verdict else { panic!("{verdict:?}") };
        held.beater().beat(&lake, now()).await.expect("a beat");
        let over = take_over(&lake, &pipeline(), holder(), run("b"), "b", now(), &expired).await;
        assert!(matches!(over, Err(TakeError::HeldBy { .. })), "it woke in time");
        let still = Sighting { beat: Some(2), ..expired };
        let over = take_over(&lake, &pipeline(), holder(), run("b"), "b", now(), &still).await.expect("taken over");
        assert_eq!(over.lease().epoch, 2);
    }
}
