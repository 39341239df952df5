//! "Why is this number this?": a published figure with what it was made from, as far back as the exports.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::base::{RunId, SourceName, TableName};
use crate::config::{Kpi, Stage};
use crate::lake::{Alert, Balance, CheckOutcome, Publication};
use crate::plan::Node;
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
}

#[derive(Debug)]
pub struct TableLine {
    pub table: TableName,
    pub rows: u64,
    pub fingerprint: String,
    /// Below the project.
    pub file: String,
    pub reads: Vec<TableName>,
}

#[derive(Debug)]
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
    let names: BTreeSet<&TableName> = tables.iter().map(|t| &t.table).collect();
    let raws: BTreeSet<SourceName> = tables.iter().flat_map(|t| &t.reads).filter_map(TableName::source).collect();
    let made_from = |c: &&CheckOutcome| names.contains(&c.table) || c.table.source().is_some_and(|s| raws.contains(&s));
    Ok(Explained {
        kpi: kpi.clone(),
        stage: node.stage.clone(),
        snapshot,
        as_of: publication.as_of.clone(),
        run: publication.run.clone(),
        values,
        restated: restated(shop, kpi, period).await?,
        alerts: publication.alerts.iter().filter(|a| a.kpi == kpi.name).cloned().collect(),
        checks: publication.checks.iter().filter(made_from).cloned().collect(),
        sources: sources(shop, &publication, &raws).await?,
        tables,
    })
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
