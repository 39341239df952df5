//! Looks at the stores and the lake, and plans one interval from what it saw. Writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;

use crate::base::{Fingerprint, Interval, SourceName, TableName};
use crate::lake::{CheckOutcome, Manifest, Publication, RawExport, RawTable, TablePart};
use crate::plan::{Before, Existing, Inventory, Memory, Plan, Remembered, Wanted, plan, wanted};
use crate::run::retry::retry;
use crate::run::{RunError, Workshop};
use crate::source;

/// Everything known to be in the lake, kept over the intervals of a backfill so that nothing is asked twice.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub landed: BTreeMap<Fingerprint, RawExport>,
    pub raws: BTreeMap<Fingerprint, RawTable>,
    pub parts: BTreeMap<Fingerprint, TablePart>,
    /// By table's fingerprint and checks' fingerprint.
    pub checks: BTreeMap<(Fingerprint, Fingerprint), Vec<CheckOutcome>>,
    /// What was asked for and is not there.
    absent: BTreeSet<Fingerprint>,
}

/// One listing of every source's exports, side by side.
pub async fn find(shop: &Workshop) -> Result<BTreeMap<SourceName, Inventory>, RunError> {
    let all = shop.pipeline.sources.values().map(|source| async move {
        let store =
            shop.stores.get(&source.store).ok_or_else(|| RunError::Usage(format!("no store `{}`", source.store)))?;
        let what = format!("listing {}", source.name);
        let found = retry(&shop.system, &shop.observer, &what, || async {
            Ok(source::find(&store.store, &store.url, source).await?)
        })
        .await?;
        Ok::<_, RunError>((source.name.clone(), found))
    });
    Ok(try_join_all(all).await?.into_iter().collect())
}

/// What the snapshot readers follow knew of each source, for exports that have vanished and for saying what is new.
pub async fn remember(
    shop: &Workshop,
    head: Option<&Manifest>,
    known: &mut Known,
) -> Result<BTreeMap<SourceName, Memory>, RunError> {
    let mut memories = BTreeMap::new();
    let Some(publication) = head.and_then(|m| m.publication.as_ref()) else { return Ok(memories) };
    for name in shop.pipeline.sources.keys() {
        let Some(published) = publication.tables.get(&TableName::raw(name)) else { continue };
        let raw = match known.raws.get(&published.fingerprint) {
            Some(raw) => raw.clone(),
            None => match shop.lake.raw_table(name, &published.fingerprint).await? {
                Some(raw) => raw,
                None => continue,
            },
        };
        for export in &raw.exports {
            known.landed.entry(export.fingerprint).or_insert_with(|| export.clone());
        }
        let exports = raw
            .exports
            .iter()
            .map(|e| Remembered { path: e.path.clone(), date: e.date, landed: e.fingerprint })
            .collect();
        let contract = published.made_from.get("contract").and_then(|text| text.parse().ok());
        memories.insert(name.clone(), Memory { contract, exports });
        known.raws.insert(raw.fingerprint, raw);
    }
    Ok(memories)
}

/// Works out what an interval stands on and makes.
pub fn want(
    shop: &Workshop,
    interval: Interval,
    inventories: &BTreeMap<SourceName, Inventory>,
    memories: &BTreeMap<SourceName, Memory>,
) -> Result<Wanted, RunError> {
    Ok(wanted(&shop.pipeline, &shop.graph, interval, inventories, memories)?)
}

/// Whether a publication holds exactly what is wanted, checked as it is wanted to be.
pub fn is_published(wanted: &Wanted, publication: &Publication) -> bool {
    let mut count = 0;
    let raws = wanted.sources.iter().map(|(name, source)| (TableName::raw(name), source.raw, source.checks));
    let tables = wanted.tables.iter().map(|t| (t.node.table().clone(), t.fingerprint, t.checks));
    let same = raws.chain(tables).all(|(name, fingerprint, checks)| {
        count += 1;
        publication.tables.get(&name).is_some_and(|t| t.fingerprint == fingerprint && t.checks == checks)
    });
    same && count == publication.tables.len() && publication.as_of == wanted.interval.as_of().to_string()
}

/// Asks the lake which of the wanted things it has; what is known already is not asked for again.
pub async fn existing(shop: &Workshop, wanted: &Wanted, known: &mut Known) -> Result<Existing, RunError> {
    let mut existing = Existing::default();
    for (name, source) in &wanted.sources {
        let unknown: Vec<Fingerprint> = source
            .exports
            .iter()
            .map(|e| e.landed)
            .filter(|f| known.is_new(f) && !known.landed.contains_key(f))
            .collect();
        for (fingerprint, landed) in shop.lake.landed_many(name, &unknown).await? {
            known.landed.insert(fingerprint, raw_export(landed));
        }
        known.absent.extend(unknown.iter().filter(|f| !known.landed.contains_key(f)));
        existing.made.extend(source.exports.iter().map(|e| e.landed).filter(|f| known.landed.contains_key(f)));
        if !known.raws.contains_key(&source.raw)
            && let Some(raw) = shop.lake.raw_table(name, &source.raw).await?
        {
            known.raws.insert(source.raw, raw);
        }
        if known.raws.contains_key(&source.raw) {
            existing.made.insert(source.raw);
        }
        let table = TableName::raw(name);
        if existing.made.contains(&source.raw) && known.outcomes(shop, &table, &source.raw, &source.checks).await? {
            existing.checked.insert(table);
        }
    }
    for table in &wanted.tables {
        let name = table.node.table();
        let unknown: Vec<Fingerprint> = table
            .parts
            .iter()
            .map(|p| p.fingerprint)
            .filter(|f| known.is_new(f) && !known.parts.contains_key(f))
            .collect();
        known.parts.extend(shop.lake.parts(name, &unknown).await?);
        known.absent.extend(unknown.iter().filter(|f| !known.parts.contains_key(f)));
        existing.made.extend(table.parts.iter().map(|p| p.fingerprint).filter(|f| known.parts.contains_key(f)));
        let all_made = table.parts.iter().all(|p| existing.made.contains(&p.fingerprint));
        if all_made && known.outcomes(shop, name, &table.fingerprint, &table.checks).await? {
            existing.checked.insert(name.clone());
        }
    }
    Ok(existing)
}

/// The plan of an interval, and what it was compared with.
pub fn decide(wanted: Wanted, existing: &Existing, head: Option<&Manifest>, known: &Known, publish: bool) -> Plan {
    let before = head.and_then(|m| m.publication.as_ref()).map(|publication| before(publication, known));
    plan(wanted, existing, before.as_ref(), publish)
}

fn before(publication: &Publication, known: &Known) -> Before {
    let mut before = Before::default();
    for (name, table) in &publication.tables {
        before.made_from.insert(name.clone(), table.made_from.clone());
        if let Some(source) = name.source()
            && let Some(raw) = known.raws.get(&table.fingerprint)
        {
            before.exports.insert(source, raw.exports.iter().map(|e| (e.path.clone(), e.fingerprint)).collect());
        }
    }
    before
}

pub(super) fn raw_export(landed: crate::lake::Landed) -> RawExport {
    RawExport {
        fingerprint: landed.fingerprint,
        path: landed.export.path,
        date: landed.export.date,
        files: landed.files,
        rows_read: landed.rows_read,
        rows_quarantined: landed.rows_quarantined,
        quarantine: landed.quarantine,
    }
}

impl Known {
    /// Something made is there from now on.
    pub(super) fn made(&mut self, fingerprint: &Fingerprint) {
        self.absent.remove(fingerprint);
    }

    fn is_new(&self, fingerprint: &Fingerprint) -> bool {
        !self.absent.contains(fingerprint)
    }

    async fn outcomes(
        &mut self,
        shop: &Workshop,
        table: &TableName,
        made: &Fingerprint,
        checks: &Fingerprint,
    ) -> Result<bool, RunError> {
        if !self.checks.contains_key(&(*made, *checks))
            && let Some(outcomes) = shop.lake.check_outcomes(table, made, checks).await?
        {
            self.checks.insert((*made, *checks), outcomes);
        }
        Ok(self.checks.contains_key(&(*made, *checks)))
    }
}
