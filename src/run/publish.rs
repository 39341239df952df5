//! From made tables to one create-only put: seals what passed its checks, or says what blocks it.

use std::collections::BTreeMap;

use crate::base::{Fingerprint, RunId, SourceName, TableName};
use crate::config::Check;
use crate::lake::{
    Balance, Blocked, CheckOutcome, CheckStatus, DataFile, Publication, PublishedTable, RawTable, Sealed, seal,
};
use crate::plan::{Wanted, WantedSource};
use crate::run::Workshop;
use crate::run::look::Known;
use crate::stage;

/// What is about to be published.
#[derive(Debug)]
pub struct Edition {
    pub publication: Publication,
    pub sealed: Vec<Sealed>,
}

/// Seals every table of a run, or gives back all outcomes and what blocks.
pub fn edition(
    shop: &Workshop,
    wanted: &Wanted,
    known: &Known,
    before: Option<&Publication>,
    run: &RunId,
) -> Result<Edition, (Blocked, Vec<CheckOutcome>)> {
    let mut sealed = Vec::new();
    let mut outcomes = Vec::new();
    let mut blocked = Vec::new();
    let mut balances = BTreeMap::new();
    let mut finish = |table: PublishedTable, checks: &[Check], found: Vec<CheckOutcome>| {
        let previous = before.and_then(|p| p.tables.get(&table.name)).map(|t| t.rows);
        let change = checks.iter().filter_map(|c| stage::row_change(&table.name, c, table.rows, previous));
        let all: Vec<CheckOutcome> = found.into_iter().chain(change).collect();
        match seal(table, &all) {
            Ok(table) => sealed.push(table),
            Err(Blocked(failed)) => blocked.extend(failed),
        }
        outcomes.extend(all);
    };
    for (name, source) in &wanted.sources {
        let Some(raw) = known.raws.get(&source.raw) else { continue };
        balances.insert(name.clone(), raw.balance);
        let table = PublishedTable {
            name: TableName::raw(name),
            fingerprint: source.raw,
            rows: raw.balance.landed,
            parts: [source.raw].into_iter().chain(closed_raw(wanted, known, name)).collect(),
            checks: source.checks,
            made_from: raw_made_from(source),
        };
        let found = known.checks.get(&(source.raw, source.checks)).cloned().unwrap_or_default();
        finish(table, &shop.pipeline.sources[name].checks, found);
    }
    for table in &wanted.tables {
        let parts: Vec<Fingerprint> = table.parts.iter().map(|p| p.fingerprint).collect();
        let published = PublishedTable {
            name: table.node.table().clone(),
            fingerprint: table.fingerprint,
            rows: parts.iter().filter_map(|p| known.parts.get(p)).map(|p| p.rows).sum(),
            parts,
            checks: table.checks,
            made_from: table.made_from.clone(),
        };
        let found = known.checks.get(&(table.fingerprint, table.checks)).cloned().unwrap_or_default();
        finish(published, &table.node.stage.head.checks, found);
    }
    if !blocked.is_empty() {
        return Err((Blocked(blocked), outcomes));
    }
    let interval = &wanted.interval;
    let publication = Publication {
        run: run.clone(),
        start: interval.start.fixed_offset(),
        end: interval.end.fixed_offset(),
        as_of: interval.as_of().to_string(),
        time_zone: interval.end.timezone().name().to_owned(),
        // The lake names it from the tables it is given.
        content: Fingerprint::of_bytes(&[]),
        reproducible: wanted.sources.values().all(|s| s.reproducible),
        tables: BTreeMap::new(),
        balances,
        checks: outcomes,
        kpis: None,
        alerts: vec![],
    };
    Ok(Edition { publication, sealed })
}

/// What a run that is blocked leaves to be looked at: its balances, and the files of rows it took out of the flow.
pub fn set_aside(wanted: &Wanted, known: &Known) -> (BTreeMap<SourceName, Balance>, Vec<DataFile>) {
    let raws = wanted.sources.iter().filter_map(|(name, source)| Some((name, known.raws.get(&source.raw)?)));
    let parts = wanted.tables.iter().flat_map(|t| &t.parts).filter_map(|p| known.parts.get(&p.fingerprint));
    let files = raws.clone().flat_map(|(_, raw)| raw.exports.iter().filter_map(|e| e.quarantine.clone()));
    let files = files.chain(parts.filter_map(|p| p.quarantine.clone())).collect();
    (raws.map(|(name, raw)| (name.clone(), raw.balance)).collect(), files)
}

/// The dump that a closed month was seen in, when a later one has taken its place: the next run must know it although its store
/// may not list it any more.
fn closed_raw(wanted: &Wanted, known: &Known, name: &SourceName) -> Option<Fingerprint> {
    let (now, closed) = (&wanted.sources[name], wanted.closed.as_ref()?.sources.get(name)?);
    let is_dump =
        |raw: &RawTable| raw.exports.iter().any(|e| now.exports.iter().all(|seen| seen.landed != e.fingerprint));
    known.raws.get(&closed.raw).filter(|raw| is_dump(raw)).map(|raw| raw.fingerprint)
}

/// For the next run, which contract the rows landed under; for readers, how many exports and how recent.
fn raw_made_from(source: &WantedSource) -> BTreeMap<String, String> {
    let mut words = BTreeMap::from([
        ("contract".to_owned(), source.contract.to_string()),
        ("exports".to_owned(), source.exports.len().to_string()),
    ]);
    if let Some(date) = source.exports.iter().filter_map(|e| e.date).max() {
        words.insert("latest export".to_owned(), date.to_string());
    }
    words
}

/// All the balances of a run in one.
pub fn total(balances: &BTreeMap<SourceName, Balance>) -> Balance {
    balances.values().fold(Balance::default(), |sum, one| sum + *one)
}

/// Outcomes worth a person's look.
pub fn notable(outcomes: &[CheckOutcome]) -> impl Iterator<Item = &CheckOutcome> {
    outcomes.iter().filter(|o| o.status != CheckStatus::Passed)
}
