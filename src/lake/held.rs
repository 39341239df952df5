//! The holder's side of a chain: publishing, moving the head, beating, releasing. Creates only the number after the last it
//! saw; if another epoch stands there it has been fenced, and writes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, FixedOffset, Utc};

use crate::base::{Fingerprint, PipelineName};
use crate::plan::Cursor;

use super::chain::content_of;
use super::error::{ChainError, LakeError};
use super::gc::gc_doomed;
use super::lake::{Create, Lake};
use super::lease::Beat;
use super::paths;
use super::types::{Lease, Manifest, Publication, Sealed};

/// A lease that was taken, and the end of the chain as its holder last saw it.
#[derive(Debug)]
pub struct Held {
    pipeline: PipelineName,
    lease: Lease,
    /// Without what it publishes.
    last: Manifest,
    /// The end of the head's interval.
    head_end: Option<DateTime<FixedOffset>>,
    /// What the next link is to say of the schedule.
    accounts: Option<Cursor>,
    beats: Arc<AtomicU64>,
}

/// Gives signs of life, from wherever the run's own clock ticks.
#[derive(Debug, Clone)]
pub struct Beater {
    path: String,
    beats: Arc<AtomicU64>,
}

impl Beater {
    /// Says that the holder lives. It does not ask whether it still holds.
    pub async fn beat(&self, lake: &Lake, now: DateTime<Utc>) -> Result<(), LakeError> {
        let counter = self.beats.fetch_add(1, Ordering::SeqCst) + 1;
        lake.write_json(&self.path, &Beat { counter, at: now }).await
    }
}

impl Held {
    pub(super) async fn new(lake: &Lake, pipeline: &PipelineName, last: Manifest) -> Result<Self, LakeError> {
        let head_end = match last.head {
            Some(number) => lake.manifest(pipeline, number).await?.publication.map(|p| p.end),
            None => None,
        };
        // A link made by taking always names its holder; `link_up` is the only caller.
        let lease = last.lease.clone().ok_or_else(|| LakeError::Unreadable {
            path: paths::manifest(pipeline, last.number),
            kind: "a taken lease",
            why: "it names no holder".to_owned(),
        })?;
        Ok(Self { pipeline: pipeline.clone(), lease, last, head_end, accounts: None, beats: Arc::default() })
    }

    pub fn pipeline(&self) -> &PipelineName {
        &self.pipeline
    }

    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The number of the last link this holder saw, its own.
    pub fn last_number(&self) -> u64 {
        self.last.number
    }

    /// The last publication of the pipeline, for checks that compare with it.
    pub fn last_publication(&self) -> Option<u64> {
        self.last.last_publication
    }

    /// The manifest readers follow.
    pub fn head(&self) -> Option<u64> {
        self.last.head
    }

    pub fn beater(&self) -> Beater {
        Beater { path: paths::beat(&self.pipeline, self.lease.epoch), beats: Arc::clone(&self.beats) }
    }

    pub async fn beat(&self, lake: &Lake, now: DateTime<Utc>) -> Result<(), LakeError> {
        self.beater().beat(lake, now).await
    }

    /// The next link accounts for the schedule so far, which was decided on a cursor of the version `from`. If the schedule
    /// was changed since, or another scheduler has brought it further, what stands there stays.
    pub fn account(&mut self, from: Option<Fingerprint>, cursor: Cursor) {
        let standing = self.last.cursor.as_ref();
        let further = standing.is_some_and(|s| {
            s.version == cursor.version
                && (s.fires_until, s.intervals_until) > (cursor.fires_until, cursor.intervals_until)
        });
        if standing.map(|s| s.version) == from && !further {
            self.accounts = Some(cursor);
        }
    }

    /// Asks whether the chain still ends where this holder saw it end. Before anything the chain cannot fence, as a mail.
    pub async fn verify(&self, lake: &Lake) -> Result<(), ChainError> {
        match lake.link(&self.pipeline, self.last.number + 1).await? {
            Some(link) if link.epoch != self.lease.epoch => Err(self.fenced(&link)),
            _ if self.last.lease.is_none() => Err(self.fenced(&self.last)),
            _ => Ok(()),
        }
    }

    /// Publishes tables, all at once, as the next link; gives back its number. `tables` and `content` of the publication
    /// are made from the sealed tables, whatever it says. With `release` the same link gives the lease back.
    pub async fn publish(
        &mut self,
        lake: &Lake,
        publication: Publication,
        tables: Vec<Sealed>,
        release: bool,
        nonce: &str,
        now: DateTime<Utc>,
    ) -> Result<u64, ChainError> {
        let tables: BTreeMap<_, _> = tables.iter().map(|t| (t.table().name.clone(), t.table().clone())).collect();
        let publication = Publication { content: content_of(&tables), tables, ..publication };
        let end = publication.end;
        let number = self
            .append(lake, release, nonce, now, |link, head_end| {
                link.last_publication = Some(link.number);
                // Equal ends are one interval published again, and the later word counts.
                if !link.head_held && head_end.is_none_or(|head| end >= head) {
                    link.head = Some(link.number);
                }
                link.publication = Some(publication.clone());
            })
            .await?;
        if self.last.head == Some(number) {
            self.head_end = Some(end);
        }
        Ok(number)
    }

    /// Lets readers follow an earlier snapshot, and holds them there until it is released.
    pub async fn rollback(
        &mut self,
        lake: &Lake,
        to: u64,
        release: bool,
        nonce: &str,
        now: DateTime<Utc>,
    ) -> Result<u64, ChainError> {
        let target = if to <= self.last.number { lake.link(&self.pipeline, to).await? } else { None };
        let Some(publication) = target.and_then(|link| link.publication) else {
            return Err(ChainError::NotPublished { pipeline: self.pipeline.clone(), number: to });
        };
        let named = publication.tables.values().flat_map(|t| t.parts.iter().copied().chain([t.fingerprint]));
        gc_doomed(lake).await?.spare(lake, named, nonce, now).await?;
        if !lake.holds(&publication, None).await? {
            let (pipeline, as_of) = (self.pipeline.clone(), publication.as_of);
            return Err(ChainError::Collected { pipeline, number: to, as_of });
        }
        let number = self
            .append(lake, release, nonce, now, |link, _| {
                link.head = Some(to);
                link.head_held = true;
            })
            .await?;
        self.head_end = Some(publication.end);
        Ok(number)
    }

    /// Lets readers follow the snapshot of the greatest `as_of` again.
    pub async fn release_rollback(
        &mut self,
        lake: &Lake,
        release: bool,
        nonce: &str,
        now: DateTime<Utc>,
    ) -> Result<u64, ChainError> {
        let all = lake.publications(&self.pipeline, usize::MAX).await?;
        let greatest = all
            .iter()
            .filter_map(|link| Some((link.publication.as_ref()?.end, link.number)))
            .max_by_key(|(end, number)| (*end, *number));
        let number = self
            .append(lake, release, nonce, now, |link, _| {
                link.head = greatest.map(|(_, number)| number);
                link.head_held = false;
            })
            .await?;
        self.head_end = greatest.map(|(end, _)| end);
        Ok(number)
    }

    /// Gives the lease back. Once is enough: a link that published with `release` has done it.
    pub async fn release(&mut self, lake: &Lake, nonce: &str, now: DateTime<Utc>) -> Result<(), ChainError> {
        if self.last.lease.is_none() {
            return Ok(());
        }
        self.append(lake, true, nonce, now, |_, _| {}).await.map(drop)
    }

    /// Creates the next link, as `change` makes it from the last one.
    async fn append(
        &mut self,
        lake: &Lake,
        release: bool,
        nonce: &str,
        now: DateTime<Utc>,
        change: impl Fn(&mut Manifest, Option<DateTime<FixedOffset>>),
    ) -> Result<u64, ChainError> {
        loop {
            if self.last.lease.is_none() {
                return Err(self.fenced(&self.last));
            }
            let mut link = Manifest {
                number: self.last.number + 1,
                nonce: nonce.to_owned(),
                written_at: now,
                lease: (!release).then(|| self.lease.clone()),
                previous_publication: self.last.last_publication,
                publication: None,
                cursor: self.accounts.clone().or_else(|| self.last.cursor.clone()),
                ..self.last.clone()
            };
            change(&mut link, self.head_end);
            let path = paths::manifest(&self.pipeline, link.number);
            let standing = match lake.create_json(&path, &link).await? {
                Create::Created => link.clone(),
                Create::Exists => lake.manifest(&self.pipeline, link.number).await?,
            };
            if standing.epoch != self.lease.epoch {
                return Err(self.fenced(&standing));
            }
            // An epoch has one holder, so this link is ours: the one just made, or one whose answer never reached us.
            let same = says_the_same(&standing, &link);
            if let (false, Some(publication)) = (same, &standing.publication)
                && standing.head == Some(standing.number)
            {
                self.head_end = Some(publication.end);
            }
            self.last = Manifest { publication: None, ..standing };
            if same {
                self.accounts = None;
                lake.set_hint(&self.pipeline, self.last.number).await;
                if release && let Err(error) = lake.delete(&[self.beater().path]).await {
                    tracing::debug!(pipeline = %self.pipeline, %error, "beats were not deleted");
                }
                return Ok(self.last.number);
            }
        }
    }

    fn fenced(&self, link: &Manifest) -> ChainError {
        let by = link.lease.clone().filter(|lease| lease.epoch != self.lease.epoch);
        ChainError::Fenced { pipeline: self.pipeline.clone(), number: link.number, by }
    }
}

/// Whether two links of one epoch do the same, so that making the second would do it twice.
fn says_the_same(one: &Manifest, other: &Manifest) -> bool {
    let did = |m: &Manifest| m.publication.as_ref().map(|p| (p.run.clone(), p.start, p.end, p.content));
    let state = |m: &Manifest| (m.number, m.lease.is_some(), m.head, m.head_held, m.cursor.clone());
    state(one) == state(other) && did(one) == did(other)
}
