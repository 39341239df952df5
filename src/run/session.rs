//! What a process has learned of the lake and the stores, and what is looked up with it: each once, however many intervals it works on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::base::{Interval, SourceName};
use crate::lake::{Manifest, Publication};
use crate::plan::{Inventory, Wanted};
use crate::run::keeper::Editions;
use crate::run::look::{self, Known};
use crate::run::night::Phases;
use crate::run::publish::Edition;
use crate::run::turns::Turns;
use crate::run::work::Work;
use crate::run::{RunError, Workshop, kpis};

/// What a process has learned about the lake and the stores, shared by the intervals it works on.
#[derive(Default)]
pub struct Session {
    pub(super) known: Arc<Mutex<Known>>,
    pub(super) inventories: Option<BTreeMap<SourceName, Inventory>>,
    /// What was noticed when the stores were listed, until a run has told it.
    pub(super) remarks: Vec<String>,
    pub(super) editions: Option<Editions>,
    /// Given where other intervals are worked on at the same time.
    pub(super) turns: Option<Turns>,
    /// What was made of the next run's interval before its turn came.
    pub(super) ahead: Option<Work>,
}

impl Session {
    pub(super) async fn look(
        &mut self,
        shop: &Workshop,
        interval: Interval,
        phases: &mut Phases,
    ) -> Result<(Wanted, Option<Manifest>), RunError> {
        let since = Instant::now();
        let head = shop.lake.head(&shop.pipeline.name).await?;
        if self.inventories.is_none() {
            let (inventories, remarks) = look::find(shop).await?;
            self.inventories = Some(inventories);
            self.remarks = remarks;
        }
        phases.add("find", since);
        let since = Instant::now();
        let of_readers = head.as_ref().and_then(|m| m.publication.as_ref());
        let mut memories = look::remember(shop, of_readers, &self.known).await?;
        if head.as_ref().is_some_and(|m| m.head_held) {
            // The snapshot that they are held at knows nothing of what has landed since.
            self.load_editions(shop, head.as_ref(), &interval).await?;
            let newest = self.editions.as_ref().and_then(Editions::last);
            memories = look::remember(shop, newest, &self.known).await?;
        }
        let inventories = self.inventories.clone().unwrap_or_default();
        let mut wanted = look::want(shop, interval, &inventories, &memories)?;
        wanted.warnings.extend(self.remarks.iter().cloned());
        phases.add("plan", since);
        Ok((wanted, head))
    }

    /// The publication that holds exactly what is wanted, if there is one.
    pub(super) async fn published(
        &mut self,
        shop: &Workshop,
        wanted: &Wanted,
        head: Option<&Manifest>,
    ) -> Result<Option<(u64, Publication)>, RunError> {
        let Some(head) = head else { return Ok(None) };
        let end = wanted.interval.end.fixed_offset();
        let Some(publication) = &head.publication else { return Ok(None) };
        if publication.end == end && !head.head_held {
            return Ok(look::is_published(wanted, publication).then(|| (head.number, publication.clone())));
        }
        if publication.end < end && !head.head_held {
            return Ok(None);
        }
        self.load_editions(shop, Some(head), &wanted.interval).await?;
        let found = self.editions.as_ref().and_then(|e| e.at(&end)).filter(|(_, p)| look::is_published(wanted, p));
        let Some((number, publication)) = found else { return Ok(None) };
        // Readers' own snapshot is never collected.
        let there = shop.lake.holds(publication, head.publication.as_ref()).await?;
        Ok(there.then(|| (*number, publication.clone())))
    }

    /// The chain is read once, and only when the head alone does not answer.
    pub(super) async fn load_editions(
        &mut self,
        shop: &Workshop,
        head: Option<&Manifest>,
        interval: &Interval,
    ) -> Result<(), RunError> {
        // A head that is held may have newer ones behind it.
        let newest = head
            .is_none_or(|m| !m.head_held && m.publication.as_ref().is_none_or(|p| p.end < interval.end.fixed_offset()));
        if self.editions.is_none() && !newest {
            self.editions = Some(Editions::of(shop.lake.publications(&shop.pipeline.name, usize::MAX).await?));
        }
        Ok(())
    }

    /// Writes the values of the KPIs and raises their alerts, before the snapshot that names them.
    pub(super) async fn keep_kpis(
        &self,
        shop: &Workshop,
        edition: &mut Edition,
        interval: &Interval,
        head: Option<&Manifest>,
    ) -> Result<(), RunError> {
        let end = interval.end.fixed_offset();
        let before = match head.filter(|m| !m.head_held).and_then(|m| Some((m.number, m.publication.clone()?))) {
            Some((number, publication)) if publication.end <= end => Some((number, publication)),
            _ => self.editions.as_ref().and_then(|e| e.until(&end)).cloned(),
        };
        let number = shop.lease.next_number(shop).await?;
        kpis::keep(shop, edition, &self.known, before.as_ref(), number).await
    }

    /// The snapshot a change of rows is measured against.
    pub(super) fn before(&self, interval: &Interval, head: Option<&Manifest>) -> Option<Publication> {
        let end = interval.end.fixed_offset();
        match head.filter(|m| !m.head_held).and_then(|m| m.publication.as_ref()) {
            Some(publication) if publication.end < end => Some(publication.clone()),
            _ => self.editions.as_ref().and_then(|e| e.before(&end)).cloned(),
        }
    }

    pub(super) fn remember(&mut self, number: u64, publication: &Publication) {
        if let Some(editions) = &mut self.editions {
            editions.put(number, publication.clone());
        }
    }
}
