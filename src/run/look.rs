//! Looks at the stores and the lake, and plans one interval from what it saw. Writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures::future::try_join_all;

use crate::base::{Fingerprint, Interval, SourceName, TableName};
use crate::config::Mode;
use crate::lake::{CheckOutcome, Manifest, Publication, RawExport, RawTable, TablePart, gc_doomed};
use crate::plan::{
    Before, Existing, Inventory, Memory, Plan, Remembered, Wanted, WantedSource, WantedTable, plan, standing, wanted,
};
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

/// Looks into what is known, or adds to it. Never held while something is waited for: intervals that are worked on side by side
/// share it.
pub(super) fn with<T>(known: &Mutex<Known>, look: impl FnOnce(&mut Known) -> T) -> T {
    look(&mut known.lock().unwrap_or_else(PoisonError::into_inner))
}

/// One listing of every source's exports, side by side; and a remark on each source beside whose exports lies what no source of
/// the project reads: a name that is written otherwise is an export that nobody misses.
pub async fn find(shop: &Workshop) -> Result<(BTreeMap<SourceName, Inventory>, Vec<String>), RunError> {
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
    let mut found: BTreeMap<SourceName, Inventory> = try_join_all(all).await?.into_iter().collect();
    let remarks = shop.pipeline.sources.values().filter_map(|source| {
        let beside = std::mem::take(&mut found.get_mut(&source.name)?.beside);
        let readers = shop.project.pipelines.values().flat_map(|pipeline| pipeline.sources.values());
        let strange = source::of_none(beside, readers.filter(|other| other.store == source.store));
        let first = strange.first()?;
        let files = if strange.len() == 1 { "1 file fits".to_owned() } else { format!("{} files fit", strange.len()) };
        let (name, path) = (&source.name, &source.pattern.text);
        Some(format!(
            "beside the exports of `{name}` {files} no source's path and is not read: `{first}` is not `{path}`"
        ))
    });
    let remarks = remarks.collect();
    Ok((found, remarks))
}

/// What a snapshot knew of each source, for exports that have vanished and for saying what is new.
pub async fn remember(
    shop: &Workshop,
    publication: Option<&Publication>,
    known: &Mutex<Known>,
) -> Result<BTreeMap<SourceName, Memory>, RunError> {
    let mut memories = BTreeMap::new();
    let Some(publication) = publication else { return Ok(memories) };
    for name in shop.pipeline.sources.keys() {
        let Some(published) = publication.tables.get(&TableName::raw(name)) else { continue };
        let mut exports = Vec::new();
        for fingerprint in &published.parts {
            let raw = match with(known, |k| k.raws.get(fingerprint).cloned()) {
                Some(raw) => raw,
                None => match shop.lake.raw_table(name, fingerprint).await? {
                    Some(raw) => raw,
                    None => continue,
                },
            };
            exports.extend(raw.exports.iter().map(|e| Remembered {
                path: e.path.clone(),
                date: e.date,
                landed: e.fingerprint,
            }));
            with(known, |k| {
                for export in &raw.exports {
                    k.landed.entry(export.fingerprint).or_insert_with(|| export.clone());
                }
                k.raws.insert(raw.fingerprint, raw)
            });
        }
        let contract = published.made_from.get("contract").and_then(|text| text.parse().ok());
        memories.insert(name.clone(), Memory { contract, exports });
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
pub async fn existing(shop: &Workshop, wanted: &Wanted, known: &Mutex<Known>) -> Result<Existing, RunError> {
    let mut existing = Existing::default();
    for (name, source) in &wanted.sources {
        ask_source(shop, name, source, known, &mut existing).await?;
    }
    // All at once: to ask a distant store for one after another takes as many times as long.
    ask_tables(shop, wanted.tables.iter(), known, &mut existing).await?;
    let sources = wanted.sources.iter().filter(|(_, source)| existing.made.contains(&source.raw));
    let sources = sources.map(|(name, source)| (TableName::raw(name), source.raw, source.checks));
    let tables = wanted.tables.iter().filter(|table| table.made().all(|part| existing.made.contains(&part)));
    let tables = tables.map(|table| (table.node.table().clone(), table.fingerprint, table.checks));
    existing.checked = checked(shop, sources.chain(tables).collect(), known).await?;
    let Some(closed) = &wanted.closed else { return Ok(existing) };
    for (name, source) in closed.sources.iter().filter(|(name, source)| source.raw != wanted.sources[*name].raw) {
        // Of dumps it is what remembers the one that a closed month was seen in.
        let stands = standing(wanted, &existing).contains(&TableName::raw(name));
        if stands || shop.pipeline.sources[name].mode == Mode::Full {
            ask_source(shop, name, source, known, &mut existing).await?;
        }
    }
    // The last first: what is there needs nothing of what it was made from.
    for table in closed.tables.iter().rev().filter(|t| !t.node.stage.head.closed) {
        if standing(wanted, &existing).contains(table.node.table()) {
            ask_tables(shop, std::iter::once(table), known, &mut existing).await?;
        }
    }
    Ok(existing)
}

/// The same for a run: what it may use of it is out of the hands of `gc` from then on.
pub async fn claim(shop: &Workshop, wanted: &Wanted, known: &Mutex<Known>) -> Result<Existing, RunError> {
    let doomed = gc_doomed(&shop.lake).await?;
    let spare = async |needed: Vec<Fingerprint>| {
        doomed.spare(&shop.lake, needed, &shop.system.ids.next(), shop.system.clock.now()).await
    };
    spare(wanted.outputs().collect()).await?;
    let existing = existing(shop, wanted, known).await?;
    // The lists are those of before the look: what was deleted since is not taken for there.
    spare(looked_at(shop, wanted, &existing)).await?;
    Ok(existing)
}

/// Of a closed month what its missing tables are made from, and the dumps it was seen in. The rest is on no snapshot's list, and
/// a run that called `gc` off for it would do so every night of the month.
fn looked_at(shop: &Workshop, wanted: &Wanted, existing: &Existing) -> Vec<Fingerprint> {
    let Some(closed) = &wanted.closed else { return vec![] };
    let standing = standing(wanted, existing);
    let is_dump = |name: &SourceName| shop.pipeline.sources[name].mode == Mode::Full;
    let stands = |(name, source): &(&SourceName, &WantedSource)| {
        standing.contains(&TableName::raw(name)) || is_dump(name) && existing.made.contains(&source.raw)
    };
    let sources = closed.sources.iter().filter(stands).flat_map(|(_, source)| source.outputs());
    let tables = closed.tables.iter().filter(|t| standing.contains(t.node.table())).flat_map(WantedTable::made);
    sources.chain(tables).collect()
}

async fn ask_source(
    shop: &Workshop,
    name: &SourceName,
    source: &WantedSource,
    known: &Mutex<Known>,
    existing: &mut Existing,
) -> Result<(), RunError> {
    let landed: Vec<Fingerprint> = source.exports.iter().map(|e| e.landed).collect();
    let unknown = with(known, |k| k.new_of(&landed, |k, f| k.landed.contains_key(f)));
    let found = shop.lake.landed_many(name, &unknown).await?;
    with(known, |k| {
        k.landed.extend(found.into_iter().map(|(fingerprint, landed)| (fingerprint, raw_export(landed))));
        k.absent.extend(unknown.iter().filter(|f| !k.landed.contains_key(f)));
        existing.made.extend(landed.iter().filter(|f| k.landed.contains_key(f)));
    });
    if !with(known, |k| k.raws.contains_key(&source.raw))
        && let Some(raw) = shop.lake.raw_table(name, &source.raw).await?
    {
        with(known, |k| k.raws.insert(source.raw, raw));
    }
    if with(known, |k| k.raws.contains_key(&source.raw)) {
        existing.made.insert(source.raw);
    }
    Ok(())
}

async fn ask_tables(
    shop: &Workshop,
    tables: impl Iterator<Item = &WantedTable>,
    known: &Mutex<Known>,
    existing: &mut Existing,
) -> Result<(), RunError> {
    let parts: Vec<(&TableName, Fingerprint)> =
        tables.flat_map(|table| table.made().map(|part| (table.node.table(), part))).collect();
    let unknown = with(known, |k| {
        let unknown = parts.iter().filter(|(_, f)| !k.absent.contains(f) && !k.parts.contains_key(f));
        unknown.copied().collect::<Vec<_>>()
    });
    let found = shop.lake.parts_of(&unknown).await?;
    with(known, |k| {
        k.parts.extend(found);
        k.absent.extend(unknown.iter().map(|(_, f)| *f).filter(|f| !k.parts.contains_key(f)));
        existing.made.extend(parts.iter().map(|(_, f)| *f).filter(|f| k.parts.contains_key(f)));
    });
    Ok(())
}

/// Of tables with their fingerprint and that of their checks, those whose outcomes are there.
async fn checked(
    shop: &Workshop,
    tables: Vec<(TableName, Fingerprint, Fingerprint)>,
    known: &Mutex<Known>,
) -> Result<BTreeSet<TableName>, RunError> {
    let unknown: Vec<_> = with(known, |k| {
        tables.iter().filter(|(_, made, checks)| !k.checks.contains_key(&(*made, *checks))).cloned().collect()
    });
    let found = shop.lake.check_outcomes(&unknown).await?;
    with(known, |k| {
        let found = unknown.iter().zip(found);
        k.checks.extend(found.filter_map(|((_, made, checks), outcomes)| Some(((*made, *checks), outcomes?))));
        let there = tables.into_iter().filter(|(_, made, checks)| k.checks.contains_key(&(*made, *checks)));
        Ok(there.map(|(name, ..)| name).collect())
    })
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

    /// Those that have not been asked for yet.
    fn new_of(&self, all: &[Fingerprint], is_known: impl Fn(&Self, &Fingerprint) -> bool) -> Vec<Fingerprint> {
        all.iter().filter(|f| !self.absent.contains(f) && !is_known(self, f)).copied().collect()
    }
}
