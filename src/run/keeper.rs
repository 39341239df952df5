//! Keeps a pipeline's lease: takes it, beats while work goes on, gives it back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::base::{Event, Fingerprint, RunId};
use crate::lake::lease::{Sighting, Verdict, last_beat, set_waiting, take, take_over, waiting, watch};
use crate::lake::{ChainError, Held, Lake, Manifest, Publication, Sealed, TakeError};
use crate::plan::Cursor;
use crate::run::retry::retry;
use crate::run::{RunError, Workshop};
use crate::system::System;

/// A holder that gave no sign of life for so long, on the observer's own clock, has lost its lease.
const LEASE_TIMEOUT: Duration = Duration::from_secs(45);

/// A scheduled run that waits looks more often than this.
const GRACE: Duration = Duration::from_secs(10);

/// `MATINS_LEASE_TIMEOUT` in seconds, the same for every process on one lake; beats and looks come at fractions of it.
pub fn lease_timeout(system: &System) -> Duration {
    asked_lease_timeout(system).ok().flatten().unwrap_or(LEASE_TIMEOUT)
}

/// What the variable says, if it is set.
pub fn asked_lease_timeout(system: &System) -> Result<Option<Duration>, RunError> {
    let Some(text) = system.environment.get("MATINS_LEASE_TIMEOUT") else { return Ok(None) };
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.1..=86_400.0).contains(seconds));
    let wrong = || RunError::Usage(format!("MATINS_LEASE_TIMEOUT is `{text}`; it takes seconds, from 0.1 to 86400"));
    seconds.map(|seconds| Some(Duration::from_secs_f64(seconds))).ok_or_else(wrong)
}

/// The lease of one pipeline, if this process holds it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Keeper(Arc<Mutex<Option<Kept>>>);

struct Kept {
    held: Held,
    beating: JoinHandle<()>,
}

impl Kept {
    fn beating(shop: &Workshop, held: Held) -> Self {
        let beater = held.beater();
        let (lake, system, every) = (shop.lake.clone(), shop.system.clone(), lease_timeout(&shop.system) / 9);
        let beating = tokio::spawn(async move {
            loop {
                // A beat that is lost is followed by others; a store that is gone for long costs the lease, as it should.
                if let Err(error) = beater.beat(&lake, system.clock.now()).await {
                    tracing::warn!(%error, "a sign of life was not written");
                }
                tokio::time::sleep(every).await;
            }
        });
        Self { held, beating }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

impl Keeper {
    /// Takes the lease unless it is held already, which `false` says. With `wait`, waits for whoever holds it to finish
    /// or to fall silent.
    pub async fn take(&self, shop: &Workshop, run: &RunId, wait: bool) -> Result<bool, RunError> {
        if self.0.lock().await.is_some() {
            return Ok(false);
        }
        loop {
            match self.once(shop, run).await {
                Err(RunError::Taken(TakeError::HeldBy { lease, pipeline }))
                    if wait || is_silent(shop, lease.epoch).await? =>
                {
                    let message = format!(
                        "{pipeline} is held by run {} of process {} on {}: waiting",
                        lease.run, lease.holder.pid, lease.holder.host
                    );
                    shop.observer.see(&Event::Warning { message });
                    let patience = if wait { Duration::MAX } else { lease_timeout(&shop.system) * 2 };
                    let waited = tokio::time::timeout(patience, self.after_waiting(shop, run)).await;
                    if waited.unwrap_or(Ok(false))? {
                        return Ok(true);
                    }
                    if !wait {
                        // It lives after all, and nobody asked to wait for its end.
                        return self.once(shop, run).await.map(|()| true);
                    }
                }
                done => return done.map(|()| true),
            }
        }
    }

    async fn once(&self, shop: &Workshop, run: &RunId) -> Result<(), RunError> {
        let nonce = shop.system.ids.next();
        retry(&shop.system, &shop.observer, "taking the lease", || self.secure(shop, run, &nonce, None)).await
    }

    /// Waits until the lease is free or its holder has been silent for the time-out, and then takes it over; `false` when
    /// somebody else may be quicker.
    async fn after_waiting(&self, shop: &Workshop, run: &RunId) -> Result<bool, RunError> {
        let timeout = lease_timeout(&shop.system);
        let looking = watch(&shop.lake, &shop.pipeline.name, &shop.system.machine, timeout, timeout / 20);
        let Verdict::Expired(sighting) = looking.await? else { return Ok(false) };
        match self.secure(shop, run, &shop.system.ids.next(), Some(sighting)).await {
            Ok(()) => Ok(true),
            Err(RunError::Taken(TakeError::HeldBy { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes the lease in a task of its own, which a run that is told to stop does not cancel: a lease that stands in the
    /// chain and is not known here could not be given back. Whoever asks for the lease meanwhile waits for the task.
    async fn secure(
        &self,
        shop: &Workshop,
        run: &RunId,
        nonce: &str,
        expired: Option<Sighting>,
    ) -> Result<(), RunError> {
        let mut kept = Arc::clone(&self.0).lock_owned().await;
        let (shop, run, nonce) = (shop.clone(), run.clone(), nonce.to_owned());
        let taking = tokio::spawn(async move {
            let (lake, pipeline, machine) = (&shop.lake, &shop.pipeline.name, &shop.system.machine);
            let (process, now) = (machine.process(), shop.system.clock.now());
            let held = match expired {
                None => take(lake, pipeline, process, run, &nonce, now, machine).await?,
                Some(sighting) => take_over(lake, pipeline, process, run, &nonce, now, &sighting).await?,
            };
            *kept = Some(Kept::beating(&shop, held));
            Ok(())
        });
        taking.await.map_err(|panic| RunError::Panicked(panic.to_string()))?
    }

    /// The number that the next link of the chain will have, while the lease is held.
    pub async fn next_number(&self, shop: &Workshop) -> Result<u64, RunError> {
        let kept = self.0.lock().await;
        let not_held = || RunError::Usage(format!("the lease of `{}` is not held", shop.pipeline.name));
        Ok(kept.as_ref().ok_or_else(not_held)?.held.last_number() + 1)
    }

    /// Publishes under the lease; with `release` the same put gives it back.
    pub async fn publish(
        &self,
        shop: &Workshop,
        publication: Publication,
        sealed: &[Sealed],
        account: Option<(Fingerprint, Cursor)>,
        release: bool,
    ) -> Result<u64, RunError> {
        let mut kept = self.0.lock().await;
        let Some(mine) = kept.as_mut() else {
            return Err(RunError::Usage(format!("the lease of `{}` is not held", shop.pipeline.name)));
        };
        if let Some((from, cursor)) = account {
            mine.held.account(Some(from), cursor);
        }
        // One nonce for all tries: a create whose answer was lost is known again as our own.
        let nonce = shop.system.ids.next();
        let mut tries = 0;
        let number = loop {
            let now = shop.system.clock.now();
            match mine.held.publish(&shop.lake, publication.clone(), sealed.to_vec(), release, &nonce, now).await {
                Err(ChainError::Lake(error)) if error.is_transient() && tries < 5 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(200 << tries)).await;
                }
                done => break done?,
            }
        };
        if release {
            *kept = None;
        }
        Ok(number)
    }

    /// Asks whether the lease is still ours, where it is held: before anything that the chain cannot fence, as a mail.
    pub async fn verify(&self, lake: &Lake) -> Result<(), RunError> {
        match self.0.lock().await.as_ref() {
            Some(mine) => Ok(mine.held.verify(lake).await?),
            None => Ok(()),
        }
    }

    /// Gives the lease back, if it is held and still ours.
    pub async fn release(&self, shop: &Workshop) -> Result<(), RunError> {
        let Some(mut mine) = self.0.lock().await.take() else { return Ok(()) };
        match mine.held.release(&shop.lake, &shop.system.ids.next(), shop.system.clock.now()).await {
            Ok(()) | Err(ChainError::Fenced { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the lease to a scheduled run that waits for it, if one does, and waits until that has it; `true` when the lease
    /// was given back.
    pub async fn give_way(&self, shop: &Workshop) -> Result<bool, RunError> {
        let (lake, pipeline) = (&shop.lake, &shop.pipeline.name);
        if self.0.lock().await.is_none() || waiting(lake, pipeline).await?.is_none() {
            return Ok(false);
        }
        self.release(shop).await?;
        let since = tokio::time::Instant::now();
        while since.elapsed() < GRACE {
            if lake.latest(pipeline).await?.is_some_and(|link| link.lease.is_some()) {
                return Ok(true);
            }
            tokio::time::sleep(GRACE / 100).await;
        }
        // Nobody came: a scheduler that died while it waited has left its word behind.
        set_waiting(lake, pipeline, None).await?;
        Ok(true)
    }

    /// Moves the head to an earlier snapshot and holds it there, or lets it go again; gives the lease back.
    pub async fn rollback(&self, shop: &Workshop, to: Option<u64>) -> Result<u64, RunError> {
        let mut kept = self.0.lock().await;
        let Some(mut mine) = kept.take() else {
            return Err(RunError::Usage(format!("the lease of `{}` is not held", shop.pipeline.name)));
        };
        let (nonce, now) = (shop.system.ids.next(), shop.system.clock.now());
        let done = match to {
            Some(number) => mine.held.rollback(&shop.lake, number, true, &nonce, now).await,
            None => mine.held.release_rollback(&shop.lake, true, &nonce, now).await,
        };
        if done.is_err() {
            // What was refused leaves the lease to be given back.
            mine.held.release(&shop.lake, &shop.system.ids.next(), now).await.ok();
        }
        Ok(done?)
    }
}

/// Whether the holder's last sign of life is old by the wall clock. Only a hint that watching it is worth while: clocks of
/// two machines differ, so what decides is the observer's own monotonic clock.
async fn is_silent(shop: &Workshop, epoch: u64) -> Result<bool, RunError> {
    let beat = last_beat(&shop.lake, &shop.pipeline.name, epoch).await?;
    let age = beat.and_then(|b| (shop.system.clock.now() - b.at).to_std().ok());
    Ok(age.is_some_and(|age| age > lease_timeout(&shop.system)))
}

/// The publications of a pipeline by the end of their interval, the last word on each.
#[derive(Debug, Default)]
pub struct Editions(std::collections::BTreeMap<chrono::DateTime<chrono::FixedOffset>, (u64, Publication)>);

impl Editions {
    /// Reads the whole chain, newest first; a later publication of an interval stands before an earlier.
    pub fn of(manifests: Vec<Manifest>) -> Self {
        let mut all = Self::default();
        for manifest in manifests {
            if let Some(publication) = manifest.publication {
                all.0.entry(publication.end).or_insert((manifest.number, publication));
            }
        }
        all
    }

    pub fn put(&mut self, number: u64, publication: Publication) {
        self.0.insert(publication.end, (number, publication));
    }

    pub fn at(&self, end: &chrono::DateTime<chrono::FixedOffset>) -> Option<&(u64, Publication)> {
        self.0.get(end)
    }

    /// The last one at or before an instant, and its number.
    pub fn until(&self, end: &chrono::DateTime<chrono::FixedOffset>) -> Option<&(u64, Publication)> {
        self.0.range(..=end).next_back().map(|(_, found)| found)
    }

    pub fn last(&self) -> Option<&Publication> {
        self.0.values().next_back().map(|(_, publication)| publication)
    }

    /// The last one before an instant.
    pub fn before(&self, end: &chrono::DateTime<chrono::FixedOffset>) -> Option<&Publication> {
        self.0.range(..end).next_back().map(|(_, (_, publication))| publication)
    }
}
