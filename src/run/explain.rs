//! "Why is this number this?": a published figure with what it was made from, as far back as the exports.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::base::{RunId, SourceName, TableName, human_count};
use crate::config::{Kpi, Stage, Unit};
use crate::lake::{Alert, Balance, CheckOutcome, Publication, paths};
use crate::plan::Node;
use crate::report::{KpiPoint, of_unit};
use crate::run::kpis::{self, KpiValue};
use crate::run::{RunError, Workshop};

/// Everything that is known of one figure.
#[derive(Debug)]
pub struct Explained {
    pub kpi: Kpi,
    pub stage: Stage,
    pub snapshot: u64,
    pub as_of: String,
    pub run: RunId,
    /// The whole first, then the breakdown; none where the period was not published.
    pub values: Vec<KpiValue>,
    /// What later or earlier snapshots said otherwise of this period.
    pub restated: Vec<(String, KpiValue)>,
    pub alerts: Vec<Alert>,
    /// The tables it is made from, itself first, each before those it reads.
    pub tables: Vec<TableLine>,
    pub checks: Vec<CheckOutcome>,
    pub sources: Vec<SourceExports>,
    /// Below the lake: the same as a page of the archive, where there is one.
    pub page: Option<String>,
}

#[derive(Debug)]
pub struct TableLine {
    pub table: TableName,
    pub rows: u64,
    pub fingerprint: String,
    /// Below the project.
    pub file: String,
    pub reads: Vec<TableName>,
    /// Made as of the end of the last closed month: of what it reads as it stood then, and not as it is in this snapshot.
    pub closed: bool,
}

/// What is said of tables that are marked.
pub const OF_CLOSED: &str =
    "* of what it reads as it stood at the end of the last closed month, which may be less than in this snapshot";

impl TableLine {
    /// Its name, marked where it is of closed months.
    pub fn marked(&self) -> String {
        format!("{}{}", self.table, if self.closed { " *" } else { "" })
    }
}

#[derive(Debug, Clone)]
pub struct SourceExports {
    pub source: SourceName,
    pub balance: Balance,
    /// In order of date, then path.
    pub exports: Vec<String>,
}

/// Explains a KPI in the snapshot published for `as_of`, or in the one readers follow; the last closed period, or the one asked
/// for.
pub async fn explain(
    shop: &Workshop,
    kpi: &Kpi,
    as_of: Option<&str>,
    period: Option<NaiveDate>,
) -> Result<Explained, RunError> {
    let Some(node) = node(shop, &kpi.table) else {
        let lacks = shop.graph.left_out.get(&kpi.table).map(|l| l.lacks.iter().cloned().collect::<Vec<_>>().join(", "));
        let why = lacks.map_or_else(|| "no stage makes its table".to_owned(), |l| format!("the company has no {l}"));
        return Err(RunError::Usage(format!("KPI `{}` is not computed: {why}", kpi.name)));
    };
    let (snapshot, publication) = find(shop, as_of).await?;
    let all = kpis::published(shop, &publication).await?;
    let of_kpi = || all.iter().filter(|v| v.kpi == kpi.name);
    let closed = of_kpi().filter(|v| !v.point.provisional && v.dimension.is_none()).map(|v| v.point.period).max();
    let Some(period) = period.or(closed).or_else(|| of_kpi().map(|v| v.point.period).max()) else {
        return Err(RunError::Usage(format!("the snapshot of {} has no value of `{}`", publication.as_of, kpi.name)));
    };
    let values: Vec<KpiValue> = of_kpi().filter(|v| v.point.period == period).cloned().collect();
    if values.is_empty() {
        let periods: BTreeSet<String> = of_kpi().map(|v| v.point.period.to_string()).collect();
        let first_last = periods.first().zip(periods.last()).map(|(a, b)| format!("; there are {a} to {b}"));
        return Err(RunError::Usage(format!(
            "the snapshot of {} has no period that begins on {period}{}",
            publication.as_of,
            first_last.unwrap_or_default()
        )));
    }
    let tables = lineage(shop, &publication, &kpi.table);
    let raws = raws(&tables);
    let sources = sources(shop, &publication, &raws).await?;
    let restated = restated(shop, kpi, period).await?;
    let page =
        format!("{}/{}.html", paths::why(&shop.pipeline.name, &publication.as_of.replace(':', ""), snapshot), kpi.name);
    let page = shop.lake.exists(&page).await?.then_some(page);
    Ok(Explained { page, ..told(kpi, &node.stage, (snapshot, &publication), values, restated, tables, &sources) })
}

/// The last closed period of every KPI that reports list or are `led_to` by name, all from one snapshot; what is restated is what this snapshot says
/// otherwise than the one before it.
pub(super) async fn explain_all(
    shop: &Workshop,
    snapshot: u64,
    publication: &Publication,
    all: &[KpiValue],
    led_to: &BTreeSet<String>,
) -> Result<Vec<Explained>, RunError> {
    let mut lines = Vec::new();
    for kpi in shop.pipeline.kpis.iter().filter(|k| k.shown || led_to.contains(k.name.as_str())) {
        let of_kpi = || all.iter().filter(|v| v.kpi == kpi.name);
        let closed = of_kpi().filter(|v| !v.point.provisional && v.dimension.is_none()).map(|v| v.point.period).max();
        let (Some(node), Some(period)) = (node(shop, &kpi.table), closed) else { continue };
        let values: Vec<KpiValue> = of_kpi().filter(|v| v.point.period == period).cloned().collect();
        lines.push((kpi, &node.stage, values, lineage(shop, publication, &kpi.table)));
    }
    let needed = lines.iter().flat_map(|(.., tables)| raws(tables)).collect();
    let sources = sources(shop, publication, &needed).await?;
    let one = |(kpi, stage, values, tables): (&Kpi, &Stage, Vec<KpiValue>, Vec<TableLine>)| {
        let changed = values.iter().filter(|v| v.dimension.is_none() && v.was.is_some()).cloned();
        let restated = changed.map(|v| (publication.as_of.clone(), v)).collect();
        told(kpi, stage, (snapshot, publication), values, restated, tables, &sources)
    };
    Ok(lines.into_iter().map(one).collect())
}

fn told(
    kpi: &Kpi,
    stage: &Stage,
    (snapshot, publication): (u64, &Publication),
    values: Vec<KpiValue>,
    restated: Vec<(String, KpiValue)>,
    tables: Vec<TableLine>,
    sources: &[SourceExports],
) -> Explained {
    let raws = raws(&tables);
    let names: BTreeSet<&TableName> = tables.iter().map(|t| &t.table).collect();
    let made_from = |c: &&CheckOutcome| names.contains(&c.table) || c.table.source().is_some_and(|s| raws.contains(&s));
    Explained {
        kpi: kpi.clone(),
        stage: stage.clone(),
        snapshot,
        as_of: publication.as_of.clone(),
        run: publication.run.clone(),
        values,
        restated,
        alerts: publication.alerts.iter().filter(|a| a.kpi == kpi.name).cloned().collect(),
        checks: publication.checks.iter().filter(made_from).cloned().collect(),
        sources: sources.iter().filter(|s| raws.contains(&s.source)).cloned().collect(),
        page: None,
        tables,
    }
}

fn raws(tables: &[TableLine]) -> BTreeSet<SourceName> {
    tables.iter().flat_map(|t| &t.reads).filter_map(TableName::source).collect()
}

impl Explained {
    /// What the figure is called and is, in a sentence: the stage's description where the KPI has none of its own.
    pub fn definition(&self) -> Option<&String> {
        self.kpi.definitions.get("en").or(self.stage.head.description.as_ref())
    }

    /// `as of 2024-02-01: 34.0 % in snapshot 3, since then 34.2 %`.
    pub fn restatements(&self) -> Vec<String> {
        let shown = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), |v| of_unit(v, &self.kpi.unit));
        let sentence = |(as_of, value): &(String, KpiValue)| {
            let was = value.was.as_ref()?;
            let (then, now) = (shown(was.value), shown(value.point.value));
            Some(format!("as of {as_of}: {then} in snapshot {}, since then {now}", was.snapshot))
        };
        self.restated.iter().filter_map(sentence).collect()
    }
}

/// What a value rests on: `n = 1,204; 412 ÷ 1,204; 95 % interval 31.5 % to 36.9 %`.
pub fn rests_on(point: &KpiPoint, unit: &Unit) -> String {
    let shown = |v: f64| of_unit(v, unit);
    let mut notes = Vec::new();
    if let Some(n) = point.n {
        notes.push(format!("n = {n}"));
    }
    if let Some((numerator, denominator)) = point.numerator.zip(point.denominator) {
        notes.push(format!("{numerator} ÷ {denominator}"));
    }
    if let Some((low, high)) = point.low.zip(point.high) {
        notes.push(format!("95 % interval {} to {}", shown(low), shown(high)));
    }
    if point.provisional {
        notes.push("provisional".to_owned());
    }
    notes.join("; ")
}

/// `1,000 rows = 1,003 read − 2 quarantined − 1 deduplicated, from 12 exports`.
pub fn balance_of(source: &SourceExports) -> String {
    let Balance { read, landed, quarantined, deduplicated } = source.balance;
    let exports = if source.exports.len() == 1 { "export" } else { "exports" };
    format!(
        "{} rows = {} read − {} quarantined − {} deduplicated, from {} {exports}",
        human_count(landed),
        human_count(read),
        human_count(quarantined),
        human_count(deduplicated),
        human_count(source.exports.len() as u64)
    )
}

async fn find(shop: &Workshop, as_of: Option<&str>) -> Result<(u64, Publication), RunError> {
    let nothing = || {
        let name = &shop.pipeline.name;
        RunError::Usage(format!("pipeline `{name}` has published nothing yet: `matins run {name}`"))
    };
    let Some(as_of) = as_of else {
        let head = shop.lake.head(&shop.pipeline.name).await?.ok_or_else(nothing)?;
        return Ok((head.number, head.publication.ok_or_else(nothing)?));
    };
    let all = shop.lake.publications(&shop.pipeline.name, usize::MAX).await?;
    let mut all = all.into_iter().filter_map(|m| Some((m.number, m.publication?)));
    all.find(|(_, p)| p.as_of == as_of).ok_or_else(|| {
        RunError::Usage(format!("pipeline `{}` has published nothing as of {as_of}", shop.pipeline.name))
    })
}

fn node<'s>(shop: &'s Workshop, table: &TableName) -> Option<&'s Node> {
    shop.graph.nodes.iter().find(|n| n.table() == table)
}

fn lineage(shop: &Workshop, publication: &Publication, from: &TableName) -> Vec<TableLine> {
    let (mut lines, mut seen, mut waiting) = (Vec::new(), BTreeSet::new(), vec![from.clone()]);
    while !waiting.is_empty() {
        let mut next = Vec::new();
        for table in waiting {
            let (Some(node), true) = (node(shop, &table), seen.insert(table.clone())) else { continue };
            let reads: Vec<TableName> = node.query.reads.keys().cloned().collect();
            next.extend(reads.iter().filter(|t| t.source().is_none()).cloned());
            let published = publication.tables.get(&table);
            lines.push(TableLine {
                rows: published.map_or(0, |p| p.rows),
                fingerprint: published.map(|p| p.fingerprint.short()).unwrap_or_default(),
                file: node.stage.file.path.display().to_string(),
                reads,
                closed: node.stage.head.closed,
                table,
            });
        }
        waiting = next;
    }
    lines
}

async fn sources(
    shop: &Workshop,
    publication: &Publication,
    raws: &BTreeSet<SourceName>,
) -> Result<Vec<SourceExports>, RunError> {
    let mut all = Vec::new();
    for name in raws {
        let Some(table) = publication.tables.get(&TableName::raw(name)) else { continue };
        let raw = shop.lake.raw_table(name, &table.fingerprint).await?;
        all.push(SourceExports {
            source: name.clone(),
            balance: publication.balances.get(name).copied().unwrap_or_default(),
            exports: raw.map(|r| r.exports.into_iter().map(|e| e.path).collect()).unwrap_or_default(),
        });
    }
    Ok(all)
}

/// Every snapshot that changed what was published for a period, in order, with its `as_of`.
async fn restated(shop: &Workshop, kpi: &Kpi, period: NaiveDate) -> Result<Vec<(String, KpiValue)>, RunError> {
    let all = shop.lake.publications(&shop.pipeline.name, usize::MAX).await?;
    let files: BTreeMap<u64, (String, crate::lake::DataFile)> = all
        .into_iter()
        .filter_map(|m| Some((m.number, m.publication?)))
        .filter_map(|(n, p)| Some((n, (p.as_of, p.kpis?))))
        .collect();
    let mut found = Vec::new();
    for (as_of, file) in files.into_values() {
        let values = kpis::read(&shop.lake, &file).await?;
        let changed = values.into_iter().filter(|v| v.kpi == kpi.name && v.point.period == period && v.was.is_some());
        found.extend(changed.filter(|v| v.dimension.is_none()).map(|v| (as_of.clone(), v)));
    }
    Ok(found)
}
