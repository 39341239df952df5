//! What stages that see closed months only are made from: everything as of the end of the last closed month.
//!
//! No second mechanism: it is what a run for that instant would want that has seen the exports which bring the month's last days. A
//! night makes of it what is not there under its fingerprint, so once those have come nothing all month, and a first run on any day
//! comes to the same tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{Days, NaiveDate};

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
    let close = Close::last(interval, pipeline.close_after_days);
    let mut sources = BTreeMap::new();
    for (name, seen) in now {
        let (Some(source), true) =
            (pipeline.sources.get(name), nodes.iter().any(|n| n.needs().contains(&TableName::raw(name))))
        else {
            continue;
        };
        sources.insert(name.clone(), see(source, seen, &close, inventories.get(name), memories.get(name)));
    }
    let month = close.month;
    let bindings = Arc::new(Bindings::of_month(&pipeline.params, &month, interval));
    let at = Instant { pipeline, bindings: &bindings, as_of: &AsOf(month.end).to_string(), sources: &sources };
    let mut tables: Vec<WantedTable> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let table = want(&at, node, &tables);
        tables.push(table);
    }
    Some(Wanted { interval: month, bindings, sources, tables, warnings: vec![], closed: None })
}

/// The last closed month, and which exports it sees.
struct Close {
    month: Interval,
    /// The first day after it.
    end: NaiveDate,
    /// The last date whose exports are waited for.
    waits_for: NaiveDate,
}

impl Close {
    fn last(interval: &Interval, after_days: u32) -> Self {
        let after = Days::new(after_days.into());
        let month = last_closed(interval, after);
        let end = AsOf(month.end).date();
        Self { month, end, waits_for: end + after - Days::new(1) }
    }

    /// The last of these dates whose exports are seen: those that are waited for, and in any case the first after the month, since
    /// it may bring its last days. So months that end between two exports are whole as soon as the second has come.
    fn through(&self, dates: impl Iterator<Item = NaiveDate>) -> NaiveDate {
        dates.filter(|date| *date >= self.end).min().map_or(self.waits_for, |next| next.max(self.waits_for))
    }
}

/// The last month that ended so many days ago.
pub(super) fn last_closed(interval: &Interval, after: Days) -> Interval {
    Cadence::Month.last_closed(start_of_day(interval.as_of().date() - after, interval.end.timezone()))
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

/// Of dated exports those up to the first after the month; of dumps that each hold all rows the last of them. What has no date is
/// what it is.
fn see(
    source: &Source,
    now: &WantedSource,
    close: &Close,
    inventory: Option<&Inventory>,
    memory: Option<&Memory>,
) -> WantedSource {
    if source.pattern.date_format.is_none() {
        return now.clone();
    }
    let all = match source.mode {
        Mode::Append => now.exports.clone(),
        Mode::Full => dumps(source, now, inventory, memory),
    };
    let through = close.through(all.iter().filter_map(|e| e.date));
    let mut exports: Vec<WantedExport> = all.into_iter().filter(|e| e.date.is_some_and(|d| d <= through)).collect();
    if source.mode == Mode::Full {
        exports.drain(..exports.len().saturating_sub(1));
    }
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
