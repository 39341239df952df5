//! What stages that see closed months only are made from: everything as of the end of the last closed month.
//!
//! No second mechanism: it is what a run for that instant would want, under the same fingerprints. So most of it is there from
//! that night, a night within the month makes nothing of it again, and a first run on any day comes to the same tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Days};
use chrono_tz::Tz;

use crate::base::{AsOf, Cadence, Fingerprint, Interval, SourceName, TableName, start_of_day};
use crate::config::{Mode, Pipeline, Source};
use crate::plan::wanted::{Instant, want};
use crate::plan::{
    Graph, Inventory, Memory, Node, Wanted, WantedExport, WantedSource, WantedTable, contract_fingerprint,
    raw_fingerprint,
};
use crate::sql::Bindings;

/// What a pipeline that has such stages wants as of then; of a run's sources what could be seen then.
pub(super) fn closed(
    pipeline: &Pipeline,
    graph: &Graph,
    interval: &Interval,
    now: &BTreeMap<SourceName, WantedSource>,
    inventories: &BTreeMap<SourceName, Inventory>,
    memories: &BTreeMap<SourceName, Memory>,
) -> Option<Wanted> {
    let nodes = standing(graph);
    if nodes.is_empty() {
        return None;
    }
    let (month, seen_until) = last_closed(interval, pipeline.close_after_days);
    let mut sources = BTreeMap::new();
    for (name, seen) in now {
        let (Some(source), true) =
            (pipeline.sources.get(name), nodes.iter().any(|n| n.needs().contains(&TableName::raw(name))))
        else {
            continue;
        };
        sources.insert(name.clone(), see(source, seen, seen_until, inventories.get(name), memories.get(name)));
    }
    let bindings = Arc::new(Bindings::of_month(&pipeline.params, &month, interval));
    let at = Instant { pipeline, bindings: &bindings, as_of: &AsOf(month.end).to_string(), sources: &sources };
    let mut tables: Vec<WantedTable> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let table = want(&at, node, &tables);
        tables.push(table);
    }
    Some(Wanted { interval: month, bindings, sources, tables, warnings: vec![], closed: None })
}

/// The last month that ended so many days ago, and the instant up to which exports of it were waited for.
pub(super) fn last_closed(interval: &Interval, after_days: u32) -> (Interval, DateTime<Tz>) {
    let (zone, after) = (interval.end.timezone(), Days::new(after_days.into()));
    let month = Cadence::Month.last_closed(start_of_day(interval.as_of().date() - after, zone));
    (month, start_of_day(AsOf(month.end).date() + after, zone))
}

/// Stages that see closed months only, and all that they are made from and checked against.
fn standing(graph: &Graph) -> Vec<&Node> {
    let mut needed: BTreeSet<TableName> = BTreeSet::new();
    let mut nodes = Vec::new();
    for node in graph.nodes.iter().rev() {
        if node.stage.head.closed || needed.contains(node.table()) {
            needed.extend(node.needs());
            nodes.push(node);
        }
    }
    nodes.reverse();
    nodes
}

/// Of dated exports those dated before; of dumps that each hold all rows the last of them, or the first that is left where older
/// ones are gone. What has no date is what it is.
fn see(
    source: &Source,
    now: &WantedSource,
    until: DateTime<Tz>,
    inventory: Option<&Inventory>,
    memory: Option<&Memory>,
) -> WantedSource {
    if source.pattern.date_format.is_none() {
        return now.clone();
    }
    let is_before = |e: &WantedExport| e.date.is_some_and(|d| start_of_day(d, until.timezone()) < until);
    let exports: Vec<WantedExport> = match source.mode {
        Mode::Append => now.exports.iter().filter(|e| is_before(e)).cloned().collect(),
        Mode::Full => {
            let dumps = dumps(source, now, inventory, memory);
            let last = dumps.iter().rfind(|e| is_before(e)).or(dumps.first());
            last.cloned().into_iter().collect()
        }
    };
    let landed: Vec<Fingerprint> = exports.iter().map(|e| e.landed).collect();
    WantedSource { raw: raw_fingerprint(source, &landed), exports, ..now.clone() }
}

/// All dumps that a store lists or that have landed, up to the one a run sees, by date.
fn dumps(
    source: &Source,
    now: &WantedSource,
    inventory: Option<&Inventory>,
    memory: Option<&Memory>,
) -> Vec<WantedExport> {
    let contract = contract_fingerprint(source);
    let listed = inventory.iter().flat_map(|i| &i.exports).map(|export| WantedExport {
        path: export.path.clone(),
        date: export.date,
        landed: export.fingerprint(&source.name, &contract, &now.store_url),
        listed: Some(export.clone()),
    });
    let remembered = memory.filter(|m| m.contract == Some(contract)).into_iter().flat_map(|m| &m.exports);
    let remembered =
        remembered.map(|e| WantedExport { path: e.path.clone(), date: e.date, landed: e.landed, listed: None });
    let latest = now.exports.last().map(|e| (e.date, e.path.clone()));
    let mut all: Vec<WantedExport> =
        listed.chain(remembered).filter(|e| Some((e.date, e.path.clone())) <= latest).collect();
    // Of one path what the store lists comes first, and stays.
    all.sort_by(|a, b| (a.date, &a.path, a.listed.is_none()).cmp(&(b.date, &b.path, b.listed.is_none())));
    all.dedup_by(|again, first| again.path == first.path);
    all
}
